"""What to do with the messages of a topic, worked out once for each topic and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.fields import Faulty, Fields, Sided, is_plain
from collectors.mqtt.mappings import MappingSettings, Shape
from collectors.mqtt.paths import MISSING, Chosen, Step, find, parse_path
from collectors.mqtt.times import EPOCH_NS, time_reader
from collectors.mqtt.topics import Template, fill
from collectors.mqtt.values import LOADERS, shown
from collectors.points import Kind, Series

MOST_TOPICS = 200_000
"""Topics remembered; beyond it all are forgotten and worked out anew."""

UNTIMED = -(2**63)
"""The time of a value whose payload does not say one."""
LONGEST_NAME = 200
"""Characters of a machine's name in a payload."""

_NO_ERROR = (MISSING, None, 0, False, "", "0")

Reading = tuple[Sequence[object], Sequence[int], object]
"""What one mapping finds in one entry: raw values and their series, of equal length, and the raw timestamp."""


class Publication(NamedTuple):
    """What the agent publishes: an answer that a device waits for, or a request to a Sparkplug edge node."""

    topic: str
    payload: bytes


class Plan:
    """One mapping for one topic: how to load, where to find values, which series they are."""

    def __init__(
        self,
        mapping: MappingSettings,
        identity: tuple[str, str, str, str],
        fields: Fields,
        *,
        place: int,
        words: dict[str, str],
    ) -> None:
        """identity: plant, area, line and machine; the machine is empty where the payload names it.

        place: of the mapping, among all.  words: what the topic's placeholders stand for.
        """
        self._mapping = mapping
        self.place = place
        self._identity = identity
        self._fields = fields
        self.load = LOADERS[mapping.payload]
        self._only = None if mapping.only is None else _test(mapping.only)
        self._ignored = [_test(shape) for shape in mapping.ignore]
        self._each = None if mapping.each is None else parse_path(mapping.each)
        self._paths = [parse_path(signal.path) for signal in mapping.signals]
        self._ratios = [
            tuple(parse_path(ratio) for ratio in signal.ratios if isinstance(ratio, str)) for signal in mapping.signals
        ]
        self._errors = [None if signal.error is None else parse_path(signal.error) for signal in mapping.signals]
        self._device = None if mapping.device is None else parse_path(mapping.device)
        self._machines: dict[str, list[int]] = {}
        self._which = self._series_of(identity[3]) if mapping.device is None else None
        self._time_path = None if mapping.time is None else parse_path(mapping.time.path)
        self._quick = None if any(self._ratios) or any(self._errors) else _quick(self._paths)
        self._quick_stamp = _quick_stamp(self._time_path)
        self.to_ns = _untimed if mapping.time is None else time_reader(mapping.time.format, mapping.time.zone)
        self.is_timed = mapping.time is not None
        self.unit_ns = 0 if mapping.time is None else EPOCH_NS.get(mapping.time.format, 0)  # of a whole number
        self.needs_time = mapping.time is not None and mapping.time.required
        self.replies = [
            (_test(reply.only), Publication(fill(reply.topic, words), reply.payload.encode()))
            for reply in (mapping.replies if mapping.answer else ())
        ]

    def read(self, document: object) -> Sequence[Reading] | None:
        """What is in a loaded payload: nothing where there is nothing to keep, None where this mapping is not for it.

        Raises ValueError, for people, where it names no machine.
        """
        if self._ignored and any(test(document) for test in self._ignored):
            return ()
        if self._only is not None and not self._only(document):
            return None
        if self._each is not None:
            return self._entries(document, self._each)
        which = self._which or self._series_of(self._machine(document, document))
        if self._quick is not None:
            try:
                return ((self._quick(document), which, self._quick_stamp(document)),)
            except (KeyError, TypeError, IndexError):  # something is missing, or the document is no object
                pass
        reading = self._search(document, document, which)
        return () if self._mapping.sparse and not reading[0] else (reading,)

    @property
    def series(self) -> Sequence[int] | None:
        """The series of its signals, where messages may be read by their skeletons: nothing but numbers is asked for,
        and which series they are does not depend on what is in the payload.
        """
        mapping = self._mapping
        is_simple = mapping.payload == "json" and mapping.each is None and not mapping.ignore and not self.replies
        paths = [*self._paths, self._time_path or ()]
        chooses = any(isinstance(step, Chosen) for path in paths for step in path)  # maybe by a number
        return self._which if is_simple and not chooses and all(map(is_plain, mapping.signals)) else None

    def answers(self, document: object) -> Iterator[Publication]:
        """What the device waits for."""
        return (reply for test, reply in self.replies if test(document))

    def _entries(self, document: object, each: Sequence[Step]) -> Sequence[Reading]:
        entries = find(document, each)
        if not isinstance(entries, list):
            raise ValueError(f"the payload has no list at {self._mapping.each or 'its top'}")
        return [
            self._search(entry, document, self._which or self._series_of(self._machine(entry, document)))
            for entry in entries
        ]

    def _search(self, entry: object, document: object, which: Sequence[int]) -> Reading:
        values: list[object] = []
        kept: list[int] = []
        for path, ratios, error, series in zip(self._paths, self._ratios, self._errors, which, strict=True):
            value = _find(entry, document, path)
            code = MISSING if error is None else _find(entry, document, error)
            if code not in _NO_ERROR:
                value = Faulty(code)
            elif ratios and value is not MISSING:
                value = Sided(value, tuple(_find(entry, document, ratio) for ratio in ratios))
            if value is not MISSING:
                kept.append(series)
                values.append(value)
        stamp = MISSING if self._time_path is None else _find(entry, document, self._time_path)
        return values, kept, stamp

    def _machine(self, entry: object, document: object) -> str:
        assert self._device is not None
        name = _find(entry, document, self._device)
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
            Plan(mapping, self._identity(mapping, values), self.fields, place=place, words=values)
            for place, (template, mapping) in enumerate(self._mappings)
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


def _find(entry: object, document: object, path: Sequence[Step]) -> object:
    """What is in the entry, else what is in the whole payload, or MISSING."""
    found = find(entry, path)
    return find(document, path) if found is MISSING and entry is not document else found


def _test(shape: Shape) -> Callable[[object], bool]:
    """Whether a payload has this shape."""
    wanted = [(parse_path(path), values if isinstance(values, tuple) else (values,)) for path, values in shape.items()]
    return lambda document: all(find(document, path) in values for path, values in wanted)


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
