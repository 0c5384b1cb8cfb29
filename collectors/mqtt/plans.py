"""What to do with the messages of a topic, worked out once for each topic and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.mqtt.config import MappingSettings, MqttConfig, SignalSettings
from collectors.mqtt.paths import MISSING, Step, find, parse_path
from collectors.mqtt.times import time_reader
from collectors.mqtt.topics import Template, fill
from collectors.mqtt.values import load_csv, load_odd_json, load_text, shown, to_number, to_switch, to_text
from collectors.points import Kind, Series

MOST_SERIES = 200_000
"""More would be a broker that sends nonsense, or a wildcard that is too wide."""
MOST_TOPICS = 200_000
"""Topics remembered; beyond it all are forgotten and worked out anew."""

UNTIMED = -(2**63)
"""The time of a value whose payload does not say one."""
LONGEST_NAME = 200
"""Characters of a machine's name in a payload."""

Converter = Callable[[object], float | str | None]
"""A raw value -> number or text; None where the device says that it has none. Raises ValueError, for people."""

_LOADERS: dict[str, Callable[[bytes], object]] = {"json": orjson.loads, "text": load_text, "csv": load_csv}


class Fields:
    """The table of series, and what belongs to each: converter, scale, offset, limits."""

    def __init__(self) -> None:
        self.series: tuple[Series, ...] = ()
        self.converters: list[Converter] = []
        self._index: dict[Series, int] = {}
        self._settings: list[SignalSettings] = []
        self.settle()

    def add(self, wanted: Sequence[tuple[Series, SignalSettings]]) -> list[int]:
        """Indexes of these series, new ones included once `settle` is called. Raises ValueError when it is full."""
        new = [(series, settings) for series, settings in wanted if series not in self._index]
        if len(self._index) + len(new) > MOST_SERIES:
            raise ValueError(f"more than {MOST_SERIES} series; use a narrower topic")
        for series, settings in new:
            self._index[series] = len(self._index)
            self.converters.append(_converter(settings))
            self._settings.append(settings)
        return [self._index[series] for series, _ in wanted]

    def settle(self) -> None:
        """Take in what was added, all at once: the tuple of series stays the same object where nothing was."""
        if self._index and len(self.series) == len(self._index):
            return
        self.series = tuple(self._index)
        self._plain = np.array([_is_plain(settings) for settings in self._settings], dtype=np.bool_)
        self._scale = np.array([settings.scale for settings in self._settings], dtype=np.float64)
        self._offset = np.array([settings.offset for settings in self._settings], dtype=np.float64)
        self._minimum = np.array([_limit(settings.minimum, -np.inf) for settings in self._settings])
        self._maximum = np.array([_limit(settings.maximum, np.inf) for settings in self._settings])

    def is_plain(self, which: NDArray[np.uint32]) -> bool:
        """Whether numbers of these series may be taken as they come."""
        return bool(self._plain[which].all())

    def scaled(self, value: NDArray[np.float64], which: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Values after scale and offset."""
        return value * self._scale[which] + self._offset[which]

    def impossible(self, value: NDArray[np.float64], which: NDArray[np.uint32]) -> dict[int, str]:
        """Rows whose value cannot be, and why. NaN is impossible too."""
        possible = np.isfinite(value) & (value >= self._minimum[which]) & (value <= self._maximum[which])
        return {
            row: f"{value[row]:g} is not between {self._minimum[which[row]]:g} and {self._maximum[which[row]]:g}"
            if np.isfinite(value[row])
            else "the value is not a finite number"
            for row in np.flatnonzero(~possible).tolist()
        }


Reading = tuple[Sequence[object], Sequence[int], object]
"""What one mapping finds in one payload: raw values and their series, of equal length, and the raw timestamp."""


class Plan:
    """One mapping for one topic: how to load, where to find values, which series they are."""

    def __init__(self, mapping: MappingSettings, identity: tuple[str, str, str, str], fields: Fields) -> None:
        """identity: plant, area, line and machine; the machine is empty where the payload names it."""
        self._mapping = mapping
        self._identity = identity
        self._fields = fields
        self._load = _LOADERS[mapping.payload]
        self._paths = [parse_path(signal.path) for signal in mapping.signals]
        self._device = None if mapping.device is None else parse_path(mapping.device)
        self._machines: dict[str, list[int]] = {}
        self._which = self._series_of(identity[3]) if mapping.device is None else None
        self._time_path = None if mapping.time is None else parse_path(mapping.time.path)
        self._quick = _quick(self._paths)
        self._quick_stamp = _quick_stamp(self._time_path)
        self.to_ns = _untimed if mapping.time is None else time_reader(mapping.time.format, mapping.time.zone)

    def read(self, payload: bytes) -> Reading:
        """Raises ValueError, for people, where the payload cannot be loaded or names no machine."""
        try:
            document = self._load(payload)
        except orjson.JSONDecodeError as error:
            document = load_odd_json(payload, error)
        which = self._which or self._series_of(self._machine(document))
        if self._quick is not None:
            try:
                return self._quick(document), which, self._quick_stamp(document)
            except (KeyError, TypeError, IndexError):  # something is missing, or the document is no object
                pass
        return self._search(document, which)

    def _search(self, document: object, which: Sequence[int]) -> Reading:
        found = [(value, i) for value, i in zip((find(document, p) for p in self._paths), which, strict=True)]
        kept = [(value, i) for value, i in found if value is not MISSING]
        stamp = MISSING if self._time_path is None else find(document, self._time_path)
        return [value for value, _ in kept], [i for _, i in kept], stamp

    def _machine(self, document: object) -> str:
        assert self._device is not None
        name = find(document, self._device)
        if name is MISSING or isinstance(name, dict | list | bool) or name is None or not str(name).strip():
            raise ValueError(f"the payload names no machine at {self._mapping.device}")
        if len(str(name)) > LONGEST_NAME:
            raise ValueError(f"{shown(name)} at {self._mapping.device} is too long for a machine's name")
        return str(name).strip()

    def _series_of(self, machine: str) -> list[int]:
        which = self._machines.get(machine)
        if which is None:
            plant, area, line, _ = self._identity
            signals = self._mapping.signals
            which = self._fields.add(
                [(Series(plant, area, line, machine, s.signal, s.unit, Kind(s.kind)), s) for s in signals]
            )
            self._machines[machine] = which
        return which


class Plans:
    """Topic -> plans of all mappings that it fits."""

    def __init__(self, config: MqttConfig, *, plant: str) -> None:
        self.fields = Fields()
        self._plant = plant
        self._default = (config.area, config.line)
        self._mappings = [(Template(mapping.topic), mapping) for mapping in config.mappings]
        self.known: dict[bytes, list[Plan]] = {}  # the topics that came so far

    def find(self, topic: bytes) -> list[Plan]:
        """The plans of a topic that is not known yet. Raises ValueError, for people, where no mapping fits."""
        if not topic:
            raise ValueError("the topic is empty; the broker uses an alias that was not agreed")
        try:
            name = topic.decode()
        except UnicodeDecodeError:
            raise ValueError("the topic is not UTF-8") from None
        plans = [
            Plan(mapping, self._identity(mapping, values), self.fields)
            for template, mapping in self._mappings
            if (values := template.match(name)) is not None
        ]
        if not plans:
            raise ValueError("no mapping fits this topic")
        if len(self.known) >= MOST_TOPICS:
            self.known.clear()
        self.known[topic] = plans
        return plans

    def _identity(self, mapping: MappingSettings, values: dict[str, str]) -> tuple[str, str, str, str]:
        area, line = (
            fill(own, values) if own is not None else values.get(name, default)
            for own, name, default in zip((mapping.area, mapping.line), ("area", "line"), self._default, strict=True)
        )
        machine = fill(mapping.machine, values) if mapping.machine is not None else values.get("machine", "")
        return self._plant, area, line, "" if mapping.device is not None else machine


def _quick(paths: Sequence[tuple[Step, ...]]) -> Callable[[Any], Sequence[object]] | None:
    """All values with one call, where every path is one key; raises KeyError, TypeError where one is not there."""
    keys = [path[0] for path in paths if len(path) == 1 and isinstance(path[0], str)]
    if len(keys) != len(paths):
        return None
    if len(keys) > 1:
        return itemgetter(*keys)
    key = keys[0]
    return lambda document: (document[key],)


def _quick_stamp(path: tuple[Step, ...] | None) -> Callable[[Any], object]:
    """The raw timestamp; raises KeyError, TypeError where one key leads to it and is not there."""
    if path is None:
        return lambda _document: MISSING
    if len(path) == 1 and isinstance(path[0], str):
        return itemgetter(path[0])
    return lambda document: find(document, path)


def _untimed(_stamp: object) -> int:
    return UNTIMED


def _is_plain(settings: SignalSettings) -> bool:
    return (
        settings.kind not in ("event", "text")
        and settings.type in (None, "number")
        and settings.map is None
        and not settings.no_value
    )


def _limit(limit: float | None, none: float) -> float:
    return none if limit is None else float(limit)


def _converter(settings: SignalSettings) -> Converter:
    convert = _plain_converter(settings)
    if not settings.no_value:
        return convert

    def convert_unless_empty(raw: object) -> float | str | None:
        written = raw.strip() if isinstance(raw, str) else raw
        if written in settings.no_value:
            return None
        converted = convert(raw)
        return None if converted in settings.no_value else converted  # "65535" is 65535

    return convert_unless_empty


def _plain_converter(settings: SignalSettings) -> Converter:
    if settings.kind in ("event", "text"):
        return to_text
    if settings.type == "bool":
        return to_switch
    words = None if settings.map is None else {word: float(number) for word, number in settings.map.items()}
    return partial(to_number, words=words)
