"""What topics and payloads look like, pure: templates, shapes, types, rates and the likely profile."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from collectors.mqtt.paths import MISSING, find, parse_path
from collectors.mqtt.profiles import names, profile
from collectors.mqtt.times import time_reader
from collectors.mqtt.topics import Template
from collectors.mqtt.values import load_csv, load_json, load_text, to_number

MOST_TOPICS = 20_000
MOST_PATHS = 300
"""Of one shape; a payload with more is a file."""
DEEPEST = 6
LIST_ENTRIES = 8
SAMPLE_CHARACTERS = 300
ALIKE = 0.6
"""Shapes that share so much of their paths are one."""

_NEAR_NS = 400 * 24 * 3600 * 10**9  # a timestamp is at most that far from now
_SHAPE_KEYS = ("type", "cmd", "method", "msgType", "event")
_CHOOSERS = ("key", "name", "id", "tag", "code")
_TIME_NAME = re.compile(r"time|^ts\b|^t$|date|stamp", re.IGNORECASE)
_PLAIN_KEY = re.compile(r'[^.\[\]"\s](?:[^.\[\]"]*[^.\[\]"\s])?')
_TIME_FORMATS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S", "iso")
_ZONE = "Asia/Shanghai"


class Found(NamedTuple):
    """One kind of message: a mapping to begin with, and what is worth knowing of it."""

    template: str
    machine: str  # where no level of the topic varies: what may be its name
    payload: str
    profile: str
    only: tuple[str, str] | None
    time: tuple[str, str] | None  # path and format
    values: list[Seen]
    topics: int
    messages: int
    sample: str


@dataclass(slots=True)
class Seen:
    """What a path held."""

    path: str
    kinds: set[str] = field(default_factory=set)  # number, bool, text
    last: float = math.nan
    rises: int = 0
    falls: int = 0

    @property
    def only_rises(self) -> bool:
        """Whether it behaved as a counter does."""
        return self.rises > 1 and not self.falls


@dataclass(slots=True)
class _Group:
    """Messages of one depth of topic and one shape."""

    payload: str
    only: tuple[str, str] | None
    topics: dict[tuple[str, ...], dict[str, float]] = field(default_factory=dict)  # -> last number of each path
    seen: dict[str, Seen] = field(default_factory=dict)
    messages: int = 0
    document: object = None
    sample: str = ""


class Survey:
    """Hear everything with `hear`, then look at `found`."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, str, tuple[str, str] | None], list[_Group]] = {}
        self._topics: set[str] = set()
        self._shapes: dict[str, set[tuple[str, str] | None]] = {}  # topic -> values of its shape key
        self.messages = 0
        self.unread = 0  # neither JSON nor text, or beyond the limits
        self.sparkplug = 0

    def hear(self, topic: str, octets: bytes) -> None:
        """One message."""
        self.messages += 1
        if topic.startswith("spBv1.0/"):
            self.sparkplug += 1
            return
        if topic not in self._topics and len(self._topics) >= MOST_TOPICS:
            self.unread += 1
            return
        self._topics.add(topic)
        try:
            payload, document = _loaded(octets)
        except (ValueError, RecursionError):
            self.unread += 1
            return
        only = _shape_of(document)
        self._shapes.setdefault(topic, set()).add(only)
        leaves = dict(_leaves(document, "", DEEPEST))
        levels = tuple(topic.split("/"))
        group = self._group((len(levels), payload, only), leaves.keys())
        group.messages += 1
        group.document = document
        group.sample = octets[:SAMPLE_CHARACTERS].decode("utf-8", "replace")
        self._note(group, levels, leaves)

    def found(self, *, now_ns: int) -> list[Found]:
        """Every kind of message, the most frequent first."""
        groups = [group for alike in self._groups.values() for group in alike]
        return [self._of(group, now_ns) for group in sorted(groups, key=lambda group: group.messages, reverse=True)]

    def _group(self, key: tuple[int, str, tuple[str, str] | None], paths: Any) -> _Group:
        alike = self._groups.setdefault(key, [])
        for group in alike:
            shared = len(group.seen.keys() & paths)
            if shared >= ALIKE * max(1, min(len(group.seen), len(paths))):
                return group
        alike.append(_Group(key[1], key[2]))
        return alike[-1]

    def _note(self, group: _Group, levels: tuple[str, ...], leaves: dict[str, object]) -> None:
        last = group.topics.setdefault(levels, {})
        for path, raw in leaves.items():
            seen = group.seen.get(path)
            if seen is None:
                if len(group.seen) >= MOST_PATHS:
                    continue
                seen = group.seen[path] = Seen(path)
            kind, number = _kind(raw)
            seen.kinds.add(kind)
            if kind == "number":
                seen.rises += number > last.get(path, number)
                seen.falls += number < last.get(path, number)
                last[path] = number

    def _of(self, group: _Group, now_ns: int) -> Found:
        template, machine = _template(list(group.topics))
        time = _time(group.document, list(group.seen), now_ns)
        several = any(len(self._shapes["/".join(levels)]) > 1 for levels in group.topics)
        shape_key = group.only[0] if group.only else None
        skipped = {shape_key, time[0] if time else None}
        return Found(
            template,
            machine,
            group.payload,
            _likely_profile(list(group.topics), group.document),
            group.only if several else None,
            time,
            [seen for seen in group.seen.values() if seen.path not in skipped and seen.kinds],
            len(group.topics),
            group.messages,
            group.sample,
        )


def _loaded(octets: bytes) -> tuple[str, object]:
    """How a payload is to be read, and what is in it."""
    if octets.lstrip()[:1] in (b"{", b"["):
        return "json", load_json(octets)
    text = load_text(octets)
    if not text.isprintable():
        raise ValueError("octets")
    return ("csv", load_csv(octets)) if "," in text else ("text", text)


def _shape_of(document: object) -> tuple[str, str] | None:
    if isinstance(document, dict):
        for key in _SHAPE_KEYS:
            if isinstance(value := document.get(key), str) and len(value) <= 40:
                return key, value
    return None


def _leaves(document: object, path: str, depth: int) -> Iterator[tuple[str, object]]:
    """Path and value of everything that is not a container."""
    if isinstance(document, dict) and depth:
        for key, value in document.items():
            written = key if _PLAIN_KEY.fullmatch(key) else f'"{key}"'
            yield from _leaves(value, f"{path}.{written}" if path else written, depth - 1)
    elif isinstance(document, list) and depth:
        chooser = _chooser(document)
        for place, entry in enumerate(document if chooser else document[:LIST_ENTRIES]):
            step = f"[{chooser}={entry[chooser]}]" if chooser else f"[{place}]"
            yield from _leaves(entry, path + step, depth - 1)
    elif not isinstance(document, dict | list):
        yield path, document


def _chooser(entries: list[Any]) -> str:
    """The key whose text tells the objects of a list apart; "" where there is none."""
    for key in _CHOOSERS:
        chosen = [entry.get(key) for entry in entries if isinstance(entry, dict)]
        if len(chosen) == len(entries) > 0 and all(isinstance(one, str) and "]" not in one for one in chosen):
            return key if len(set(chosen)) == len(chosen) else ""
    return ""


def _kind(raw: object) -> tuple[str, float]:
    if isinstance(raw, bool):
        return "bool", float(raw)
    try:
        number = to_number(raw)
    except ValueError:
        return "text", math.nan
    return "number", number


def _template(topics: list[tuple[str, ...]]) -> tuple[str, str]:
    """Levels that vary become placeholders, from the right: machine, line, area; where none do, a machine's name."""
    varying = [place for place in range(len(topics[0])) if len({levels[place] for levels in topics}) > 1]
    words = ["machine", "line", "area"]
    levels = list(topics[0])
    for number, place in enumerate(reversed(varying)):
        levels[place] = "{" + (words[number] if number < len(words) else f"level{place}") + "}"
    fixed = [level for level in topics[0] if level]
    machine = "" if varying else fixed[-2] if len(fixed) > 1 else "".join(fixed) or "device"
    return "/".join(levels), machine


def _time(document: object, paths: list[str], now_ns: int) -> tuple[str, str] | None:
    """The path that looks like a timestamp, and its format."""
    likely = [path for path in paths if _TIME_NAME.search(path.split(".")[-1].strip('" '))]
    for path in sorted(likely, key=len):
        raw = find(document, parse_path(path))
        for name in _TIME_FORMATS:
            try:
                if abs(time_reader(name, _ZONE)(raw) - now_ns) < _NEAR_NS:
                    return path, name
            except ValueError:
                continue
    return None


def _likely_profile(topics: list[tuple[str, ...]], document: object) -> str:
    """The shipped profile whose topic fits and of which most paths are there; "" where none does."""
    best, most = "", 0
    for name in names():
        known = profile(name)
        template = Template(known["topic"])
        if all(template.match("/".join(levels)) is None for levels in topics[:5]):
            continue
        wanted = [signal["path"] for signal in known.get("signals", ())]
        wanted += [known["time"]["path"]] if "time" in known else []
        hits = sum(find(document, parse_path(path)) is not MISSING for path in wanted)
        if hits > most and 2 * hits >= min(len(wanted), 4):
            best, most = name, hits
    return best
