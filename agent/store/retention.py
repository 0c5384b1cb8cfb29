"""What may be deleted, what has to be, and how to drop unread data so that a crash cannot hide it."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from zlib import crc32

from agent.store.files import Files, write_whole
from agent.store.record import HEADER_BYTES, SEAL_BYTES, Seal
from agent.store.segment import Segment, read_sealed

TOMBSTONE_BYTES = SEAL_BYTES + 4
TOMBSTONES = {".drop": "quota", ".full": "disk_full"}  # what the name of a dropped file says of the reason
HOUR_NS = 3_600_000_000_000


def is_over(
    segments: Sequence[Segment], closed: Sequence[Segment], *, done_seq: int, keep_bytes: int, keep_ns: int, now_ns: int
) -> list[Segment]:
    """Which closed segments, all of whose records every reader has confirmed, need not be kept for a rewind.

    Oldest first; one at most for its age, so that a clock that jumps cannot clear the log.
    """
    done = [segment for segment in closed if segment.last_seq <= done_seq]
    excess = sum(segment.bytes_on_disk for segment in done) - keep_bytes
    over: list[Segment] = []
    for segment in done:
        if excess <= 0:
            break
        over.append(segment)
        excess -= segment.bytes_on_disk
    if not over and done and now_ns - _closed_ns(segments, done[0]) > keep_ns:
        over.append(done[0])
    return over


def _closed_ns(segments: Sequence[Segment], segment: Segment) -> int:
    """When the next segment was begun, which is about when this one ended."""
    later = [other.created_ns for other in segments if other.base_seq > segment.base_seq]
    return later[0] if later else segment.created_ns


def bury(files: Files, segment: Segment, reason: str) -> Path:
    """Turn a segment into a tombstone that frees its space and still says what it held and why; returns its path.

    Needs no free space. To be unlinked once the gap record is durable. Raises OSError if nothing was changed.
    """
    suffix = next(suffix for suffix, why in TOMBSTONES.items() if why == reason)
    tombstone = segment.path.with_suffix(suffix)
    files.rename(segment.path, tombstone)
    with contextlib.suppress(OSError):  # from here on the seal at its end says the same
        files.sync_directory(tombstone.parent)
        _inscribe(files, tombstone, segment.seal.pack())
    return tombstone


def _inscribe(files: Files, tombstone: Path, epitaph: bytes) -> None:
    handle = files.open(tombstone, write=True)
    try:
        write_whole(files, handle, [epitaph, struct.pack("<I", crc32(epitaph))], HEADER_BYTES)
        files.sync(handle)
        files.truncate(handle, TOMBSTONE_BYTES)
        files.sync(handle)
    finally:
        files.close(handle)


def read_tombstone(files: Files, path: Path) -> Seal | None:
    """What a dropped segment held; None if that cannot be told any more."""
    with contextlib.suppress(OSError):
        handle = files.open(path)
        try:
            raw = files.read(handle, TOMBSTONE_BYTES, 0)
        finally:
            files.close(handle)
        epitaph, check = raw[HEADER_BYTES:SEAL_BYTES], raw[SEAL_BYTES:]
        if len(raw) == TOMBSTONE_BYTES and struct.pack("<I", crc32(epitaph)) == check:
            return Seal.unpack(epitaph)
        if (segment := read_sealed(files, path)) is not None:
            return segment.seal
    return None


class Reserve:
    """A file that only takes up space, to be given up first when other programs have filled the disk."""

    def __init__(self, files: Files, path: Path, size: int) -> None:
        self._files = files
        self._path = path
        self._size = size
        self.is_held = False

    @property
    def bytes_on_disk(self) -> int:
        """What it takes up now."""
        return self._size if self.is_held else 0

    def take(self) -> None:
        """Take the space, if it is there to be taken."""
        if self.is_held:
            return
        with contextlib.suppress(OSError):
            is_there = self._path.name in self._files.list(self._path.parent)
            handle = self._files.open(self._path, write=is_there, create=not is_there)
            try:
                self._files.allocate(handle, self._size)
                self.is_held = True
            finally:
                self._files.close(handle)
        if not self.is_held:
            with contextlib.suppress(OSError):
                self._files.unlink(self._path)

    def give_up(self) -> bool:
        """Free the space; returns whether there was any."""
        if not self.is_held:
            return False
        self.is_held = False
        self._files.unlink(self._path)
        return True


def unlink_all(files: Files, paths: Iterable[Path]) -> None:
    """Remove files for which nobody waits; what fails is found again at the next start."""
    for directory in {path.parent for path in paths}:
        with contextlib.suppress(OSError):
            for path in paths:
                if path.parent == directory:
                    files.unlink(path)
            files.sync_directory(directory)
