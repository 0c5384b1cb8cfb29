"""MQTT packets out of a stream of bytes, pure: PUBLISH as columns, everything else as it came.

A loop in Python only finds where packets start; headers, packet ids, properties and acknowledgements are taken by
numpy for a whole block at once. Source: MQTT 3.1.1 and MQTT 5.0, sections 2.1, 3.3 and 4.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LARGEST_PACKET = 16 * 1024 * 1024
"""A longer PUBLISH is not collected: its beginning is kept, the rest is let go as it comes."""
KEPT_OF_LARGER = 192 * 1024
"""Of a PUBLISH that is too long; enough for the longest topic, and 64 KiB of payload behind some properties."""

_PUBLISH, _PUBACK, _PUBREC = 3, 0x40, 0x50


class BadStream(Exception):
    """The bytes are not MQTT; where the next packet starts cannot be known any more."""


class Control(NamedTuple):
    """A packet that is not a PUBLISH: first byte, and what follows the length."""

    header: int
    body: bytes


class Spans(NamedTuple):
    """Where packets lie in a stream: first byte, first byte after the length, and the byte after the last."""

    start: list[int]
    body: list[int]
    end: list[int]


@dataclass(frozen=True, slots=True)
class Messages:
    """PUBLISH packets in order of arrival, as columns of equal length n.

    qos, retained: (n,).   acks: (n, 4) u1, the bytes that acknowledge each message (PUBACK or PUBREC); meaningless
    where qos is 0.   is_last_cut: the last packet was too long to keep, and its payload is only a beginning.
    """

    topics: list[bytes]
    payloads: list[bytes]
    qos: NDArray[np.uint8]
    retained: NDArray[np.bool_]
    acks: NDArray[np.uint8]
    is_last_cut: bool = False

    def __len__(self) -> int:
        return len(self.topics)

    def acknowledgement(self) -> bytes:
        """What to send when all of them are durable, in order of arrival."""
        return self.acks[self.qos > 0].tobytes()

    def only(self, rows: Sequence[int]) -> Messages:
        """These rows, in this order."""
        return Messages(
            [self.topics[row] for row in rows],
            [self.payloads[row] for row in rows],
            self.qos[rows],
            self.retained[rows],
            self.acks[rows],
            self.is_last_cut and len(self) - 1 in rows[-1:],
        )


@dataclass(frozen=True, slots=True)
class Block:
    """What one piece of the stream held. `broken`: PUBLISH packets that contradict themselves, whole."""

    messages: Messages
    controls: list[Control] = field(default_factory=list)
    broken: list[bytes] = field(default_factory=list)


class Framer:
    """Cuts a stream into packets; any cutting of the same stream into pieces gives the same packets."""

    def __init__(self, *, version: int, largest: int = LARGEST_PACKET, kept: int = KEPT_OF_LARGER) -> None:
        self._has_properties = version == 5
        self._largest = largest
        self._kept = kept
        self._pieces: list[bytes] = []  # of the packet that is not whole yet
        self._held = 0  # bytes in the pieces
        self._needed = 0  # bytes that are worth looking at again
        self._skip = 0  # bytes of a too long packet that are still to come

    def feed(self, piece: bytes) -> Block:
        """The packets that this piece completes; raises BadStream."""
        if self._skip:
            skipped = min(self._skip, len(piece))
            self._skip -= skipped
            piece = piece[skipped:]
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held < self._needed:
            return Block(_NOTHING)
        stream = b"".join(self._pieces)
        spans, controls, at = _cut(stream)
        is_cut = self._shorten(stream, at, spans)
        if is_cut:
            at = len(stream)
        self._pieces = [stream[at:]]
        self._held = len(stream) - at
        if not spans.start:
            return Block(_NOTHING, controls)
        messages, broken = _publishes(stream, spans, has_properties=self._has_properties, is_last_cut=is_cut)
        return Block(messages, controls, broken)

    def _shorten(self, stream: bytes, at: int, spans: Spans) -> bool:
        """Take the beginning of a too long PUBLISH for the whole, once enough is there; else say what is needed."""
        found = _length_at(stream, at)
        self._needed = 0
        if found is None:
            return False
        body, length = found
        self._needed = body - at + length
        if stream[at] >> 4 != _PUBLISH or length <= self._largest:
            return False
        self._needed = self._kept
        if len(stream) - at < self._kept:
            return False
        spans.start.append(at)
        spans.body.append(body)
        spans.end.append(len(stream))
        self._skip = body + length - len(stream)
        self._needed = 0
        return True


def _length_at(stream: bytes, at: int) -> tuple[int, int] | None:
    """Where the body of the packet at `at` starts and how long it is; None where that is not yet known."""
    length = 0
    for place in range(4):
        if at + 1 + place >= len(stream):
            return None
        byte = stream[at + 1 + place]
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return at + 2 + place, length
    raise BadStream("a packet's length does not end after four bytes")


def _cut(stream: bytes) -> tuple[Spans, list[Control], int]:
    """Where the whole PUBLISH packets are, the other whole packets, and where the first open one starts."""
    spans = Spans([], [], [])
    add_start, add_body, add_end = spans.start.append, spans.body.append, spans.end.append
    controls: list[Control] = []
    at, size = 0, len(stream)
    while at + 1 < size:
        body, length, kind = at + 2, stream[at + 1], stream[at] >> 4
        if length >= 0x80:
            if body < size and stream[body] < 0x80:  # most are so long
                length += (stream[body] << 7) - 0x80
                body += 1
            elif (found := _length_at(stream, at)) is not None:
                body, length = found
            else:
                break
        end = body + length
        if kind == _PUBLISH:
            if end > size:
                break
            add_start(at)
            add_body(body)
            add_end(end)
        elif kind in (0, 15) or length > LARGEST_PACKET:
            raise BadStream(f"a packet of type {kind} and {length} bytes")
        elif end > size:
            break
        else:
            controls.append(Control(stream[at], stream[body:end]))
        at = end
    return spans, controls, at


def _publishes(stream: bytes, spans: Spans, *, has_properties: bool, is_last_cut: bool) -> tuple[Messages, list[bytes]]:
    """The PUBLISH packets as columns, and those that contradict themselves."""
    octets = np.frombuffer(stream, dtype=np.uint8)
    last = len(stream) - 1
    start, body, end = (np.array(column, dtype=np.int64) for column in spans)
    header = octets[start]
    qos = (header >> np.uint8(1)) & np.uint8(3)
    topic_at = body + 2
    topic_end = topic_at + octets[np.minimum(body, last)].astype(np.int64) * 256 + octets[np.minimum(body + 1, last)]
    payload_at = topic_end + 2 * (qos > 0)
    if has_properties:
        payload_at = _after_properties(octets, payload_at, end)
    acks = np.empty((len(end), 4), dtype=np.uint8)
    acks[:, 0] = np.where(qos == 2, _PUBREC, _PUBACK)
    acks[:, 1] = 2
    acks[:, 2] = octets[np.minimum(topic_end, last)]
    acks[:, 3] = octets[np.minimum(topic_end + 1, last)]
    good = (payload_at <= end) & (qos < 3) & ((qos == 0) | acks[:, 2:].any(axis=1))
    broken = [stream[spans.start[i] : spans.end[i]] for i in np.flatnonzero(~good).tolist()]
    if broken:
        topic_at, topic_end, payload_at, end = topic_at[good], topic_end[good], payload_at[good], end[good]
        header, qos, acks = header[good], qos[good], acks[good]
    messages = Messages(
        topics=[stream[a:b] for a, b in zip(topic_at.tolist(), topic_end.tolist(), strict=True)],
        payloads=[stream[a:b] for a, b in zip(payload_at.tolist(), end.tolist(), strict=True)],
        qos=qos,
        retained=(header & 1).astype(np.bool_),
        acks=acks,
        is_last_cut=is_last_cut and bool(good[-1]),
    )
    return messages, broken


def _after_properties(octets: NDArray[np.uint8], at: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the properties end that start at `at`; beyond `end` where they do not fit."""
    length = octets[np.minimum(at, len(octets) - 1)].astype(np.int64)
    after = at + 1 + length
    for row in np.flatnonzero((length >= 0x80) & (at < end)).tolist():
        first, stop = int(at[row]), int(end[row])
        after[row] = stop + 1
        # the length of properties is written like that of packets, so one byte before it makes them alike
        with suppress(BadStream):
            found = _length_at(octets[first - 1 : min(first + 4, stop)].tobytes(), 0)
            if found is not None:
                after[row] = first - 1 + sum(found)
    return np.where(at < end, after, end + 1)


_NOTHING = Messages([], [], np.empty(0, np.uint8), np.empty(0, np.bool_), np.empty((0, 4), np.uint8))
