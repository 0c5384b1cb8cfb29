"""The durable log: append returns when the data is on disk, cursors read what is."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from agent.sink import Entry
from agent.store import intake
from agent.store.clocks import Clocks
from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed, CursorFile
from agent.store.files import Files
from agent.store.intake import Accepted
from agent.store.journal import Journal
from agent.store.reader import Reader
from agent.store.writer import CURSOR_COMMITS, PROBE_S, QUEUE_BYTES, Writer
from collectors.points import Batch, Delivery, Series

logger = structlog.get_logger(__name__)


class Log:
    """What sources append to and sinks read. Made by `Log.open`; belongs to one event loop."""

    def __init__(self, journal: Journal, *, linger_s: float) -> None:
        self._journal = journal
        self._writer = Writer(journal, linger_s=linger_s, on_commit=self._committed)
        self._advanced = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="store-read")

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, config: StoreConfig, *, directory: Path, plant: str, files: Files | None = None,
        clocks: Clocks | None = None,
    ) -> AsyncIterator[Log]:  # fmt: skip
        """Whatever bytes lie in the directory, it opens; raises Locked while another agent uses it, and OSError where
        the directory can neither be made nor read.
        """
        journal = Journal(directory, plant=plant, config=config, files=files, clocks=clocks)
        log = cls(journal, linger_s=config.linger_s)
        try:
            await log._writer.start()
            log._say_opened()
            try:
                yield log
            finally:
                await log._writer.stop()
        finally:
            log._pool.shutdown()

    async def append(self, delivery: Delivery) -> Accepted:
        """Return when it is durable. Waits, and does not raise, while the disk refuses.

        Raises ValueError for a batch whose columns do not belong together.
        """
        if isinstance(delivery, Batch):
            intake.check(delivery)
            if not len(delivery):
                return Accepted(self._journal.durable_seq, 0, 0)
        while self._writer.queued_bytes >= QUEUE_BYTES:
            await self._next_commit()
        return await self._writer.put(delivery)

    def cursor(self, name: str) -> Cursor:
        """The reader of that name, where it stood; a new one begins with the oldest data there is."""
        return Cursor(self, self._journal.cursor(name))

    def follow(self, name: str) -> Cursor:
        """A reader in memory: it begins with whatever comes next, and its place is not kept."""
        return Cursor(self, self._journal.follower(name))

    def last_time(self, series: Series) -> int:
        """The newest time that a series has in the log, ns since 1970 UTC, also after a restart; 0 if unknown."""
        return self._journal.last_time(series)

    def status(self) -> Mapping[str, object]:
        """What the log says of itself, ready for JSON."""
        journal, counts = self._journal, self._journal.counts
        segments = [segment for stream in journal.streams.values() for segment in stream.segments]
        oldest = [s.seal.from_ns for s in (*journal.telemetry.segments, *journal.records.segments) if s.seal.records]
        return {
            "state": self._writer.state,
            "reason": self._writer.reason,
            "durable_seq": journal.durable_seq,
            "points": counts.points,
            "duplicates": journal.duplicates,
            "commits": counts.commits,
            "commit_s": round(counts.commit_s, 6),
            "last_commit_ns": counts.last_commit_ns,
            "bytes_on_disk": journal.bytes_on_disk(),
            "bytes_written": journal.bytes_written(),
            "quota_bytes": journal.quota_bytes,
            "segments": len(segments),
            "series": len(journal.catalogue),
            "lost_points": dict(journal.losses.lost),
            "damaged_records": journal.losses.damaged,
            "torn_bytes": journal.losses.torn_bytes,
            "dead_letters": counts.dead_letters,
            "gaps": counts.gaps,
            "oldest_ns": min(oldest, default=0),
            "queued_bytes": self._writer.queued_bytes,
        }

    def __repr__(self) -> str:
        segments = sum(len(stream.segments) for stream in self._journal.streams.values())
        return f"<Log {self._writer.state}, seq {self._journal.durable_seq} | {segments} segments>"

    def _say_opened(self) -> None:
        status = self.status()
        told = ("durable_seq", "points", "segments", "bytes_on_disk", "torn_bytes", "damaged_records")
        logger.info("store.opened", **{key: status[key] for key in told})
        for cursor in self._journal.cursors.values():
            if cursor.trouble:
                logger.warning("cursor.reset", reader=cursor.name, reason=cursor.trouble)

    def _committed(self) -> None:
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()

    async def _next_commit(self) -> None:
        await self._advanced.wait()


class Cursor:
    """One reader's place in the log. Read and commit from one task; entries come in the order of their numbers."""

    def __init__(self, log: Log, file: CursorFile) -> None:
        self.name = file.name
        self._log = log
        self._file = file
        self._reader = Reader(log._journal, file.confirmed.seq)
        self._read: deque[tuple[int, int, int]] = deque()  # (seq, points, received_ns) read, not yet confirmed
        self._is_unreadable = False  # said once
        self._fetch: asyncio.Future[list[Entry]] | None = None  # goes on when a read is cancelled
        self._commits = 0

    @property
    def state(self) -> bytes:
        """What the last commit kept beside the position; empty at first."""
        return self._file.confirmed.state

    async def read(self, *, max_points: int, linger_s: float) -> list[Entry]:
        """What comes after the last read: waits until there is something, then up to `linger_s` for `max_points`.

        Entries are whole, so one that is larger than `max_points` comes alone. A cancelled read loses nothing.
        """
        found = await self._fetched() if self._fetch else []
        while not found:
            await self._until_unread(max_points, linger_s)
            in_memory = self._reader.next_in_memory(max_points)
            if in_memory is None:
                loop = asyncio.get_running_loop()
                self._fetch = loop.run_in_executor(self._log._pool, self._reader.next_on_disk, max_points)
                in_memory = await self._fetched()
            found = in_memory
        self._fetch = None
        self._read.extend((entry.seq, len(entry.batch), entry.batch.received_ns) for entry in found)
        return found

    async def commit(self, seq: int, state: bytes) -> None:
        """Everything up to and including `seq` is done, and `state` belongs to exactly that.

        A new state is durable on return; a position alone follows within 30 s or 64 commits: after a crash the reader
        sees again what it had done since, never less. Raises ValueError for a number that was not read.
        """
        before = self._file.confirmed
        if not before.seq <= seq <= self._reader.seq:
            raise ValueError(f"{self.name} confirms {seq}; it has confirmed {before.seq} and read {self._reader.seq}")
        while self._read and self._read[0][0] <= seq:
            self._file.points_done += self._read.popleft()[1]
        self._file.confirmed = Confirmed(seq, state)
        self._commits += 1
        if state != before.state:
            await self._log._writer.save_cursors()
        elif self._commits % CURSOR_COMMITS == 0:
            self._log._writer.save_cursors()

    def pending(self) -> tuple[int, int]:
        """Points that are durable and not confirmed, and the received_ns of the oldest of them, 0 if there is none."""
        journal, confirmed = self._log._journal, self._file.confirmed
        if confirmed.seq >= journal.durable_seq:
            return 0, 0
        points = max(0, journal.counts.points - self._file.points_done - self._file.points_dropped)
        return points, self._read[0][2] if self._read else self._reader.next_received_ns()

    async def _fetched(self) -> list[Entry]:
        """What the reading thread found; a disk that cannot be read is tried again after a while."""
        assert self._fetch is not None, "something was asked for"
        try:
            return await asyncio.shield(self._fetch)
        except OSError as error:
            if not self._is_unreadable:
                logger.exception("log.unreadable", reader=self.name, error=str(error))
            self._is_unreadable = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._log._next_commit(), PROBE_S)
            return []

    async def _until_unread(self, max_points: int, linger_s: float) -> None:
        """Wait for something new, then up to `linger_s` for `max_points` of it."""
        journal = self._log._journal
        while journal.durable_seq <= self._reader.seq:
            await self._log._next_commit()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(linger_s):
                while self.pending()[0] - sum(points for _, points, _ in self._read) < max_points:
                    await self._log._next_commit()
