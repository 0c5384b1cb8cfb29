"""One file of the log: what is known of it, and reading it whatever happened to it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from agent.store.files import Files
from agent.store.record import (
    HEADER_BYTES,
    SEAL_BYTES,
    Damage,
    Frame,
    Header,
    RecordType,
    Seal,
    SegmentHeader,
    scan,
)

BLOCK_BYTES = 1 << 18
PAGE_BYTES = 1 << 12


@dataclass(slots=True)
class Segment:
    """What is known of a file without reading it again. `end` is where its durable records end."""

    path: Path
    base_seq: int
    epoch: int
    created_ns: int = 0
    end: int = HEADER_BYTES
    bytes_on_disk: int = 0
    sealed: bool = False
    series: int = 0  # how many the store knew when it was sealed
    is_gone: bool = False  # set before the file is dropped, so that a reader in the middle of it knows
    seal: Seal = field(default_factory=Seal)

    @property
    def last_seq(self) -> int:
        """Of its durable records; below base_seq if there are none."""
        return self.seal.last_seq if self.seal.records else self.base_seq - 1

    def note(self, header: Header, from_ns: int, to_ns: int) -> None:
        """Count a data record."""
        seal, first = self.seal, self.seal.records == 0
        self.seal = seal._replace(
            records=seal.records + 1,
            points=seal.points + header.points,
            first_seq=header.seq if first else seal.first_seq,
            last_seq=header.next_seq - 1,
            from_ns=from_ns if first else min(from_ns, seal.from_ns),
            to_ns=to_ns if first else max(to_ns, seal.to_ns),
        )


def segment_path(directory: Path, base_seq: int, epoch: int) -> Path:
    """Where a segment lies."""
    return directory / f"{base_seq:016x}-{epoch:08x}.seg"


def parse_name(name: str) -> tuple[int, int] | None:
    """(base_seq, epoch) of a segment's or tombstone's name; None for any other file."""
    stem, _, suffix = name.rpartition(".")
    base, _, epoch = stem.partition("-")
    if suffix not in ("seg", "drop", "full") or len(base) != 16 or len(epoch) != 8:
        return None
    try:
        return int(base, 16), int(epoch, 16)
    except ValueError:
        return None


class Blocks:
    """Reads a file in blocks, so that neither small records nor large files cost much."""

    def __init__(self, files: Files, handle: int) -> None:
        self._files = files
        self._handle = handle
        self._start = 0
        self._block = b""

    def __call__(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`."""
        at = offset - self._start
        if at < 0 or at + length > len(self._block):
            self._block = self._read(offset, max(length, BLOCK_BYTES))
            self._start, at = offset, 0
        return self._block[at : at + length]

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return self._files.read(self._handle, length, offset)
        except OSError:
            pages = range(offset, min(offset + length, self._files.size(self._handle)), PAGE_BYTES)
            return b"".join(self._read_page(at) for at in pages)

    def _read_page(self, offset: int) -> bytes:
        """Zeros where the disk cannot read: the record that lies there fails its CRC, the others are saved."""
        try:
            return self._files.read(self._handle, PAGE_BYTES, offset)
        except OSError:
            return bytes(min(PAGE_BYTES, self._files.size(self._handle) - offset))


def read_sealed(files: Files, path: Path) -> Segment | None:
    """A closed segment known from its last 176 bytes; None if it has to be scanned."""
    base_seq, epoch = parse_name(path.name) or (0, 0)
    handle = files.open(path)
    try:
        size = files.size(handle)
        end = size - SEAL_BYTES
        raw = files.read(handle, SEAL_BYTES, end) if end >= HEADER_BYTES else b""
        head = SegmentHeader.unpack(files.read(handle, HEADER_BYTES, 0))
    finally:
        files.close(handle)
    header, payload = Header.unpack(raw), raw[HEADER_BYTES:]
    if (
        header is None
        or header.type != RecordType.SEAL
        or header.epoch != epoch
        or crc32(payload) != header.payload_crc
    ):
        return None
    created_ns = head.created_ns if head else header.wall_ns
    return Segment(
        path,
        base_seq,
        epoch,
        created_ns=created_ns,
        end=end,
        bytes_on_disk=size,
        sealed=True,
        series=header.series,
        seal=Seal.unpack(payload),
    )


def frames(
    files: Files, segment: Segment, *, start: int = HEADER_BYTES, payloads: bool = True
) -> Iterator[Frame | Damage]:
    """The durable records of a segment, and the damage between them; empty if the file is gone."""
    try:
        handle = files.open(segment.path)
    except FileNotFoundError:
        return
    try:
        yield from scan(Blocks(files, handle), start=start, end=segment.end, epoch=segment.epoch, payloads=payloads)
    finally:
        files.close(handle)


def points_after(files: Files, segment: Segment, seq: int) -> int:
    """How many of its points come after a sequence number; reads headers only where `seq` lies inside."""
    if seq >= segment.last_seq:
        return 0
    if seq < segment.seal.first_seq:
        return segment.seal.points
    found = 0
    for item in frames(files, segment, payloads=False):
        if isinstance(item, Frame) and item.header.next_seq > seq + 1:
            found += item.header.points
    return found


def points_in(files: Files, segment: Segment, intervals: Sequence[tuple[int, int]]) -> int:
    """How many of its points come in intervals (after, up to) of sequence numbers, which do not touch."""
    counts = (points_after(files, segment, after) - points_after(files, segment, upto) for after, upto in intervals)
    return sum(counts)


def missing_points(files: Files, segment: Segment) -> int | None:
    """How many points the seal counted that no readable header accounts for; None where there is no seal to ask."""
    if not segment.sealed:
        return None
    found = 0
    for item in frames(files, segment, payloads=False):
        if item.header is not None:
            found += item.header.points
    return max(0, segment.seal.points - found)


def hash_of(read: Callable[[int, int], bytes], end: int) -> bytes:
    """SHA-256 of a file up to `end`."""
    digest = hashlib.sha256()
    for at in range(0, end, BLOCK_BYTES):
        digest.update(read(at, min(BLOCK_BYTES, end - at)))
    return digest.digest()


def list_segments(files: Files, directory: Path) -> list[Segment]:
    """The segments of a stream in their order, for looking at: the growing one up to its present size."""
    found = []
    for base_seq, epoch, name in sorted((*parsed, n) for n in files.list(directory) if (parsed := parse_name(n))):
        if not name.endswith(".seg"):
            continue
        with contextlib.suppress(OSError):
            segment = read_sealed(files, directory / name)
            if segment is None:
                handle = files.open(directory / name)
                segment = Segment(directory / name, base_seq, epoch, end=files.size(handle))
                files.close(handle)
            found.append(segment)
    return found
