"""Writing one file of the log: record by record, durable at each sync, sealed once."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np

from agent.store.clocks import Clocks
from agent.store.files import Files, write_whole
from agent.store.record import HEADER_BYTES, SEAL_BYTES, Header, RecordType, SegmentHeader
from agent.store.segment import Segment, segment_path
from collectors.points import Indexes


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


def _try(action: Callable[..., object], *arguments: object) -> None:
    """For cleaning up after an error that is already being handled."""
    with contextlib.suppress(OSError):
        action(*arguments)
