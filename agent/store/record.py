"""Frames: how bytes become records, and how records are found among damaged bytes. Pure; see docs/log-format.md."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple
from zlib import crc32

VERSION = 1
HEADER_BYTES = 64
SEAL_BYTES = HEADER_BYTES + 112
RECORD_MAGIC = b"RWRC"
SEGMENT_MAGIC = b"RWSG"

_SEGMENT = struct.Struct("<4sBBHIq16sQ16s")
_RECORD = struct.Struct("<4sBBBBIIIHHQIIqqI")
_SEAL = struct.Struct("<IIQQQqq32s32s")
_CRC = struct.Struct("<I")
_SEARCH_BYTES = 1 << 18

Read = Callable[[int, int], bytes]
"""(offset, length) to bytes, fewer at the end."""


class RecordType(IntEnum):
    """What a payload holds."""

    DATA = 1
    SERIES = 2
    SEAL = 3
    DEAD_LETTER = 4


class StreamId(IntEnum):
    """Which stream a segment belongs to, as its header says."""

    TELEMETRY = 1
    RECORDS = 2
    DEAD_LETTERS = 3
    SERIES = 4


class SegmentHeader(NamedTuple):
    """The first 64 bytes of a segment."""

    stream: int
    epoch: int
    created_ns: int
    store: bytes
    base_seq: int
    boot_id: bytes

    def pack(self) -> bytes:
        """As stored."""
        head = _SEGMENT.pack(
            SEGMENT_MAGIC, VERSION, self.stream, 0, self.epoch, self.created_ns, self.store, self.base_seq, self.boot_id
        )
        return head + _CRC.pack(crc32(head))

    @classmethod
    def unpack(cls, raw: bytes) -> SegmentHeader | None:
        """None unless whole and unharmed."""
        if len(raw) < HEADER_BYTES or raw[:4] != SEGMENT_MAGIC or _CRC.unpack_from(raw, 60)[0] != crc32(raw[:60]):
            return None
        _, _, stream, _, epoch, created_ns, store, base_seq, boot_id = _SEGMENT.unpack_from(raw)
        return cls(stream, epoch, created_ns, store, base_seq, boot_id)


class Header(NamedTuple):
    """The first 64 bytes of a record."""

    type: int
    codec: int
    payload_len: int
    raw_len: int
    points: int
    batches: int
    seq: int
    epoch: int
    series: int
    wall_ns: int
    boottime_ns: int
    payload_crc: int

    @property
    def next_seq(self) -> int:
        """The first sequence number after this record."""
        return self.seq + self.batches

    def pack(self) -> bytes:
        """As stored."""
        head = _RECORD.pack(
            RECORD_MAGIC,
            VERSION,
            self.codec,
            self.type,
            0,
            self.payload_len,
            self.raw_len,
            self.points,
            self.batches,
            0,
            self.seq,
            self.epoch,
            self.series,
            self.wall_ns,
            self.boottime_ns,
            self.payload_crc,
        )
        return head + _CRC.pack(crc32(head))

    @classmethod
    def unpack(cls, raw: bytes) -> Header | None:
        """None unless whole and unharmed."""
        if len(raw) < HEADER_BYTES or raw[:4] != RECORD_MAGIC or _CRC.unpack_from(raw, 60)[0] != crc32(raw[:60]):
            return None
        _, _, codec, kind, _, length, raw_len, points, batches, _, seq, epoch, series, wall_ns, boottime_ns, crc = (
            _RECORD.unpack_from(raw)
        )
        return cls(kind, codec, length, raw_len, points, batches, seq, epoch, series, wall_ns, boottime_ns, crc)


class Seal(NamedTuple):
    """What a closed segment says of itself."""

    records: int = 0
    points: int = 0
    first_seq: int = 0
    last_seq: int = 0
    from_ns: int = 0
    to_ns: int = 0
    sha256: bytes = bytes(32)
    previous: bytes = bytes(32)

    def pack(self) -> bytes:
        """As stored."""
        return _SEAL.pack(self.records, 0, *self[1:])

    @classmethod
    def unpack(cls, payload: bytes) -> Seal:
        """The payload must have passed its CRC."""
        records, _, *rest = _SEAL.unpack(payload)
        return cls(records, *rest)


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole record, and where it stands."""

    offset: int
    header: Header
    payload: bytes

    @property
    def end(self) -> int:
        """The offset of whatever follows."""
        return self.offset + HEADER_BYTES + self.header.payload_len


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no record. `header` is known where only the payload is harmed."""

    offset: int
    length: int
    why: str
    header: Header | None = None


def scan(read: Read, *, start: int, end: int, epoch: int, payloads: bool = True) -> Iterator[Frame | Damage]:
    """Everything between two offsets, in order: records, and the damage between them.

    Without `payloads` only headers are read and checked, and frames come with an empty payload.
    """
    offset = start
    while offset < end:
        header = _valid_header(read(offset, HEADER_BYTES), epoch)
        if header is None:
            found = _next_record(read, offset + 1, end, epoch)
            yield Damage(offset, found - offset, "no record begins here")
            offset = found
            continue
        after = offset + HEADER_BYTES + header.payload_len
        if after > end:
            found = _next_record(read, offset + HEADER_BYTES, end, epoch)
            yield Damage(offset, found - offset, "the record is cut off", header)
            offset = found
            continue
        payload = read(offset + HEADER_BYTES, header.payload_len) if payloads else b""
        if payloads and crc32(payload) != header.payload_crc:
            yield Damage(offset, after - offset, "the payload fails its CRC", header)
        else:
            yield Frame(offset, header, payload)
        offset = after


def _valid_header(raw: bytes, epoch: int) -> Header | None:
    header = Header.unpack(raw)
    return header if header is not None and header.epoch == epoch else None


def _next_record(read: Read, start: int, end: int, epoch: int) -> int:
    """The offset of the next good header, or the end."""
    offset = start
    while offset < end:
        block = read(offset, min(_SEARCH_BYTES, end - offset))
        at = block.find(RECORD_MAGIC)
        while at >= 0:
            if _valid_header(read(offset + at, HEADER_BYTES), epoch):
                return offset + at
            at = block.find(RECORD_MAGIC, at + 1)
        if len(block) < 4:
            break
        offset += max(1, len(block) - 3)  # a magic may lie across two blocks
    return end
