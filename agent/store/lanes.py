"""Readers: one that takes everything in order, or several lanes, so that the newest need not wait for the oldest.

A reader begins as one lane. When it is far behind, `Lanes.split` begins another at the durable end. The last lane is
the live one; it has no end. Every other lane ends where the next one began, and only the first of them is worked off:
oldest first. When it is over, `join` lets the next lane go on in its stead. So the lanes are all there is to know:
falling behind once more is one more split, and to forget what a lane has done is to read it again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import structlog

from agent.sink import Entry
from agent.store.cursor import ENDLESS, Confirmed, CursorFile, Interval, Lane, united
from agent.store.journal import Journal
from agent.store.reader import Reader

logger = structlog.get_logger(__name__)

CURSOR_COMMITS = 64
UNREADABLE_S = 2.0  # how often a disk that cannot be read is tried again
MOST_LANES = 8

SaveCursors = Callable[[], "asyncio.Future[None]"]


class Feed:
    """What all readers of a log share: the journal, word of each commit, and a thread that reads files."""

    def __init__(self, journal: Journal, save_cursors: SaveCursors, *, pool: Executor | None = None) -> None:
        self.journal = journal
        self.save_cursors = save_cursors
        self.pool = pool or ThreadPoolExecutor(1, thread_name_prefix="store-read")
        self._advanced = asyncio.Event()

    def committed(self) -> None:
        """Wake up everyone who waits for more."""
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()

    async def next_commit(self) -> None:
        """Return when more has become durable."""
        await self._advanced.wait()


class Cursor:
    """One lane. Read and commit from one task; entries come in the order of their numbers.

    `seq` is the last number that is confirmed, `state` what its commit kept beside it, empty at first.
    """

    def __init__(self, lanes: Lanes, feed: Feed, file: CursorFile, lane: Lane) -> None:
        self.name = file.name
        self.start, self.seq, self.state = lane
        self._lanes = lanes
        self._feed = feed
        self._file = file
        self.handed: Interval = (lane.start, lane.seq)  # (after, up to)
        self._reader = Reader(feed.journal, max(lane.start, lane.seq))
        self._read: deque[tuple[str, int, int, int]] = deque()  # (stream, seq, points, received_ns), not yet confirmed
        self._is_unreadable = False  # said once
        self._fetch: asyncio.Future[list[Entry]] | None = None  # goes on when a read is cancelled
        self._commits = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to read or to confirm; never true of a live lane."""
        return not self._read and self._reader.seq >= self._lanes.end_of(self)

    async def read(self, *, max_points: int, linger_s: float) -> list[Entry]:
        """What comes after the last read: waits until there is something, then up to `linger_s` for `max_points`.

        Entries are whole, so one that is larger than `max_points` comes alone. A cancelled read loses nothing. An
        empty list says that the lane has come to its end.
        """
        found = await self._fetched() if self._fetch else []
        while not found and self._reader.seq < self._lanes.end_of(self):
            await self._until_unread(max_points, linger_s)
            in_memory = self._reader.next_in_memory(max_points)
            if in_memory is None:
                loop = asyncio.get_running_loop()
                self._fetch = loop.run_in_executor(self._feed.pool, self._reader.next_on_disk, max_points)
                in_memory = await self._fetched()
            found = in_memory
        self._fetch = None
        timekeeper = self._feed.journal.timekeeper
        with timekeeper.lock:
            found = timekeeper.corrected(self.name, self._within(found))
            self.handed = (self.start, self._reader.seq)
        self._read.extend((batch.stream, seq, len(batch), batch.received_ns) for seq, batch in found)
        return found

    async def commit(self, seq: int, state: bytes) -> None:
        """Everything up to and including `seq` is done, and `state` belongs to exactly that.

        A new state is durable on return; a position alone follows within 30 s or 64 commits: after a crash the reader
        sees again what it had done since, never less. Raises ValueError for a number that was not read.
        """
        if not self.seq <= seq <= self._reader.seq:
            raise ValueError(f"{self.name} confirms {seq}; it has confirmed {self.seq} and read {self._reader.seq}")
        while self._read and self._read[0][1] <= seq:
            self._file.done(*self._read.popleft()[:3])
        is_new_state = state != self.state
        self.seq, self.state = seq, state
        self._lanes.note()
        self._commits += 1
        if is_new_state:
            await self._feed.save_cursors()
        elif self._commits % CURSOR_COMMITS == 0:
            self._feed.save_cursors()

    def pending(self) -> tuple[int, int]:
        """Points of all lanes that are durable and not confirmed, and the received_ns of the oldest, 0 without any."""
        return self._lanes.pending()

    def oldest_ns(self) -> int:
        """The received_ns of the oldest of this lane that is not confirmed, 0 if there is none."""
        return self._read[0][3] if self._read else self._reader.next_received_ns()

    def _within(self, found: list[Entry]) -> list[Entry]:
        """Those before the lane's end; the reader never stands beyond it, for the end may be moved."""
        end = self._lanes.end_of(self)
        if self._reader.seq > end:
            self._reader = Reader(self._feed.journal, end)
        return found if not found or found[-1].seq <= end else [entry for entry in found if entry.seq <= end]

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
                await asyncio.wait_for(self._feed.next_commit(), UNREADABLE_S)
            return []

    async def _until_unread(self, max_points: int, linger_s: float) -> None:
        """Wait for something new, and for a clock that may be right, then up to `linger_s` for `max_points` of it."""
        journal = self._feed.journal
        while journal.durable_seq <= self._reader.seq or (self._file.is_wanted and journal.timekeeper.is_wrong):
            await self._feed.next_commit()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(linger_s):
                while self._reader.unread_points(max_points) < max_points:
                    await self._feed.next_commit()


class Lanes:
    """All lanes of one reader. `split`, `join` and `forget_later` move numbers from lane to lane and lose none."""

    def __init__(self, feed: Feed, file: CursorFile) -> None:
        self.name = file.name
        self._feed = feed
        self._file = file
        self._lanes = [Cursor(self, feed, file, lane) for lane in file.confirmed.lanes]
        self._given: list[Interval] = []  # (after, up to): what lanes that are no more were given
        file.handed = self._handed

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def oldest(self) -> Cursor:
        """The lane to be worked off first; also the live one where there is no other."""
        return self._lanes[0]

    @property
    def following(self) -> Cursor:
        """The lane that goes on where the oldest one ends; only where there are several."""
        return self._lanes[1]

    @property
    def live(self) -> Cursor:
        """The lane of the newest data."""
        return self._lanes[-1]

    def end_of(self, lane: Cursor) -> int:
        """The last number that is the lane's."""
        following = self._lanes[self._lanes.index(lane) + 1 :]
        return following[0].start if following else ENDLESS

    def pending(self) -> tuple[int, int]:
        """Points that are durable and not confirmed, and the received_ns of the oldest of them, 0 if there is none."""
        journal = self._feed.journal
        if len(self) == 1 and self.live.seq >= journal.durable_seq:
            return 0, 0
        points = max(0, journal.counts.points - self._file.points_done - self._file.points_dropped)
        return points, self.oldest.oldest_ns()

    async def save(self) -> None:
        """Return when the places of all lanes are durable."""
        await self._feed.save_cursors()

    def lag_s(self) -> float:
        """How old the oldest is that the live lane has not confirmed, by the gateway's clock."""
        if self.live.seq >= self._feed.journal.durable_seq or not (oldest_ns := self.live.oldest_ns()):
            return 0.0
        return (self._feed.journal.clocks.wall_ns() - oldest_ns) / 1e9

    def split(self, state: bytes) -> None:
        """Begin a new live lane with what comes next; between two writes of the live lane only.

        state: what a lane begins with that does not know what came before it.
        """
        lanes = [self.oldest, *(lane for lane in self._lanes[1:] if lane.seq > lane.start)]
        if len(lanes) >= MOST_LANES:
            least = min(lanes[1:], key=lambda lane: lane.seq - lane.start)
            self._forget(least)
            lanes.remove(least)
        end = self._feed.journal.durable_seq
        self._lanes = [*lanes, Cursor(self, self._feed, self._file, Lane(end, end, state))]
        self.note()

    def join(self, state: bytes) -> None:
        """The first lane is over, and the next one goes on in its stead; not during a write of either of them.

        state: what the two of them know together.
        """
        assert self.oldest.is_over, "its end was read and confirmed"
        self._given = united([*self._given, self.oldest.handed])
        self._lanes.pop(0)
        self.oldest.start, self.oldest.state = 0, state
        self.note()

    def forget_later(self) -> Cursor:
        """Back to one lane that takes everything in order; what was done out of turn is read again."""
        for lane in self._lanes[1:]:
            self._forget(lane)
        self._lanes = self._lanes[:1]
        self.note()
        return self.oldest

    def note(self) -> None:
        """Let the writer see where all lanes stand."""
        self._file.confirmed = Confirmed.of(Lane(lane.start, lane.seq, lane.state) for lane in self._lanes)

    def _handed(self) -> list[Interval]:
        return united([*self._given, *(lane.handed for lane in list(self._lanes))])

    def _forget(self, lane: Cursor) -> None:
        self._given = united([*self._given, lane.handed])
        self._file.points_done -= self._feed.journal.points_in([(lane.start, lane.seq)])
