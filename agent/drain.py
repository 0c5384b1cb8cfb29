"""The one loop that reads the log for a sink: read, write, commit, and all the waiting and retrying there is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NoReturn, Protocol

import structlog

from agent.backoff import Backoff
from agent.sink import Entry, Retry, Sink
from agent.status import SinkStatus

logger = structlog.get_logger(__name__)

_REFRESH_S = 1.0


class Reader(Protocol):
    """A place in the log; `agent.store` has one that survives a restart and one that does not."""

    @property
    def state(self) -> bytes:
        """What was committed beside the place; empty at first."""
        ...

    async def read(self, *, max_points: int, linger_s: float) -> list[Entry]:
        """Wait until something is durable, then up to `linger_s` more for `max_points`."""
        ...

    async def commit(self, seq: int, state: bytes) -> None:
        """Everything up to and including `seq` is done, and this is the sink's state after it."""
        ...

    def pending(self) -> tuple[int, int]:
        """Points durable but not committed, and the gateway time (ns) of the oldest; zeros when there are none."""
        ...


async def drain(
    cursor: Reader,
    sink: Sink,
    status: SinkStatus,
    *,
    max_points: int,
    linger_s: float,
    backoff: Backoff | None = None,
) -> NoReturn:
    """Hand the log's entries to the sink for ever, in order, each until it is taken. Ends only by being cancelled."""
    backoff = backoff or Backoff()
    sink.restore(cursor.state)
    async with asyncio.TaskGroup() as group:
        group.create_task(_refresh(cursor, status), name=f"backlog of {sink.name}")
        while True:
            entries = await cursor.read(max_points=max_points, linger_s=linger_s)
            dead_before = status.dead_letters
            state = await _written(sink, entries, status, backoff)
            await cursor.commit(entries[-1].seq, state)
            points = sum(len(entry.batch) for entry in entries)
            status.points += points - (status.dead_letters - dead_before)
            status.last_delivery_ns = time.time_ns()
            status.pending_points, status.oldest_pending_ns = cursor.pending()
            status.delivering()


async def _written(sink: Sink, entries: Sequence[Entry], status: SinkStatus, backoff: Backoff) -> bytes:
    """Write until the sink takes the entries. A defect of one sink blocks that sink, not the agent."""
    while True:
        try:
            state = await sink.write(entries)
        except Retry as retry:
            status.hold(retry.reason, retry.blocked)
            await backoff.pause(at_least_s=retry.after_s or 0.0)
        except Exception as error:
            if status.blocked != "defect":
                logger.exception("sink.failed", sink=sink.name)
            status.hold(f"a defect in Raceway: {error!r}; please report it with the log", "defect")
            await backoff.pause()
        else:
            backoff.reset()
            return state


async def _refresh(cursor: Reader, status: SinkStatus) -> NoReturn:
    """Keep the backlog's size true while the sink waits, lingers or sends."""
    while True:
        status.pending_points, status.oldest_pending_ns = cursor.pending()
        await asyncio.sleep(_REFRESH_S)
