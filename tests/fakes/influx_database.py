"""A fake InfluxDB bucket that takes line protocol for real: an oracle for what a client has delivered.

Every byte is parsed strictly; types, retention and limits are kept; the answers are those that InfluxDB 2.7.12 was seen
to give, or that 3.x is documented to give. No clock, no socket.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Literal, NamedTuple

FieldValue = float | int | bool | str

_LEAST_NS, _MOST_NS = -9223372036854775806, 9223372036854775806
_LONGEST_STRING = 1_048_576
_FLOAT = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_STRING = re.compile(r'"((?:\\["\\]|[^"])*)"')
_FIELD = re.compile(r'([^=,\s"]+)=(?:"([^=,"]*)"|([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?))')
_TIMESTAMP = re.compile(r"-?\d{1,18}|[1-8]\d{18}")
_INTEGER = re.compile(r"[+-]?\d+i")
_BOOLEANS = {"t": True, "T": True, "true": True, "True": True, "TRUE": True} | {
    "f": False,
    "F": False,
    "false": False,
    "False": False,
    "FALSE": False,
}


@cache
def _token(ends: str, escapes: str) -> re.Pattern[str]:
    """Everything up to one of these signs or a line end; an escaped sign does not end it."""
    escaped = rf"\\[{re.escape(escapes)}]|" if escapes else ""
    return re.compile(rf"(?:{escaped}[^{re.escape(ends)}\n\r])+")


class Key(NamedTuple):
    """Where a value is kept."""

    series: str  # measurement and tags sorted by key, unescaped: "raceway,machine=cnc 1"
    field: str
    t_ns: int


class Malformed(Exception):
    """A line that is no line protocol."""


class BadLine(NamedTuple):
    """One line that could not be parsed, and why."""

    text: str
    trouble: str


class Line(NamedTuple):
    """One parsed line."""

    measurement: str
    series: str
    fields: dict[str, FieldValue]
    t_ns: int
    text: str


def _series(measurement: str, tags: Mapping[str, str]) -> str:
    """The identity of a series."""
    return ",".join((measurement, *(f"{name}={value}" for name, value in sorted(tags.items()))))


def parse(body: bytes) -> Iterator[Line | BadLine]:
    """Each line; blank ones and comments are left out."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        yield BadLine(repr(body), str(error))
        return
    at = 0
    while at < len(text):
        if text[at] in "\n#":
            at = _line_end(text, at) + 1
            continue
        end = _line_end(text, at)
        if line := _plain(text[at:end]):
            yield line
            at = end + 1
            continue
        try:
            line, at = _Scanner(text, at).line()
            yield line
        except Malformed as error:
            end = _line_end(text, at)
            yield BadLine(text[at:end], str(error))
            at = end + 1


def _plain(text: str) -> Line | None:
    """A line of floats and simple strings without a single escape, quickly; None where the scanner has to look."""
    parts = text.split(" ")
    if len(parts) != 3 or "\\" in text or "\r" in text or not _TIMESTAMP.fullmatch(parts[2]):
        return None
    fields: dict[str, FieldValue] = {}
    for part in parts[1].split(","):
        if not (found := _FIELD.fullmatch(part)):
            return None
        name, words, number = found.groups()
        if words is None and not math.isfinite(float(number)):
            return None
        fields[name] = float(number) if words is None else words
    head = _head(parts[0])
    return Line(*head, fields, int(parts[2]), text) if head else None


@lru_cache(2_000)
def _head(text: str) -> tuple[str, str] | None:
    """Measurement and series without escapes; None where the scanner has to look."""
    measurement, *pairs = text.split(",")
    tags = dict(pair.split("=") for pair in pairs if pair.count("=") == 1)
    is_plain = measurement and len(tags) == len(pairs) and all(tags) and all(tags.values()) and "time" not in tags
    return (measurement, _series(measurement, tags)) if is_plain and '"' not in text else None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


class _Scanner:
    """Reads one line of line protocol by the letter."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.start = self.at = at

    def line(self) -> tuple[Line, int]:
        measurement = self.token(", ", escapes=", ", what="measurement")
        tags: dict[str, str] = {}
        while self.next_is(","):
            name = self.token("=", escapes=",= ", what="tag key")
            self.expect("=")
            if name in tags or name == "time":
                raise Malformed("duplicate or reserved tag")
            tags[name] = self.token(", ", escapes=",= ", what="tag value", forbidden="=")
        self.expect(" ")
        fields: dict[str, FieldValue] = {}
        while True:
            name = self.token("=", escapes=",= ", what="field key", forbidden=" ,")
            self.expect("=")
            fields[name] = self.string() if self.peek() == '"' else self.number()
            if not self.next_is(","):
                break
        self.expect(" ")
        t_ns = self.timestamp()
        end = self.at
        return Line(measurement, _series(measurement, tags), fields, t_ns, self.text[self.start : end]), end + 1

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def next_is(self, sign: str) -> bool:
        found = self.peek() == sign
        self.at += found
        return found

    def expect(self, sign: str) -> None:
        if not self.next_is(sign):
            raise Malformed(f"missing {sign!r}")

    def token(self, ends: str, *, escapes: str, what: str, forbidden: str = "") -> str:
        found = _token(ends + forbidden, escapes).match(self.text, self.at)
        if not found:
            raise Malformed(f"missing {what}")
        self.at = found.end()
        if self.peek() in tuple("\n\r" + forbidden):
            raise Malformed(f"invalid {what}")
        word = found[0]
        return re.sub(rf"\\([{re.escape(escapes)}])", r"\1", word) if escapes and "\\" in word else word

    def string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if not found:
            raise Malformed("unbalanced quotes")
        self.at = found.end()
        return re.sub(r'\\(["\\])', r"\1", found[1])

    def number(self) -> FieldValue:
        word = self.token(", ", escapes="", what="field value")
        if word in _BOOLEANS:
            return _BOOLEANS[word]
        if _INTEGER.fullmatch(word) and -(2**63) <= int(word[:-1]) < 2**63:
            return int(word[:-1])
        if _FLOAT.fullmatch(word) and math.isfinite(float(word)):
            return float(word)
        raise Malformed("invalid number")

    def timestamp(self) -> int:
        end = _line_end(self.text, self.at)
        word, self.at = self.text[self.at : end], end
        if not re.fullmatch(r"-?\d+", word):
            raise Malformed("bad timestamp")
        if not _LEAST_NS <= int(word) <= _MOST_NS:
            raise Malformed(f"time outside range {_LEAST_NS} - {_MOST_NS}")
        return int(word)


@dataclass(slots=True)
class Database:
    """One bucket.

    points: everything that was delivered.     rewritten: what was written again with another value.
    """

    style: Literal["2.7", "3"] = "2.7"
    keep_from_ns: int = _LEAST_NS  # older points are beyond retention
    most_bytes: int = 2**62  # of one body, uncompressed
    points: dict[Key, FieldValue] = field(default_factory=dict)
    types: dict[tuple[str, str], type] = field(default_factory=dict)  # (measurement, field) keeps its type for ever
    rewritten: set[Key] = field(default_factory=set)

    def write(self, body: bytes) -> tuple[int, str]:
        """Status and body of the answer."""
        if len(body) > self.most_bytes:
            return 413, error("request too large", "Request Entity Too Large")
        parsed = list(parse(body))
        malformed = [line for line in parsed if isinstance(line, BadLine)]
        if malformed and self.style == "2.7":
            return 400, error("invalid", "\n".join(f"unable to parse '{text}': {why}" for text, why in malformed))
        taken = [(number, line.text, self._take(line)) for number, line in enumerate(parsed, 1)]
        refused = [(number, text, trouble) for number, text, trouble in taken if trouble]
        if not refused:
            return 204, ""
        if self.style == "3":
            names = ("line_number", "original_line", "error_message")
            listed = [dict(zip(names, each, strict=True)) for each in refused[:100]]
            return 400, json.dumps({"error": "partial write of line protocol occurred", "data": listed})
        conflicts = [trouble for _, _, trouble in refused if "conflict" in trouble]  # the only ones that it names
        words = (conflicts or [refused[0][2]])[0]
        text = f"failure writing points to database: partial write: {words} dropped={len(conflicts) or len(refused)}"
        return 422, error("unprocessable entity", text)

    def _take(self, line: Line | BadLine) -> str:
        """Keep the line whole, or say why not."""
        if isinstance(line, BadLine):
            return line.trouble
        if line.t_ns < self.keep_from_ns:
            bound = datetime.fromtimestamp(self.keep_from_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            return f"points outside retention policy: {line.series} violates a Retention Policy Lower Bound at {bound}"
        for name, value in line.fields.items():
            place = f'input field "{name}" on measurement "{line.measurement}"'
            known = self.types.get((line.measurement, name), type(value))
            if known is not type(value):
                return (
                    f"field type conflict: {place} is type {type(value).__name__}, already exists as {known.__name__}"
                )
            if isinstance(value, str) and len(value.encode()) > _LONGEST_STRING:
                return f"{place} is too long, {len(value.encode())} > {_LONGEST_STRING}"
        kept = {name: value for name, value in line.fields.items() if name != "time"}  # dropped without a word
        if not kept:
            return f'invalid field name: input field "time" on measurement "{line.measurement}" is invalid'
        for name, value in kept.items():
            key = Key(line.series, name, line.t_ns)
            if self.points.get(key, value) != value:
                self.rewritten.add(key)
            self.points[key] = value
            self.types[line.measurement, name] = type(value)
        return ""


def error(code: str, message: str) -> str:
    """An error body as 2.x writes it."""
    return json.dumps({"code": code, "message": message})
