"""The log without threads: a plain object that one thread at a time drives, over any filesystem and any clocks."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from agent.store.catalogue import Catalogue
from agent.store.clocks import Clocks, OsClocks
from agent.store.codec import Columns
from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed, CursorFile, Interval
from agent.store.files import Files, OsFiles
from agent.store.host import is_moved
from agent.store.intake import Accepted, Intake
from agent.store.losses import Losses
from agent.store.record import StreamId
from agent.store.recovery import Found, newest_columns, recover_identity, recover_places, recover_series, recover_stream
from agent.store.refusals import FULL, Held, Refusals
from agent.store.ring import Ring
from agent.store.room import Room, Shares, is_among
from agent.store.segment import points_in
from agent.store.settle import comparable
from agent.store.stream import Place, SeriesLog, Staged, Stream
from agent.store.timekeeper import Timekeeper, clock_batch
from collectors.points import Delivery, Gap, Series

REMEMBERED_BYTES = 8 << 20  # of the newest data is read at start, to know the newest value of each series


@dataclass(slots=True)
class Counts:
    """What has happened since the start; everything here is also told by a record, an event or a file."""

    points: int = 0  # in the log at start, and made durable since
    commits: int = 0
    commit_s: float = 0.0
    last_commit_ns: int = 0
    dead_letters: int = 0
    gaps: int = 0
    cursor_bytes: int = 0


class Journal:
    """Stage deliveries, flush them to disk, keep the readers' places, drop what is over.

    `stage` and `flush` belong to the writer; `ring`, `cursors[...]`, `durable_seq` and the streams' `segments` may be
    looked at from another thread at any time.
    """

    def __init__(
        self, directory: Path, *, plant: str, config: StoreConfig, files: Files | None = None,
        clocks: Clocks | None = None, host: str = "",
    ) -> None:  # fmt: skip
        self.is_moved = False  # another computer wrote this store before
        self._host = host
        self.files = files or OsFiles()
        self.clocks = clocks or OsClocks()
        self.directory = directory
        self.catalogue = Catalogue()
        self.place = Place(directory, self.files, self.clocks, self.catalogue)
        shares = Shares.of(config)
        self.telemetry = Stream(
            self.place, "telemetry", StreamId.TELEMETRY, segment_bytes=shares.segment, quota_bytes=shares.telemetry
        )
        self.records = Stream(
            self.place, "records", StreamId.RECORDS, segment_bytes=shares.small_segment, quota_bytes=shares.records
        )
        self.letters = Stream(
            self.place, "dlq", StreamId.DEAD_LETTERS, segment_bytes=shares.small_segment, quota_bytes=shares.letters
        )
        self.streams = {stream.name: stream for stream in (self.telemetry, self.records, self.letters)}
        self.timekeeper = Timekeeper(self.place)
        self.ring = Ring()
        self.cursors: dict[str, CursorFile] = {}
        self.counts = Counts()
        self.durable_seq = 0
        self.losses = Losses(self.place, self.streams, stage=self.stage)
        self.found_damage = self.losses.found
        self._config = config
        self._intake = Intake(self.catalogue, plant)
        self._series_log = SeriesLog(self.place)
        self._room = Room(
            self.place, config, streams=self.streams, losses=self.losses, ring=self.ring, cursors=self.cursors,
            save=self.flush_cursors,
        )  # fmt: skip
        self._series_bytes = 0
        self._unpublished: list[Staged] = []
        self._refusals = Refusals(self.clocks)
        self._lock = -1

    def open(self) -> None:
        """Take the lock, and make the directory readable whatever is in it. Raises Locked."""
        self.files.make_directory(self.directory)
        self._lock = self.files.lock(self.directory / "LOCK")
        recover_identity(self.place)
        with contextlib.suppress(OSError):
            self.is_moved = is_moved(self.files, self.directory, self._host)
        found = {name: recover_stream(self.place, name) for name in self.streams}
        for name, stream in self.streams.items():
            stream.adopt(found[name].segments)
        with contextlib.suppress(OSError):
            self.place.epochs.begin(self.files, self.directory, max(each.epoch for each in found.values()))
        data = self.telemetry.segments + self.records.segments
        known = max(each.series_known for each in found.values())
        recover_series(self.place, self._series_log, list(data), known)
        self.cursors.update(recover_places(self.place))
        self._resume(found)
        self.losses.report(found, needed_seq=min(self._room.undone())[0])
        self._room.reserve.take()
        with contextlib.suppress(Held):  # a disk that refuses now is tried again by the next flush
            self.flush()
            self.losses.mend()

    def _resume(self, found: dict[str, Found]) -> None:
        """Go on counting behind everything that was ever durable or confirmed."""
        done = [cursor.confirmed.last_seq + 1 for cursor in self.cursors.values()]
        buried = [seal.last_seq + 1 for each in found.values() for _, seal in each.tombstones if seal]
        self._intake.next_seq = max(found["telemetry"].next_seq, found["records"].next_seq, *done, *buried, 1)
        self._intake.next_letter = found["dlq"].next_seq
        self.timekeeper.begin(self._intake.next_seq)
        self.durable_seq = self._intake.next_seq - 1
        self.counts.points = sum(s.seal.points for s in self.telemetry.segments + self.records.segments)
        for cursor in self.cursors.values():
            cursor.points_done = self.counts.points - self.points_in(cursor.confirmed.undone)
        newest = [
            newest_columns(self.files, list(stream.segments), budget_bytes=REMEMBERED_BYTES)
            for stream in (self.telemetry, self.records)
        ]
        for _, columns in heapq.merge(*newest, key=itemgetter(0)):  # as they came: a series may be in both streams
            self._remember(columns)
            self.losses.remember(columns)

    def _remember(self, columns: Columns) -> None:
        if self.catalogue.holds(columns.ids):
            bits = comparable(columns.value, columns.ids, is_text=self.catalogue.is_text, texts=columns.texts)
            self._intake.settler.adopt(
                columns.ids, columns.t_ns, bits=bits, quality=columns.quality, is_replaced=self.catalogue.is_replaced
            )

    def stage(self, deliveries: Sequence[Delivery]) -> list[Accepted]:
        """Number, settle and encode. The answers hold once `flush` has returned."""
        staged, accepted = self._intake.stage(deliveries)
        for name, record in staged:
            self.streams[name].put(record)
            if name == "dlq":
                self.counts.dead_letters += record.batches
            else:
                self._unpublished.append(record)
        self.counts.gaps += sum(isinstance(delivery, Gap) for delivery in deliveries)
        return accepted

    def flush(self) -> None:
        """Make everything staged durable, then let readers see it. Raises Held where the disk refuses; what is staged
        stays, and the next call tries again.
        """
        self.losses.tell_found()
        self._keep_time()
        while any(stream.is_pending for stream in self.streams.values()):
            began = self.clocks.monotonic()
            try:
                self._series_bytes += self._series_log.commit()
                for stream in self.streams.values():
                    stream.commit()
            except OSError as error:
                if error.errno not in FULL or not self._room.relieve():
                    self._refusals.bear(error)
                continue
            self._refusals.forgive()
            self._publish()
            self.counts.commits += 1
            self.counts.commit_s = self.clocks.monotonic() - began
            self.counts.last_commit_ns = self.clocks.wall_ns()
            self._room.keep_quota()
        if self.losses.is_to_mend:
            self.losses.mend()

    def cursor(self, name: str) -> CursorFile:
        """The place of a reader; one that was never here begins with the oldest data."""
        cursor = self.cursors.get(name)
        if cursor is None:
            cursor = self.cursors[name] = CursorFile(self.directory / "cursors", name)
            cursor.points_done = self.counts.points - self.points_in(cursor.durable.undone)
        cursor.is_wanted = True
        return cursor

    def follower(self, name: str) -> CursorFile:
        """A place that is not kept, for a reader in memory; it begins with whatever comes next."""
        cursor = CursorFile(self.directory / "cursors", name)
        cursor.confirmed = Confirmed(self.durable_seq)
        cursor.points_done = self.counts.points
        return cursor

    def last_time(self, series: Series) -> int:
        """The newest time that a series has in the log, ns since 1970 UTC; 0 if nothing of it is remembered."""
        number = self.catalogue.find(series)
        return 0 if number is None else self._intake.settler.newest_ns(number)

    def flush_cursors(self) -> None:
        """Make every place durable that has moved, after the gaps for damage that lies before it.

        Raises OSError, and Held where such a gap cannot be written.
        """
        confirmed = [(cursor, cursor.confirmed) for cursor in list(self.cursors.values())]
        if self.found_damage:
            self.flush()
        for cursor, place in confirmed:
            if place != cursor.durable:
                self.counts.cursor_bytes += cursor.flush(place, self.files, store=self.place.store)

    def tend(self) -> None:
        """What need not happen at once: places, the reserve, and deleting what is over. Never raises."""
        with contextlib.suppress(OSError, Held):
            self.flush_cursors()
            self.place.epochs.take(self.files, self.directory)
        self._room.tend(self.clocks.wall_ns())

    def close(self) -> None:
        """Seal and let go. What cannot be written now is made good by the next start."""
        with contextlib.suppress(OSError, Held):
            self.flush()
            self.flush_cursors()
            for stream in self.streams.values():
                stream.close()
        self.files.close(self._lock)

    def is_needed(self, stream: str, first: int, last: int) -> bool:
        """Whether somebody has yet to get any of these numbers; people, where they are dead letters."""
        return stream == self.letters.name or is_among(self._room.undone(), first, last)

    def bytes_on_disk(self) -> int:
        """Of everything that counts against the quota."""
        return sum(stream.bytes_on_disk for stream in self.streams.values()) + self._room.reserve.bytes_on_disk

    @property
    def quota_bytes(self) -> int:
        """What `bytes_on_disk` may come to, but for one segment."""
        return self._config.quota_bytes(1.0)

    def bytes_written(self) -> int:
        """Handed to the disk since the start."""
        streams = sum(stream.bytes_written for stream in self.streams.values())
        return streams + self._series_bytes + self.counts.cursor_bytes

    @property
    def duplicates(self) -> int:
        """Points that came again with an equal time and value."""
        return self._intake.duplicates

    def _keep_time(self) -> None:
        """If the clock was set: what is not read yet is corrected, and an event says so. A disk that refuses to hold
        the correction is asked again at the next commit.
        """
        with contextlib.suppress(OSError):
            told = ((name, cursor.handed()) for name, cursor in list(self.cursors.items()))
            correction = self.timekeeper.check(self._intake.next_seq, told)
            if correction is not None:
                self.stage([clock_batch(correction, self._intake.plant, self.clocks.wall_ns())])

    def _publish(self) -> None:
        entries = [entry for staged in self._unpublished for entry in staged.entries]
        self._unpublished.clear()
        if entries:
            self.ring.extend(entries)
            self.counts.points += sum(len(entry.batch) for entry in entries)
            self.durable_seq = entries[-1].seq
        self.losses.let_go()

    def points_in(self, intervals: Sequence[Interval]) -> int:
        """How many points the log holds in intervals (after, up to) of numbers; reads headers of a few segments."""
        segments = self.telemetry.segments + self.records.segments
        return sum(points_in(self.files, segment, intervals) for segment in segments)
