"""The durable log: append returns when the data is on disk, cursors read what is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import structlog

from agent.store.check import Check
from agent.store.clocks import Clocks
from agent.store.config import StoreConfig
from agent.store.files import Files
from agent.store.host import host_id
from agent.store.intake import Accepted
from agent.store.journal import Journal
from agent.store.lanes import Cursor, Feed, Lanes
from agent.store.scrub import Scrub
from agent.store.writer import QUEUE_BYTES, Writer
from collectors.points import Batch, Delivery, Series

logger = structlog.get_logger(__name__)

MOVED = (
    "another computer wrote this log before. If its card was moved here, all is well. If it is a copy and the other "
    "one still runs, stop this agent, delete its data_dir, and give it a plant or sources of its own: two agents that "
    "go on from one log send the same backlog twice and fight over their MQTT sessions"
)


class Log:
    """What sources append to and sinks read. Made by `Log.open`; belongs to one event loop."""

    def __init__(self, journal: Journal, *, linger_s: float) -> None:
        self._journal = journal
        self._writer = Writer(journal, linger_s=linger_s, on_commit=self._committed)
        self._feed = Feed(journal, self._writer.save_cursors)
        self._check = Check()
        self._scrub = Scrub(journal)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, config: StoreConfig, *, directory: Path, plant: str, files: Files | None = None,
        clocks: Clocks | None = None,
    ) -> AsyncIterator[Log]:  # fmt: skip
        """Whatever bytes lie in the directory, it opens; raises Locked while another agent uses it, and OSError where
        the directory can neither be made nor read.
        """
        journal = Journal(directory, plant=plant, config=config, files=files, clocks=clocks, host=host_id())
        log = cls(journal, linger_s=config.linger_s)
        try:
            await log._writer.start()
            log._say_opened()
            log._scrub.start()
            try:
                yield log
            finally:
                await asyncio.to_thread(log._scrub.stop)
                await log._writer.stop()
        finally:
            log._feed.pool.shutdown()

    async def append(self, delivery: Delivery) -> Accepted:
        """Return when it is durable. Waits, and does not raise, while the disk refuses.

        Raises ValueError for a delivery that cannot be written, of which nothing is kept, and StoreFailed when the
        writer has ended by a fault of its own.
        """
        if isinstance(delivery, Batch):
            self._check(delivery)
            if not len(delivery):
                return Accepted(self._journal.durable_seq, 0, 0)
        while self._writer.queued_bytes >= QUEUE_BYTES:
            await self._feed.next_commit()
        return await self._writer.put(delivery)

    def cursor(self, name: str) -> Cursor:
        """The reader of that name, where it stood, all in order; a new one begins with the oldest data there is."""
        return self.lanes(name).forget_later()

    def lanes(self, name: str) -> Lanes:
        """The same for a reader that may take the newest data first."""
        return Lanes(self._feed, self._journal.cursor(name))

    def follow(self, name: str) -> Cursor:
        """A reader in memory: it begins with whatever comes next, and its place is not kept."""
        return Lanes(self._feed, self._journal.follower(name)).oldest

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
            "clock_is_wrong": journal.timekeeper.is_wrong,
            "is_moved": journal.is_moved,
            "scrubbed_ns": self._scrub.last_ns,
            "scrub": self._scrub.found._asdict(),
        }

    def __repr__(self) -> str:
        segments = sum(len(stream.segments) for stream in self._journal.streams.values())
        return f"<Log {self._writer.state}, seq {self._journal.durable_seq} | {segments} segments>"

    def _say_opened(self) -> None:
        status = self.status()
        told = ("durable_seq", "points", "segments", "bytes_on_disk", "torn_bytes", "damaged_records")
        logger.info("store.opened", **{key: status[key] for key in told})
        if self._journal.is_moved:
            logger.warning("store.moved", directory=str(self._journal.directory), advice=MOVED)
        for cursor in self._journal.cursors.values():
            if cursor.trouble:
                logger.warning("cursor.reset", reader=cursor.name, reason=cursor.trouble)

    def _committed(self) -> None:
        self._feed.committed()
