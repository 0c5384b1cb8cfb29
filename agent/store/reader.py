"""Reading the merge of telemetry and records in the order of their numbers: from memory, else from the disk."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from agent.sink import Entry
from agent.store.codec import Undecodable, decode_columns, unpack
from agent.store.journal import Journal
from agent.store.record import Damage, Frame, RecordType
from agent.store.segment import Segment, frames
from agent.store.stream import Stream
from collectors import points


class Reader:
    """One reader's way through the log. Only durable data; memory for one record at a time.

    `next_in_memory` is quick. `next_on_disk` reads files and is meant for a thread, one call at a time.
    """

    def __init__(self, journal: Journal, seq: int) -> None:
        self.seq = seq  # the last number that was read
        self._journal = journal
        self._entries: Iterator[Entry] = iter(())
        self._waiting: Entry | None = None  # taken from the files, but more than was asked for
        self._scanned = seq  # the last number that was taken from the files

    def next_in_memory(self, max_points: int) -> list[Entry] | None:
        """Entries from the ring, [] if there is nothing new, None if the next ones lie on disk only."""
        if self.seq >= self._journal.durable_seq:
            return []
        found = self._journal.ring.after(self.seq, max_points)
        if found:
            self.seq = self._scanned = found[-1].seq
            self._waiting, self._entries = None, iter(())
        return found

    def unread_points(self, most: int) -> int:
        """How many points come next, counted up to `most`; `most` where they lie on disk only."""
        return self._journal.ring.points_after(self.seq, most)

    def next_on_disk(self, max_points: int) -> list[Entry]:
        """Entries from the files: at least one, unless everything that is left there is damaged.

        Raises OSError where a file cannot be opened; then nothing was read.
        """
        found: list[Entry] = []
        count = 0
        try:
            while (entry := self._next_entry()) is not None:
                count += len(entry.batch)
                if found and count > max_points:
                    self._waiting = entry
                    break
                found.append(entry)
        except OSError:
            self._entries = iter(())
            if not found:
                raise
        self.seq = self._scanned if self._waiting is None else found[-1].seq
        return found

    def next_received_ns(self) -> int:
        """About when the next entry was received: exactly from memory, else when its segment was begun."""
        if head := self._journal.ring.after(self.seq, 1):
            return head[0].batch.received_ns
        streams = (self._journal.telemetry, self._journal.records)
        begun = [next(stream.after(self.seq), None) for stream in streams]
        return min((segment.created_ns for segment in begun if segment), default=0)

    def _next_entry(self) -> Entry | None:
        if self._waiting is not None:
            entry, self._waiting = self._waiting, None
            return entry
        found = next(self._entries, None)
        if found is None and (upto := self._last_on_disk()) > self._scanned:
            streams = (self._journal.telemetry, self._journal.records)
            merged = heapq.merge(*(self._stream(stream, upto) for stream in streams), key=lambda each: each.seq)
            self._entries = merged
            found = next(merged, None)
            if found is None:  # only damage, or a hole where segments were dropped
                self._scanned = upto
        if found is not None:
            self._scanned = found.seq
        return found

    def _last_on_disk(self) -> int:
        """Up to where the disk has to be asked: what memory holds need not be decoded."""
        first_in_memory = self._journal.ring.first_seq()
        return min(self._journal.durable_seq, first_in_memory - 1) if first_in_memory else self._journal.durable_seq

    def _stream(self, stream: Stream, upto: int) -> Iterator[Entry]:
        """The entries of one stream after what was read, up to a number."""
        after = self._scanned
        while True:
            segment = next(stream.after(after), None)
            if segment is None or segment.base_seq > upto:
                return
            for entry in self._segment(stream, segment):
                if entry.seq > upto:
                    return
                if entry.seq > after:
                    after = entry.seq
                    yield entry
            after = max(after, segment.last_seq)

    def _segment(self, stream: Stream, segment: Segment) -> Iterator[Entry]:
        for item in frames(self._journal.files, segment):
            match item:
                case Damage():
                    if segment.is_gone:
                        return
                    self._journal.found_damage.append((stream.name, segment, item))
                case Frame(header=header) if header.type == RecordType.DATA and header.next_seq > self._scanned + 1:
                    yield from self._decode(stream, segment, item)

    def _decode(self, stream: Stream, segment: Segment, frame: Frame) -> Iterator[Entry]:
        catalogue = self._journal.catalogue
        try:
            columns = decode_columns(unpack(frame.header, frame.payload))
            if not catalogue.holds(columns.ids):
                raise Undecodable("the names of its series are lost")
        except Undecodable as error:
            harm = Damage(frame.offset, frame.end - frame.offset, str(error), frame.header)
            self._journal.found_damage.append((stream.name, segment, harm))
            return
        batches = columns.batches(catalogue.series, points.Stream(stream.name))
        for seq, batch in enumerate(batches, start=frame.header.seq):
            yield Entry(seq, batch)
