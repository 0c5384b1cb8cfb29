"""What is known of one edge node and its devices, pure: births, aliases, sequence numbers, life and death."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from collectors.mqtt.sparkplug.elements import Element, elements, scalar
from collectors.points import BAD, GOOD, UNCERTAIN

NO_DATA = 0x809B_0000  # BadNoData: the device itself says that it has no value (is_null, NaN)
NO_COMMUNICATION = 0x8031_0000  # BadNoCommunication: the edge node or the device has been declared dead
STALE = 0x4090_0000  # UncertainLastUsableValue: the property Quality is 500
MOST_UNBORN = 10
"""So many messages that came before a birth are kept as dead letters; further ones are counted."""
LONGEST_NAME = 200

_QUALITIES = {192: GOOD, 500: STALE, 0: BAD}
_HIDDEN = ("bdSeq", "Node Control/", "Device Control/")
_UNITS = ("engUnit", "Engineering Units", "unit")


class Known(NamedTuple):
    """What the birth says of a metric; data need not repeat it."""

    name: str
    datatype: int
    unit: str


class Reading(NamedTuple):
    """One value on its way. `t_ns` is 0 where neither metric nor payload says it."""

    device: str
    element: Element
    unit: str
    metric: str  # the name of the metric that holds the element
    t_ns: int
    quality: int
    is_historical: bool


@dataclass(slots=True)
class Outcome:
    """What one message meant."""

    readings: list[Reading] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)  # devices whose values are stale now
    gap: str = ""  # why messages are missing since the last one, for people
    wants_birth: bool = False
    refused: list[str] = field(default_factory=list)  # why parts of it could not be read


@dataclass(slots=True)
class _Device:
    known: dict[str, Known] = field(default_factory=dict)
    aliases: dict[int, Known] = field(default_factory=dict)


class Edge:
    """One edge node. A device's name is "" for the node itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._devices: dict[str, _Device] = {}
        self._sequence: int | None = None
        self._births: int | None = None  # bdSeq of the last birth
        self._is_sure = True  # nothing was missed since the last birth, so aliases mean what it said
        self._may_repeat = False
        self._unborn = 0
        self.asked_ns = 0

    def reconnected(self) -> None:
        """The connection is new: what was not acknowledged comes again."""
        self._may_repeat = True

    def take(self, kind: str, device: str, payload: Any) -> Outcome:
        """A message of this kind. Raises ValueError, for people, where nothing of it can be used."""
        outcome = Outcome()
        if kind == "NDEATH":
            self._die(payload, outcome)
            return outcome
        if kind == "NBIRTH":
            outcome.gap = self._birth_of_node(payload)
        else:
            outcome.gap = self._follow(payload)
            if outcome.gap:
                self._is_sure, outcome.wants_birth = False, True
        match kind:
            case "NBIRTH" | "DBIRTH":
                self._learn(self._devices.setdefault(device, _Device()), payload)
            case "DDEATH":
                self._devices.pop(device, None)
                outcome.dead.append(device)
                return outcome
        self._read(device, payload, outcome)
        return outcome

    def _birth_of_node(self, payload: Any) -> str:
        """Begin anew; returns what was missed before it, for people."""
        self._devices.clear()
        self._sequence = payload.seq % 256
        self._births = next((int(scalar(m, m.datatype) or 0) for m in payload.metrics if m.name == "bdSeq"), None)
        self._is_sure, self._may_repeat = True, False
        lost, self._unborn = self._unborn - MOST_UNBORN, 0
        return f"{lost} messages of {self.name} came before its birth and could not be read" if lost > 0 else ""

    def _follow(self, payload: Any) -> str:
        """Compare the sequence number with the one expected; returns what is wrong, for people."""
        last, may_repeat = self._sequence, self._may_repeat
        if last is None or not payload.HasField("seq"):
            return ""
        self._sequence, self._may_repeat = payload.seq % 256, False
        ahead = (self._sequence - last) % 256
        if ahead == 1 or (may_repeat and (last - self._sequence) % 256 < 128):
            return ""
        return f"{self.name} goes from message {last} to {self._sequence}: {(ahead - 1) % 256} or more are missing"

    def _learn(self, device: _Device, payload: Any) -> None:
        device.known.clear()
        device.aliases.clear()
        for metric in payload.metrics:
            known = Known(metric.name, metric.datatype, _unit(metric.properties))
            device.known[metric.name] = known
            if metric.HasField("alias"):
                device.aliases[metric.alias] = known

    def _die(self, payload: Any, outcome: Outcome) -> None:
        births = next((int(scalar(m, m.datatype) or 0) for m in payload.metrics if m.name == "bdSeq"), None)
        if births != self._births and births is not None and self._births is not None:
            return  # the will of an earlier connection; the node has been born again since
        outcome.dead += ["", *(name for name in self._devices if name)]
        self._devices.clear()
        self._sequence = None

    def _read(self, name: str, payload: Any, outcome: Outcome) -> None:
        device = self._devices.get(name)
        if device is None:
            outcome.wants_birth = True
        readable = 0
        for metric in payload.metrics:
            known = _known(device, metric)
            if known is None or not known.name:
                outcome.wants_birth = True
                continue
            readable += 1
            if known.name.startswith(_HIDDEN):
                continue
            try:
                self._values(name, metric, known, payload.timestamp, outcome)
            except ValueError as error:
                outcome.refused.append(str(error))
        if readable < len(payload.metrics):
            self._unborn += 1
            if self._unborn <= MOST_UNBORN:
                outcome.refused.append(
                    f"{len(payload.metrics) - readable} metrics have an alias whose birth has not come; set host_id, "
                    "so that it can be asked for, or let the edge node connect again"
                )

    def _values(self, device: str, metric: Any, known: Known, payload_ms: int, outcome: Outcome) -> None:
        if len(known.name) > LONGEST_NAME:
            raise ValueError(f"{known.name[:40]}... is too long for a metric's name")
        t_ns = (metric.timestamp or payload_ms) * 10**6
        if metric.is_historical and not t_ns:
            raise ValueError(f"{known.name} is historical and has no time")
        quality = _quality(metric.properties)
        if quality == GOOD and not self._is_sure and not metric.name:
            quality = UNCERTAIN
        for element in elements(metric, name=known.name, datatype=known.datatype or metric.datatype):
            own = NO_DATA if element.value is None and quality < BAD else quality
            outcome.readings.append(
                Reading(device, element, known.unit, known.name, t_ns, own, bool(metric.is_historical))
            )


def _known(device: _Device | None, metric: Any) -> Known | None:
    """What is known of a metric: by its name, by its alias, or, without a birth, by what it says itself."""
    if metric.name:
        known = device.known.get(metric.name) if device else None
        return known or Known(metric.name, metric.datatype, _unit(metric.properties))
    return device.aliases.get(metric.alias) if device and metric.HasField("alias") else None


def _property(properties: Any, wanted: Callable[[str], bool]) -> float | str | None:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if wanted(key) and not value.is_null:
            return scalar(value, value.type)
    return None


def _unit(properties: Any) -> str:
    unit = _property(properties, _UNITS.__contains__)
    return unit.strip() if isinstance(unit, str) else ""


def _quality(properties: Any) -> int:
    quality = _property(properties, lambda key: key == "Quality")
    if not isinstance(quality, float):
        return GOOD
    return _QUALITIES.get(int(quality), GOOD if 192 <= quality < 256 else BAD)
