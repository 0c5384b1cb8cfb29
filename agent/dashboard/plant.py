"""What is a machine, what is a meter, and which of their signals say what. Pure: decided from the series alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from collectors.points import Kind, Series

Medium = Literal["electricity", "gas", "water", "air", "steam", "other"]

POWER_UNITS = {"W": 0.001, "kW": 1.0, "MW": 1000.0}
ENERGY_UNITS = {"Wh": 0.001, "kWh": 1.0, "MWh": 1000.0}
FLOW_UNITS = {"m³/h", "m3/h", "Nm³/h", "Nm3/h", "L/min", "l/min", "L/h", "l/h", "m³/min", "m3/min", "t/h", "kg/h"}
VOLUME_UNITS = {"m³", "m3", "Nm³", "Nm3", "L", "l", "t"}
POWER_NAMES = ("active_power", "power", "有功功率", "总有功功率")  # of several signals in kW, the meter's own

MEDIUM_WORDS: tuple[tuple[Medium, tuple[str, ...]], ...] = (
    ("air", ("air", "compressor", "压缩空气", "空压")),  # before gas: 压缩气 is air
    ("gas", ("gas", "lng", "燃气", "天然气")),
    ("steam", ("steam", "蒸汽")),
    ("water", ("water", "水")),
)
MAIN_WORDS = ("incomer", "main-meter", "main_meter", "mains", "总", "进线")


@dataclass(frozen=True, slots=True)
class Supply:
    """What one meter measures of one medium: series ids, -1 where there is no such signal."""

    medium: Medium
    rate: int = -1  # power or flow now
    total: int = -1  # the counter


@dataclass(slots=True)
class Thing:
    """A machine or a meter with its signals, as series ids in the order in which they were first seen."""

    area: str
    line: str
    name: str
    state: int = -1
    signals: list[int] = field(default_factory=list)
    supplies: list[Supply] = field(default_factory=list)

    @property
    def is_meter(self) -> bool:
        """A thing that counts energy or flow and has no state; everything else is a machine."""
        return self.state < 0 and any(supply.total >= 0 for supply in self.supplies)


def sort_out(catalogue: Sequence[Series], *, own: str) -> list[Thing]:
    """The machines and meters of a catalogue (series by id): areas as they were first seen, by line and name in each.

    own: the machine under which the agent speaks of itself. Its signals, and events without a place (gaps of a source),
    belong to no machine.
    """
    things: dict[tuple[str, str, str], Thing] = {}
    for id_, series in enumerate(catalogue):
        is_nowhere = not series.area and not series.line
        if is_nowhere and (series.machine == own or series.kind is Kind.EVENT):
            continue
        place = (series.area, series.line, series.machine)
        things.setdefault(place, Thing(*place)).signals.append(id_)
    for thing in things.values():
        thing.state = _state(thing.signals, catalogue)
        thing.supplies = _supplies(thing, catalogue)
    areas = {area: order for order, area in enumerate(dict.fromkeys(place[0] for place in things))}
    return [things[place] for place in sorted(things, key=lambda place: (areas[place[0]], _natural(place[1:])))]


def _state(signals: Sequence[int], catalogue: Sequence[Series]) -> int:
    """The signal that says what a machine does: the one called state, else the first of its kind, else -1."""
    states = [id_ for id_ in signals if catalogue[id_].kind is Kind.STATE]
    named = [id_ for id_ in states if catalogue[id_].signal.lower() in ("state", "status", "状态", "运行状态")]
    return (named or states or [-1])[0]


def _supplies(thing: Thing, catalogue: Sequence[Series]) -> list[Supply]:
    """What a thing measures for itself; a flow without a counter is a process value, not a supply."""
    found: dict[Medium, dict[str, int]] = {}
    by_name = sorted(thing.signals, key=lambda id_: catalogue[id_].signal.lower() not in POWER_NAMES)
    for id_ in by_name:
        series = catalogue[id_]
        is_counter = series.kind is Kind.COUNTER
        if series.unit in (ENERGY_UNITS if is_counter else POWER_UNITS):
            medium: Medium = "electricity"
        elif series.unit in (VOLUME_UNITS if is_counter else FLOW_UNITS):
            medium = medium_of(series)
        else:
            continue
        if "reactive" not in series.signal.lower() and "apparent" not in series.signal.lower():
            found.setdefault(medium, {}).setdefault("total" if is_counter else "rate", id_)
    return [Supply(medium, **ids) for medium, ids in found.items() if "total" in ids or medium == "electricity"]


def medium_of(series: Series) -> Medium:
    """What flows through a meter, from the words of its names, the nearest one first."""
    for name in (series.signal, series.machine, series.line, series.area):
        for medium, words in MEDIUM_WORDS:
            if any(word in name.lower() for word in words):
                return medium
    return "other"


def _natural(names: Sequence[str]) -> list[list[tuple[int, str]]]:
    """A key that puts cnc-2 before cnc-10."""
    return [_numbers_apart(name) for name in names]


def _numbers_apart(name: str) -> list[tuple[int, str]]:
    parts: list[tuple[int, str]] = []
    digits = ""
    for letter in [*name, ""]:
        if letter.isdecimal():
            digits += letter
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((-1, letter))
    return parts


def mains(things: Sequence[Thing], catalogue: Sequence[Series]) -> dict[Medium, dict[str, list[int]]]:
    """What the whole plant takes of each medium: the ids to add up, rates and totals.

    Meters named as the main one say it alone; without one, all meters of the medium are added. Only signals of one
    unit are added.
    """
    found: dict[Medium, dict[str, list[int]]] = {}
    main = {id(thing) for thing in things if any(word in thing.name.lower() for word in MAIN_WORDS)}
    for medium in {supply.medium: None for thing in things for supply in thing.supplies}:
        users = [(thing, supply) for thing in things for supply in thing.supplies if supply.medium == medium]
        chosen = [supply for thing, supply in users if id(thing) in main] or [supply for _, supply in users]
        found[medium] = {
            "rates": _of_one_unit([supply.rate for supply in chosen if supply.rate >= 0], catalogue),
            "totals": _of_one_unit([supply.total for supply in chosen if supply.total >= 0], catalogue),
        }
    return found


def _of_one_unit(ids: Sequence[int], catalogue: Sequence[Series]) -> list[int]:
    return [id_ for id_ in ids if catalogue[id_].unit == catalogue[ids[0]].unit]


def as_json(things: Sequence[Thing]) -> Mapping[str, object]:
    """Machines and meters as the page wants them."""
    shown = [
        {
            "area": thing.area,
            "line": thing.line,
            "name": thing.name,
            "state": thing.state,
            "signals": thing.signals,
            "supplies": [{"medium": s.medium, "rate": s.rate, "total": s.total} for s in thing.supplies],
        }
        for thing in things
    ]
    return {
        "machines": [json for thing, json in zip(things, shown, strict=True) if not thing.is_meter],
        "meters": [json for thing, json in zip(things, shown, strict=True) if thing.is_meter],
    }
