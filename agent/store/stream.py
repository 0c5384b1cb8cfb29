"""A stream: the segments of one directory, written at the end, dropped at the beginning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.sink import Entry
from agent.store.append import SegmentWriter
from agent.store.catalogue import Catalogue
from agent.store.checked import read_checked, replace_checked
from agent.store.clocks import Clocks
from agent.store.codec import Packed, encode_series, pack
from agent.store.files import Files, write_whole
from agent.store.record import HEADER_BYTES, SEAL_BYTES, Header, RecordType, StreamId
from agent.store.segment import Segment
from collectors.points import Indexes

NO_IDS: Indexes = np.zeros(0, np.uint32)


@dataclass(slots=True)
class Staged:
    """A record on its way to disk. Its number and its bytes never change again, however often it is written."""

    type: RecordType
    seq: int
    batches: int
    points: int
    packed: Packed
    from_ns: int
    to_ns: int
    ids: Indexes = field(default_factory=lambda: NO_IDS)
    entries: list[Entry] = field(default_factory=list)

    def header(self, clocks: Clocks, *, epoch: int, series: int) -> Header:
        """For one segment."""
        return record_header(
            self.type, self.packed, clocks, points=self.points, batches=self.batches, seq=self.seq, epoch=epoch,
            series=series,
        )  # fmt: skip


def record_header(
    kind: RecordType, packed: Packed, clocks: Clocks, *, seq: int, epoch: int, series: int, points: int = 0,
    batches: int = 0,
) -> Header:  # fmt: skip
    """A header stamped with both clocks."""
    return Header(
        kind, packed.codec, len(packed.payload), packed.raw_len, points, batches, seq, epoch, series,
        clocks.wall_ns(), clocks.boottime_ns(), packed.crc,
    )  # fmt: skip


class Epochs:
    """Numbers for segments, rising over all streams of a store and all its lives.

    A file that was abandoned and deleted leaves no trace of its number, but may leave its bytes in blocks that a later
    file gets. So a start takes a run of numbers, durably, and the next one begins behind it.
    """

    FILE = "epochs"
    RUN = 1024

    def __init__(self) -> None:
        self.last = 0
        self._taken = 0

    def __next__(self) -> int:
        self.last += 1
        return self.last

    def begin(self, files: Files, directory: Path, last: int) -> None:
        """Go on behind what was found and what was taken. Raises OSError; the numbers rise all the same."""
        taken = read_checked(files, directory / self.FILE)
        self.last = max(last, taken if isinstance(taken, int) else 0)
        self.take(files, directory)

    def take(self, files: Files, directory: Path) -> None:
        """Take a run of numbers if the last one is half used up. Raises OSError."""
        if self.last + self.RUN // 2 > self._taken:
            replace_checked(files, directory / self.FILE, self.last + self.RUN)
            self._taken = self.last + self.RUN


@dataclass(slots=True)
class Place:
    """Where a store lies and what all its streams share."""

    directory: Path
    files: Files
    clocks: Clocks
    catalogue: Catalogue
    store: bytes = bytes(16)
    epochs: Epochs = field(default_factory=Epochs)


class Stream:
    """One directory of segments. `segments` is replaced, never changed, so that readers may hold it."""

    def __init__(self, place: Place, name: str, stream: StreamId, *, segment_bytes: int, quota_bytes: int) -> None:
        self.directory = place.directory / name
        self.name = name
        self.id = stream
        self.segments: tuple[Segment, ...] = ()
        self.quota_bytes = quota_bytes
        self.bytes_written = 0
        self._place = place
        self._segment_bytes = segment_bytes
        self._writer: SegmentWriter | None = None
        self._pending: list[Staged] = []
        self._written = 0  # how many of them stand in the current segment, not yet durable

    @property
    def is_pending(self) -> bool:
        """Whether a commit has something to do."""
        return bool(self._pending)

    @property
    def bytes_on_disk(self) -> int:
        """Of all its files, preallocated space included."""
        return sum(segment.bytes_on_disk for segment in self.segments)

    @property
    def closed(self) -> tuple[Segment, ...]:
        """All segments but the one that grows, oldest first."""
        return tuple(s for s in self.segments if self._writer is None or s is not self._writer.segment)

    def put(self, staged: Staged) -> None:
        """Let the next commit write it."""
        self._pending.append(staged)

    def commit(self) -> None:
        """Make everything that was put durable. After an OSError it may be called again: nothing is written twice
        into one file, and nothing of a file whose sync failed counts as written.
        """
        try:
            while self._written < len(self._pending):
                staged = self._pending[self._written]
                writer = self._room_for(staged)
                self._declare(writer, staged)
                header = staged.header(
                    self._place.clocks, epoch=writer.segment.epoch, series=len(self._place.catalogue)
                )
                self.bytes_written += writer.append(
                    header, staged.packed.payload, from_ns=staged.from_ns, to_ns=staged.to_ns
                )
                self._written += 1
            self._sync()
        except OSError:
            self._abandon()
            raise

    def close(self) -> None:
        """Seal the growing segment, so that the next start need not scan it."""
        if self._writer is not None:
            self._seal(self._writer)

    def remove(self, segment: Segment) -> None:
        """Forget a segment; its file is the caller's to unlink or to bury. Readers in the middle of it stop quietly."""
        segment.is_gone = True
        self.segments = tuple(s for s in self.segments if s is not segment)

    def adopt(self, segments: list[Segment]) -> None:
        """Begin with what the recovery found."""
        self.segments = tuple(segments)

    def after(self, seq: int) -> Iterator[Segment]:
        """The segments that hold records after a sequence number."""
        return (segment for segment in self.segments if segment.last_seq > seq)

    def _room_for(self, staged: Staged) -> SegmentWriter:
        writer = self._writer
        needed = HEADER_BYTES + len(staged.packed.payload) + SEAL_BYTES
        if writer is not None and writer.end + needed > self._segment_bytes and writer.end > HEADER_BYTES:
            self._sync()
            self._seal(writer)
            writer = None
        if writer is None:
            writer = self._begin(staged.seq, max(self._segment_bytes, HEADER_BYTES + needed))
        return writer

    def _begin(self, base_seq: int, size: int) -> SegmentWriter:
        place = self._place
        place.files.make_directory(self.directory)
        writer = SegmentWriter.create(
            place.files, place.clocks, directory=self.directory, stream=self.id, store=place.store,
            base_seq=base_seq, epoch=next(place.epochs), size=size,
        )  # fmt: skip
        self.bytes_written += HEADER_BYTES
        self._writer = writer
        self.segments = (*self.segments, writer.segment)
        return writer

    def _declare(self, writer: SegmentWriter, staged: Staged) -> None:
        """Say what the record's ids stand for, unless this segment has said it already."""
        catalogue = self._place.catalogue
        new = writer.undeclared(staged.ids)
        if not new:
            return
        packed = pack(encode_series(catalogue.declared(new)))
        header = record_header(
            RecordType.SERIES, packed, self._place.clocks, seq=staged.seq, epoch=writer.segment.epoch,
            series=len(catalogue),
        )  # fmt: skip
        self.bytes_written += writer.append(header, packed.payload)

    def _sync(self) -> None:
        if self._writer is not None and self._written:
            self._writer.sync()
        del self._pending[: self._written]
        self._written = 0

    def _seal(self, writer: SegmentWriter) -> None:
        previous = next((s.seal.sha256 for s in reversed(self.closed) if s.sealed), bytes(32))
        header = record_header(
            RecordType.SEAL, Packed(0, b"", 0, 0), self._place.clocks, seq=0, epoch=0, series=len(self._place.catalogue)
        )
        writer.close(header, previous=previous)
        self.bytes_written += SEAL_BYTES
        self._writer = None

    def _abandon(self) -> None:
        """The file had an error: what is not durable will be written again, elsewhere."""
        self._written = 0
        if self._writer is None:
            return
        self._writer.abandon()
        if self._writer.segment.seal.records == 0:
            self.remove(self._writer.segment)
        self._writer = None


class SeriesLog:
    """`series.log`: the second copy of every declaration, durable before an id is first used."""

    NAME = "series.log"

    def __init__(self, place: Place) -> None:
        self._place = place
        self._path = place.directory / self.NAME
        self._end = HEADER_BYTES
        self._declared = 0  # how many series it holds

    def adopt(self, end: int, declared: int) -> None:
        """Go on behind what the recovery found whole."""
        self._end, self._declared = end, declared

    def commit(self) -> int:
        """Append the series that are new, durably; returns the bytes."""
        catalogue = self._place.catalogue
        count = len(catalogue)
        if self._declared == count:
            return 0
        files = self._place.files
        packed = pack(encode_series(catalogue.declared(range(self._declared, count))))
        header = record_header(RecordType.SERIES, packed, self._place.clocks, seq=0, epoch=0, series=count)
        handle = files.open(self._path, write=True)
        try:
            write_whole(files, handle, [header.pack(), packed.payload], self._end)
            files.sync(handle)
        finally:
            files.close(handle)
        length = HEADER_BYTES + len(packed.payload)
        self._end, self._declared = self._end + length, count
        return length
