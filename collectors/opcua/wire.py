"""The OPC UA binary encoding, as far as finding one's way through a PublishResponse (OPC 10000-6 §5.2). Pure.

Nothing here makes an object per value, and nothing trusts a length: every count is checked against the bytes that are
left before anything loops over it, so that hostile bytes end in `Malformed` after at most one pass.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

PUBLISH_RESPONSE = 829
REPUBLISH_RESPONSE = 835
SERVICE_FAULT = 397
DATA_CHANGE = 811
EVENT_LIST = 916
STATUS_CHANGE = 820

MAX_DEPTH = 16  # variants in variants, diagnostics in diagnostics

NULL, STRING, DATE_TIME = 0, 12, 13
FIXED_SIZE = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, DATE_TIME: 8, 14: 16, 19: 4}
"""Bytes of each built-in type that always has the same size."""

IS_ARRAY, HAS_DIMENSIONS, TYPE_BITS = 0x80, 0x40, 0x3F
HAS_VALUE, HAS_STATUS, HAS_SOURCE, HAS_SERVER, HAS_SOURCE_PICO, HAS_SERVER_PICO = 1, 2, 4, 8, 16, 32

_U2, _U4, _I4 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<i")


class Malformed(ValueError):
    """The bytes are no PublishResponse: cut short, or a length that cannot be."""


class Part(NamedTuple):
    """One NotificationData: the id of its encoding, and where its body lies in the message."""

    encoding: int
    start: int
    stop: int


class Response(NamedTuple):
    """A PublishResponse without its values. `result` is the service's status code; after a fault the rest is empty."""

    result: int
    subscription: int = 0
    available: tuple[int, ...] = ()  # sequence numbers that the server could send once more
    more: bool = False
    sequence: int = 0
    parts: tuple[Part, ...] = ()  # empty: a keep-alive


class Reader:
    """A place in the bytes that only moves forward; every step is checked against the end."""

    def __init__(self, data: bytes, at: int = 0, stop: int | None = None) -> None:
        self.data = data
        self.at = at
        self.stop = len(data) if stop is None else stop

    def skip(self, size: int) -> int:
        """Move on and return where it was; raises Malformed beyond the end."""
        at = self.at
        if size < 0 or size > self.stop - at:
            raise Malformed(f"{size} bytes wanted at {at}, {self.stop - at} left")
        self.at = at + size
        return at

    def byte(self) -> int:
        """One byte."""
        return self.data[self.skip(1)]

    def u2(self) -> int:
        """Two bytes, unsigned."""
        return int(_U2.unpack_from(self.data, self.skip(2))[0])

    def u4(self) -> int:
        """Four bytes, unsigned."""
        return int(_U4.unpack_from(self.data, self.skip(4))[0])

    def count(self, *, size: int = 1) -> int:
        """An array's length, null as 0; raises Malformed where elements of `size` bytes cannot be there."""
        count = int(_I4.unpack_from(self.data, self.skip(4))[0])
        if count > 0 and count * size > self.stop - self.at:
            raise Malformed(f"{count} elements announced at {self.at}, {self.stop - self.at} bytes left")
        return max(count, 0)

    def text(self) -> None:
        """Pass a String, ByteString or XmlElement."""
        self.skip(self.count())

    def node_id(self) -> int:
        """Pass a NodeId or ExpandedNodeId; its number where namespace 0 has one, else -1."""
        head = self.byte()
        match head & 0x3F:
            case 0:
                number = self.byte()
            case 1:
                namespace, number = self.byte(), self.u2()
                number = -1 if namespace else number
            case 2:
                namespace, number = self.u2(), self.u4()
                number = -1 if namespace else number
            case 3 | 5:
                self.skip(2)
                self.text()
                number = -1
            case 4:
                self.skip(18)
                number = -1
            case other:
                raise Malformed(f"node id of unknown form {other} at {self.at}")
        if head & 0x80:
            self.text()
            number = -1
        if head & 0x40:
            self.skip(4)
            number = -1
        return number

    def extension(self) -> Part:
        """Pass an ExtensionObject."""
        encoding = self.node_id()
        if not self.byte():
            return Part(encoding, self.at, self.at)
        length = self.count()
        start = self.skip(length)
        return Part(encoding, start, self.at)

    def diagnostic(self, depth: int = 0) -> None:
        """Pass a DiagnosticInfo."""
        if depth > MAX_DEPTH:
            raise Malformed("diagnostics nested too deeply")
        mask = self.byte()
        self.skip(4 * (mask & 0x0F).bit_count())
        if mask & 0x10:
            self.text()
        if mask & 0x20:
            self.skip(4)
        if mask & 0x40:
            self.diagnostic(depth + 1)

    def localized(self) -> None:
        """Pass a LocalizedText."""
        mask = self.byte()
        for bit in (1, 2):
            if mask & bit:
                self.text()

    def variant(self, depth: int = 0) -> None:
        """Pass a Variant, arrays, matrices and nested ones included."""
        if depth > MAX_DEPTH:
            raise Malformed("variants nested too deeply")
        head = self.byte()
        kind = head & TYPE_BITS
        if not head & IS_ARRAY:
            self.one(kind, depth)
        elif kind in FIXED_SIZE:
            self.skip(self.count(size=FIXED_SIZE[kind]) * FIXED_SIZE[kind])
        elif kind == NULL:
            if self.count() > 0:
                raise Malformed("an array of nothing")
        else:
            for _ in range(self.count()):
                self.one(kind, depth)
        if head & HAS_DIMENSIONS:
            self.skip(self.count(size=4) * 4)

    def one(self, kind: int, depth: int) -> None:
        """Pass one value of a built-in type."""
        match kind:
            case _ if kind in FIXED_SIZE:
                self.skip(FIXED_SIZE[kind])
            case 12 | 15 | 16:
                self.text()
            case 17 | 18:
                self.node_id()
            case 20:
                self.skip(2)
                self.text()
            case 21:
                self.localized()
            case 22:
                self.extension()
            case 23:
                self.data_value(depth + 1)
            case 24:
                self.variant(depth + 1)
            case 25:
                self.diagnostic(depth + 1)
            case _ if kind != NULL:
                raise Malformed(f"a value of the unknown type {kind} at {self.at}")

    def data_value(self, depth: int = 0) -> None:
        """Pass a DataValue."""
        mask = self.byte()
        if mask & HAS_VALUE:
            self.variant(depth)
        self.skip(tail_size(mask))


def tail_size(mask: int) -> int:
    """Bytes of a DataValue that follow its value: status, timestamps, picoseconds."""
    return (
        4 * bool(mask & HAS_STATUS)
        + 8 * bool(mask & HAS_SOURCE)
        + 8 * bool(mask & HAS_SERVER)
        + 2 * bool(mask & HAS_SOURCE_PICO)
        + 2 * bool(mask & HAS_SERVER_PICO)
    )


def read_response(body: bytes) -> Response:
    """What a PublishResponse (or a ServiceFault in its place) says, with the places of its notifications.

    Raises Malformed.
    """
    reader = Reader(body)
    encoding, result = _read_header(reader)
    if encoding == SERVICE_FAULT:
        return Response(result)
    if encoding != PUBLISH_RESPONSE:
        raise Malformed(f"the answer to a Publish has encoding {encoding}")
    subscription = reader.u4()
    available = tuple(reader.u4() for _ in range(reader.count(size=4)))
    more = bool(reader.byte())
    return Response(result, subscription, available, more, *_read_message(reader))


def read_republished(body: bytes) -> Response:
    """What a RepublishResponse says; without parts where the server does not have the message. Raises Malformed."""
    reader = Reader(body)
    encoding, result = _read_header(reader)
    if encoding != REPUBLISH_RESPONSE:
        raise Malformed(f"the answer to a Republish has encoding {encoding}")
    sequence, parts = _read_message(reader)
    return Response(result, sequence=sequence, parts=parts)


def _read_header(reader: Reader) -> tuple[int, int]:
    """Pass a ResponseHeader: the id of the answer's encoding, and its status code."""
    encoding = reader.node_id()
    reader.skip(12)  # timestamp, request handle
    result = reader.u4()
    reader.diagnostic()
    for _ in range(reader.count(size=4)):
        reader.text()
    reader.extension()
    return encoding, result


def _read_message(reader: Reader) -> tuple[int, tuple[Part, ...]]:
    """Pass a NotificationMessage: its number, and where its notifications lie."""
    sequence = reader.u4()
    reader.skip(8)  # publish time
    return sequence, tuple(reader.extension() for _ in range(reader.count(size=3)))
