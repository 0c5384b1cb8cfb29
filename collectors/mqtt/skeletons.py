"""Messages that differ in nothing but their numbers, read many at a time, pure.

A meter sends the same keys in the same order for years. What its messages have in common is their skeleton: every
byte that is not part of a number. Where a message has a known skeleton, byte for byte, its numbers lie at places that
numpy finds for a whole block; the numbers are read by the JSON parser itself, so they mean what they mean in any
message. Everything else is for the caller to parse: one message that does not fit costs only itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

LONGEST_PAYLOAD = 4096
"""Longer messages are rare enough to be parsed one by one."""

_NUMBER = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_OF_NUMBERS = b"0123456789+-.eE"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"(?P<key>\s*:)?|' + _NUMBER)
_TEXT = re.compile(rb'"' + _NUMBER + rb'"')
_IS_STOP = bytes(octet not in _OF_NUMBERS for octet in range(256))
_COMMA = ord(",")
_MARK = 727_100_000_000_000
"""Stands for the first number of a message while it is looked at where its numbers go; no plant has this value."""

Ints = NDArray[np.int64]


class Payloads:
    """Payloads of equal or different skeletons, end to end; nothing of it depends on a skeleton."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        joined = b"".join(payloads)
        self.octets = np.frombuffer(joined, dtype=np.uint8)
        self.stops = np.flatnonzero(np.frombuffer(joined.translate(_IS_STOP), dtype=np.bool_))
        self.length = np.fromiter(map(len, payloads), dtype=np.int64, count=len(payloads))
        self.end = self.length.cumsum()
        self.start = self.end - self.length
        self.first_stop = np.searchsorted(self.stops, self.start)
        self.stop_count = np.diff(self.first_stop, append=len(self.stops))


class Numbers(NamedTuple):
    """What was read: which payloads have the skeleton, and their numbers, those of one payload side by side."""

    rows: Ints
    flat: list[int | float]


class Read(NamedTuple):
    """What a mapping reads in a message: values, those of the signals first; a timestamp may follow."""

    signals: list[int]
    values: list[object]


class Skeleton:
    """What messages of one shape have in common. Two are equal where they read the same messages in the same way."""

    def __init__(self, literals: Sequence[bytes], wanted: Sequence[int]) -> None:
        """literals: what stands before each number, and after the last; every number lies between two bytes that no
        number has. wanted: the numbers to read, by their places among all, in the order in which they are given.
        """
        self.key = tuple(literals), tuple(wanted)
        self.width = len(wanted)
        self._wanted = list(wanted)
        lengths = np.array([len(literal) for literal in literals])
        self._lead = lengths[:-1]
        self._tail = int(lengths[-1])
        self._octets = np.frombuffer(b"".join(literals), dtype=np.uint8)
        self._literal_of = np.repeat(np.arange(len(literals)), lengths)
        self._offset = np.arange(len(self._octets)) - np.repeat(lengths.cumsum() - lengths, lengths)
        stops = np.array([sum(literal.translate(_IS_STOP)) for literal in literals])
        self._stops_before = stops[:-1].cumsum()
        self._stops = int(stops.sum())
        self._least = len(self._octets) + len(self._lead)

    def read(self, payloads: Payloads) -> Numbers:
        """The numbers of all payloads that fit; of none where one of them is not as JSON writes numbers."""
        rows = np.flatnonzero((payloads.stop_count == self._stops) & (payloads.length >= self._least))
        after = payloads.stops[payloads.first_stop[rows, None] + self._stops_before]
        edges = np.concatenate((payloads.start[rows, None], after), axis=1)
        before = edges[:, :-1] + self._lead
        found = payloads.octets.take(edges[:, self._literal_of] + self._offset, mode="clip")
        fits = (found == self._octets).all(axis=1) & (before < after).all(axis=1)
        fits &= edges[:, -1] + self._tail == payloads.end[rows]
        if not fits.all():
            rows, before, after = rows[fits], before[fits], after[fits]
        try:
            flat = _listed(payloads.octets, before[:, self._wanted].ravel(), after[:, self._wanted].ravel())
        except orjson.JSONDecodeError:
            return Numbers(rows[:0], [])
        return Numbers(rows, flat)


def _listed(octets: NDArray[np.uint8], start: Ints, end: Ints) -> list[int | float]:
    """The numbers that lie there. Raises JSONDecodeError.

    No piece holds anything but characters of numbers, so each is a number of JSON by itself or none at all.
    """
    if not len(start):
        return []
    length = end - start + 1  # with a comma
    stop = length.cumsum()
    text = octets[np.repeat(start - stop + length, length) + np.arange(stop[-1])]
    text[stop - 1] = _COMMA
    flat: list[int | float] = orjson.loads(b"[%b]" % text[:-1].tobytes())
    return flat


def learn(payload: bytes, read: Callable[[object], Read | None]) -> tuple[Skeleton, list[int]] | None:
    """The skeleton of a message, and which signals its first numbers are; None where it has none that is safe.

    read: a loaded message -> signals and their raw values; None where they are no matter of numbers alone. It is also
    asked with marks in the place of the numbers: where a number goes must not depend on what it is.
    """
    spans = [] if len(payload) > LONGEST_PAYLOAD else _spans(payload)
    if not spans or spans[-1][1] == len(payload):
        return None
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(payload)]
    literals = [payload[start:end] for start, end in zip(starts, ends, strict=True)]
    marks = [_MARK + number for number in range(len(spans))]
    marked = b"".join(b"%b%d" % pair for pair in zip(literals, marks, strict=False)) + literals[-1]
    try:
        found, own = read(orjson.loads(marked)), read(orjson.loads(payload))  # strict JSON only
    except (ValueError, RecursionError):
        return None
    if found is None or own is None or found.signals != own.signals:
        return None
    places: dict[object, int] = {mark: number for number, mark in enumerate(marks)}
    places |= {str(mark): number for mark, number in places.items()}
    wanted = [places[value] for value in found.values if isinstance(value, int | str) and value in places]
    if not wanted or len(wanted) < len(found.values):
        return None
    unread = [
        number for number, (start, _) in enumerate(spans) if number not in wanted and payload[start - 1 : start] != b'"'
    ]
    return Skeleton(literals, [*wanted, *unread]), found.signals


def _spans(payload: bytes) -> list[tuple[int, int]]:
    """Where the numbers are, also those that are written as texts; numbers in keys are none."""
    spans = []
    for found in _TOKEN.finditer(payload):
        if not found[0].startswith(b'"'):
            spans.append(found.span())
        elif found["key"] is None and _TEXT.fullmatch(found[0]):
            spans.append((found.start() + 1, found.end() - 1))
    return spans
