"""What to do with the messages of a topic, worked out once for each topic and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.mqtt.config import MappingSettings, MqttConfig, SignalSettings
from collectors.mqtt.paths import MISSING, Step, find, parse_path
from collectors.mqtt.times import time_reader
from collectors.mqtt.topics import Template, fill
from collectors.mqtt.values import load_csv, load_json, load_text, shown, to_number, to_switch, to_text
from collectors.points import Kind, Series

MOST_SERIES = 200_000
"""More would be a broker that sends nonsense, or a wildcard that is too wide."""
MOST_TOPICS = 200_000
"""Topics remembered; beyond it all are forgotten and worked out anew."""

Converter = Callable[[object], float | str]

_LOADERS: dict[str, Callable[[bytes], object]] = {"json": load_json, "text": load_text, "csv": load_csv}


class Fields:
    """The table of series, and what belongs to each: converter, scale, offset."""

    def __init__(self) -> None:
        self.series: tuple[Series, ...] = ()
        self.converters: list[Converter] = []
        self._index: dict[Series, int] = {}
        self._plain = np.empty(0, np.bool_)
        self._scale = np.empty(0)
        self._offset = np.empty(0)

    def add(self, wanted: Sequence[tuple[Series, SignalSettings]]) -> list[int]:
        """Indexes of these series; the table grows by those that are new. Raises ValueError when it is full."""
        new = [(series, settings) for series, settings in wanted if series not in self._index]
        if len(self.series) + len(new) > MOST_SERIES:
            raise ValueError(f"more than {MOST_SERIES} series; use a narrower topic")
        for series, settings in new:
            self._index[series] = len(self._index)
            self.converters.append(_converter(settings))
        if new:
            self.series = (*self.series, *(series for series, _ in new))
            self._plain = np.append(self._plain, [_is_plain(settings) for _, settings in new])
            self._scale = np.append(self._scale, [float(settings.scale) for _, settings in new])
            self._offset = np.append(self._offset, [float(settings.offset) for _, settings in new])
        return [self._index[series] for series, _ in wanted]

    def is_plain(self, which: NDArray[np.uint32]) -> bool:
        """Whether numbers of these series may be taken as they come."""
        return bool(self._plain[which].all())

    def scaled(self, value: NDArray[np.float64], which: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Values after scale and offset."""
        return value * self._scale[which] + self._offset[which]


class Plan:
    """One mapping for one topic: how to load, where to find values, which series they are."""

    def __init__(self, mapping: MappingSettings, identity: tuple[str, str, str, str], fields: Fields) -> None:
        """identity: plant, area, line and machine; the machine is empty where the payload names it."""
        self._mapping = mapping
        self._identity = identity
        self._fields = fields
        self.load = _LOADERS[mapping.payload]
        self.time = None if mapping.time is None else partial(_read_time, *_time_of(mapping))
        self._device = None if mapping.device is None else parse_path(mapping.device)
        self._paths = [parse_path(signal.path) for signal in mapping.signals]
        self._quick = _quick(self._paths)
        self._machines: dict[str, list[int]] = {}

    def pick(self, document: object) -> tuple[Sequence[object], Sequence[int]]:
        """The raw values that are there, and their series. Raises ValueError where no machine is named."""
        which = self._series_of(self._machine(document))
        if self._quick is not None:
            try:
                return self._quick(document), which
            except (KeyError, TypeError, IndexError):
                pass
        found = [(value, i) for value, i in zip((find(document, p) for p in self._paths), which, strict=True)]
        kept = [(value, i) for value, i in found if value is not MISSING]
        return [value for value, _ in kept], [i for _, i in kept]

    def _machine(self, document: object) -> str:
        if self._device is None:
            return self._identity[3]
        name = find(document, self._device)
        if name is MISSING or isinstance(name, dict | list | bool) or name is None or not str(name).strip():
            raise ValueError(f"the payload names no machine at {self._mapping.device}")
        if len(str(name)) > 200:
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
        self._known: dict[bytes, list[Plan]] = {}

    def find(self, topic: bytes) -> list[Plan]:
        """Raises ValueError, for people, where no mapping fits."""
        plans = self._known.get(topic)
        return self._work_out(topic) if plans is None else plans

    def _work_out(self, topic: bytes) -> list[Plan]:
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
        if len(self._known) >= MOST_TOPICS:
            self._known.clear()
        self._known[topic] = plans
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


def _read_time(steps: Sequence[Step], read: Callable[[object], int], document: object) -> int:
    value = find(document, steps)
    if value is MISSING or value is None:
        raise ValueError("the payload has no timestamp at the path of the mapping")
    return read(value)


def _time_of(mapping: MappingSettings) -> tuple[Sequence[Step], Callable[[object], int]]:
    assert mapping.time is not None
    return parse_path(mapping.time.path), time_reader(mapping.time.format, mapping.time.zone)


def _is_plain(settings: SignalSettings) -> bool:
    return settings.kind not in ("event", "text") and settings.type in (None, "number") and settings.map is None


def _converter(settings: SignalSettings) -> Converter:
    if settings.kind in ("event", "text"):
        return to_text
    if settings.type == "bool":
        return to_switch
    words = None if settings.map is None else {word: float(number) for word, number in settings.map.items()}
    return partial(to_number, words=words)
