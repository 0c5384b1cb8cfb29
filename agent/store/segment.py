"""One file of the log: written record by record, sealed once, found whole again whatever happened to it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np

from agent.store.clocks import Clocks
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
from collectors.points import Indexes

BLOCK_BYTES = 1 << 18


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
    if suffix not in ("seg", "drop") or len(base) != 16 or len(epoch) != 8:
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
            self._block = self._files.read(self._handle, max(length, BLOCK_BYTES), offset)
            self._start, at = offset, 0
        return self._block[at : at + length]


class SegmentWriter:
    """The end of the log that grows. Any error means: abandon this file and begin another."""

    def __init__(self, files: Files, segment: Segment, head: bytes, handle: int) -> None:
        self.segment = segment
        self.end = HEADER_BYTES
        self._declared = np.zeros(0, np.bool_)
        self._files = files
        self._handle = handle
        self._hash = hashlib.sha256(head)
        self._unsynced: list[tuple[Header, int, int]] = []
        self._is_named = False

    @classmethod
    def create(
        cls, files: Files, clocks: Clocks, *, directory: Path, stream: int, store: bytes, base_seq: int, epoch: int,
        size: int,
    ) -> SegmentWriter:  # fmt: skip
        """A new file with its header written; nothing is durable before the first sync."""
        path = segment_path(directory, base_seq, epoch)
        head = SegmentHeader(stream, epoch, clocks.wall_ns(), store, base_seq, clocks.boot_id).pack()
        handle = files.open(path, create=True)
        segment = Segment(path, base_seq, epoch, created_ns=clocks.wall_ns(), bytes_on_disk=size)
        writer = cls(files, segment, head, handle)
        try:
            files.allocate(handle, size)
        except OSError:
            segment.bytes_on_disk = HEADER_BYTES  # the disk is nearly full: what is needed may still fit
        try:
            write_whole(files, handle, [head], 0)
        except OSError:
            writer.abandon()
            raise
        return writer

    def undeclared(self, ids: Indexes) -> list[int]:
        """Which of these series ids the file has not declared yet; the caller declares them now."""
        count = int(ids.max()) + 1 if len(ids) else 0
        if count > len(self._declared):
            self._declared = np.r_[self._declared, np.zeros(count, np.bool_)]
        new = np.unique(ids[~self._declared[ids]])
        self._declared[new] = True
        return list(new.tolist())

    def append(self, header: Header, payload: bytes, *, from_ns: int = 0, to_ns: int = 0) -> int:
        """Write one record in one call; returns its bytes. Not durable before `sync`."""
        head = header.pack()
        write_whole(self._files, self._handle, [head, payload], self.end)
        self._hash.update(head)
        self._hash.update(payload)
        self.end += len(head) + len(payload)
        if header.type in (RecordType.DATA, RecordType.DEAD_LETTER):
            self._unsynced.append((header, from_ns, to_ns))
        return len(head) + len(payload)

    def sync(self) -> None:
        """Return when everything appended is durable, the file's name included."""
        self._files.sync(self._handle)
        if not self._is_named:
            self._files.sync_directory(self.segment.path.parent)
            self._is_named = True
        for header, from_ns, to_ns in self._unsynced:
            self.segment.note(header, from_ns, to_ns)
        self._unsynced.clear()
        self.segment.bytes_on_disk = max(self.segment.bytes_on_disk, self.end)
        self.segment.end = self.end

    def close(self, header: Header, *, previous: bytes) -> None:
        """Seal the file and cut what was preallocated. `header` gives the seal's clocks; everything must be synced."""
        assert not self._unsynced, "a seal covers durable records only"
        segment = self.segment
        segment.seal = segment.seal._replace(sha256=self._hash.digest(), previous=previous)
        write_seal(self._files, self._handle, segment, header)
        self._files.close(self._handle)

    def abandon(self) -> None:
        """Give the file up after an error: keep what is durable, cut the rest, never sync it again."""
        if self.segment.seal.records == 0:
            _try(self._files.unlink, self.segment.path)
        else:
            _try(self._files.truncate, self._handle, self.segment.end)
            self.segment.bytes_on_disk = self.segment.end
        _try(self._files.close, self._handle)


def write_seal(files: Files, handle: int, segment: Segment, header: Header) -> None:
    """Append the seal behind the last record, cut the file there, and make both durable."""
    payload = segment.seal.pack()
    sealed = header._replace(
        type=RecordType.SEAL,
        codec=0,
        payload_len=len(payload),
        raw_len=len(payload),
        points=0,
        batches=0,
        seq=segment.last_seq + 1,
        epoch=segment.epoch,
        payload_crc=crc32(payload),
    )
    write_whole(files, handle, [sealed.pack(), payload], segment.end)
    files.truncate(handle, segment.end + SEAL_BYTES)
    files.sync(handle)
    segment.sealed = True
    segment.bytes_on_disk = segment.end + SEAL_BYTES


def write_whole(files: Files, handle: int, buffers: list[bytes], offset: int) -> None:
    """One write; a short one means that the disk is full, whatever it says."""
    length = sum(map(len, buffers))
    written = files.write(handle, buffers, offset)
    if written != length:
        raise OSError(errno.ENOSPC, f"only {written} of {length} bytes were written")


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


def missing_points(files: Files, segment: Segment) -> int | None:
    """How many points the seal counted that no readable header accounts for; None where there is no seal to ask."""
    if not segment.sealed:
        return None
    found = 0
    for item in frames(files, segment, payloads=False):
        if item.header is not None:
            found += item.header.points
    return max(0, segment.seal.points - found)


def _try(action: Callable[..., object], *arguments: object) -> None:
    """For cleaning up after an error that is already being handled."""
    with contextlib.suppress(OSError):
        action(*arguments)


def hash_of(read: Callable[[int, int], bytes], end: int) -> bytes:
    """SHA-256 of a file up to `end`."""
    digest = hashlib.sha256()
    for at in range(0, end, BLOCK_BYTES):
        digest.update(read(at, min(BLOCK_BYTES, end - at)))
    return digest.digest()
