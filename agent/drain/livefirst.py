"""Two lanes after an outage: the newest data at once, and beside it what waited, oldest first.

The boundary between the live lane and the others moves between two of its writes only. The loop of the
backlog works off the first lane and lets the next one go on in its stead. It stands still while the live lane is
refused, so that a server that is down is asked once and not twice, and while a write of the live lane takes long, so
that it has the server to itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

import structlog

from agent.backoff import Backoff
from agent.drain.inorder import Bury, counted, keep_true, taken
from agent.drain.pace import Pace
from agent.sink import Entry, Retry, Sink
from agent.status import SinkStatus
from agent.store.lanes import Cursor, Lanes
from collectors.points import DeadLetter

logger = structlog.get_logger(__name__)

LAG_S = 5.0  # the live lane is never further behind, once a write of it succeeds
_LATE_S = LAG_S / 2
CONGESTED = ("throttled", "timeout")


class LaneSink(Sink, Protocol):
    """A sink of which there may be one for each lane, for its results do not depend on the order."""

    beginning: bytes  # the state of a lane that does not know what came before it
    buried: int  # points that went to the dead-letter log

    def joined(self, older: bytes, newer: bytes) -> bytes:
        """The state of a lane that goes on in the stead of the one before it, which came to its end."""
        ...


async def drain_live_first(
    lanes: Lanes,
    make_sink: Callable[[], LaneSink],
    status: SinkStatus,
    *,
    max_points: int,
    linger_s: float,
    pace: Pace,
    dead_letter: Bury | None = None,
    backoff: Callable[[], Backoff] = Backoff,
) -> NoReturn:
    """Hand the log's entries to the sink for ever, each until it is taken. Ends only by being cancelled."""
    work = _Work(
        lanes, make_sink, status, max_points=max_points, linger_s=linger_s, pace=pace, dead_letter=dead_letter,
        backoff=backoff,
    )  # fmt: skip
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_true(lanes, status), name=f"backlog of {lanes.name}, counted")
        group.create_task(work.catch_up(), name=f"backlog of {lanes.name}")
        while True:
            await work.go_on()


class _Bell:
    """Wakes up everyone who waits at that moment."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        await self._event.wait()


class _Work:
    """What the two loops share."""

    def __init__(
        self, lanes: Lanes, make_sink: Callable[[], LaneSink], status: SinkStatus, *, max_points: int, linger_s: float,
        pace: Pace, dead_letter: Bury | None, backoff: Callable[[], Backoff],
    ) -> None:  # fmt: skip
        self._lanes = lanes
        self._status = status
        self._pace = pace
        self._dead_letter = dead_letter
        self._max_points = max_points
        self._linger_s = linger_s
        self._live_sink, self._backlog_sink = make_sink(), make_sink()
        self._live_backoff, self._backlog_backoff = backoff(), backoff()
        self._live_sink.restore(lanes.live.state)
        self._bell = _Bell()  # the live lane came to an end of its turn, or was refused
        self._is_live_writing = False
        self._is_live_refused = False
        self._is_after_outage = True  # the backlog has not gone on since, or this is the start
        self._is_refused = False  # the backlog alone, and it was said
        self._began_s = 0.0  # the backlog's last try

    async def go_on(self) -> None:
        """One turn of the live lane."""
        self._arrange()
        if len(self._lanes) == 1:
            self._is_after_outage = False
        lane, sink = self._lanes.live, self._live_sink
        entries = await lane.read(max_points=self._max_points, linger_s=self._linger_s)
        self._is_live_writing = True
        buried = sink.buried
        state = await taken(
            sink, entries, self._live_backoff, refused=self._live_refused, bury=self._bury(sink), state=lane.state
        )
        self._is_live_refused = False
        await self._commit(lane, entries, state, buried=sink.buried - buried)
        self._is_live_writing = False
        self._status.delivering()
        self._bell.ring()

    async def catch_up(self) -> NoReturn:
        """Work off all lanes but the live one, whenever there are any."""
        lanes, sink = self._lanes, self._backlog_sink
        while True:
            while len(lanes) == 1:
                await self._bell.wait()
            sink.restore(lanes.oldest.state)
            while len(lanes) > 1:
                entries = await lanes.oldest.read(max_points=self._max_points, linger_s=0.0)
                if entries:
                    await self._send(lanes.oldest, entries)
                elif len(lanes) > 2:
                    lanes.join(sink.joined(lanes.oldest.state, lanes.following.state))
                    sink.restore(lanes.oldest.state)
                elif self._is_live_writing:
                    await self._bell.wait()  # after the write it goes on in our stead, or splits
                else:
                    self._arrange()

    def _arrange(self) -> None:
        """Begin a new live lane if this one is behind; take over from the backlog if that is done."""
        lanes, sink = self._lanes, self._live_sink
        if len(lanes) == 2 and lanes.oldest.is_over:
            lanes.join(sink.joined(lanes.oldest.state, lanes.live.state))
        elif lanes.lag_s() > LAG_S and lanes.pending()[0] > 2 * self._max_points:
            lanes.split(sink.beginning)
        else:
            return
        sink.restore(lanes.live.state)
        self._bell.ring()

    async def _send(self, lane: Cursor, entries: Sequence[Entry]) -> None:
        """A part of the backlog, not sooner than the pace allows."""
        sink, points, loop = self._backlog_sink, sum(len(entry.batch) for entry in entries), asyncio.get_running_loop()
        await self._way()
        await asyncio.sleep(self._pace.take_s(points, loop.time()))
        buried = sink.buried
        state = await taken(
            sink, entries, self._backlog_backoff, refused=self._backlog_refused, ready=self._way,
            bury=self._bury(sink), state=lane.state,
        )  # fmt: skip
        self._pace.faster(points, loop.time() - self._began_s)
        self._is_refused = False
        await self._commit(lane, entries, state, buried=sink.buried - buried)

    async def _way(self) -> None:
        """Until the live lane is neither refused nor late with a write; after an outage a while longer."""
        while (is_held := self._is_live_refused or self._is_late()) or self._is_after_outage:
            if is_held:
                await self._bell.wait()
            else:
                self._is_after_outage = False
                await asyncio.sleep(self._pace.begin_s())
        self._began_s = asyncio.get_running_loop().time()

    def _is_late(self) -> bool:
        return self._is_live_writing and self._lanes.lag_s() > _LATE_S

    def _bury(self, sink: LaneSink) -> Bury | None:
        """Dead-letter what a sink fails at, and count it where the sink counts what the server refused."""

        def count(letter: DeadLetter) -> None:
            sink.buried += letter.points
            self._status.dead_letters += letter.points

        return self._dead_letter and counted(self._dead_letter, count)

    async def _commit(self, lane: Cursor, entries: Sequence[Entry], state: bytes, *, buried: int) -> None:
        await lane.commit(entries[-1].seq, state)
        if buried:
            await self._lanes.save()  # a kill must not make a second letter of what is buried already
        self._status.points += sum(len(entry.batch) for entry in entries) - buried
        self._status.last_delivery_ns = time.time_ns()
        self._status.pending_points, self._status.oldest_pending_ns = self._lanes.pending()

    def _live_refused(self, retry: Retry) -> None:
        self._is_live_refused = self._is_after_outage = True
        self._bell.ring()
        self._status.hold(retry.reason, retry.blocked)
        if retry.blocked in CONGESTED:
            self._pace.slower()

    def _backlog_refused(self, retry: Retry) -> None:
        """The live lane speaks for the sink; this one only says once that it is not getting on."""
        self._status.retries += 1
        if retry.blocked in CONGESTED:
            self._pace.slower()
        if not self._is_refused and not self._is_live_refused:
            self._is_refused = True
            logger.warning("backlog.refused", sink=self._lanes.name, reason=retry.reason, blocked=retry.blocked)
