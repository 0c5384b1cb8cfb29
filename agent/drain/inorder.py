"""One loop that reads the log for a sink in order: read, write until it is taken, commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, Protocol

import structlog

from agent.backoff import Backoff
from agent.drain.defects import PATIENCE, Defects, Patience, divided
from agent.sink import Entry, Retry, Sink, buried
from agent.status import SinkStatus
from collectors.points import DeadLetter

logger = structlog.get_logger(__name__)

_REFRESH_S = 1.0

Bury = Callable[[DeadLetter], Awaitable[object]]


class Pending(Protocol):
    """What knows how much waits."""

    def pending(self) -> tuple[int, int]:
        """Points durable but not committed, and the gateway time (ns) of the oldest; zeros when there are none."""
        ...


class Reader(Pending, Protocol):
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


async def drain(
    cursor: Reader,
    sink: Sink,
    status: SinkStatus,
    *,
    max_points: int,
    linger_s: float,
    dead_letter: Bury | None = None,
    backoff: Backoff | None = None,
    patience: Patience = PATIENCE,
) -> NoReturn:
    """Hand the log's entries to the sink for ever, in order, each until it is taken. Ends only by being cancelled.

    dead_letter: where an entry goes that the sink can never take; without it, such an entry is waited for.
    """
    backoff = backoff or Backoff()
    sink.restore(cursor.state)

    def count(letter: DeadLetter) -> None:
        status.dead_letters += letter.points

    bury = dead_letter and counted(dead_letter, count)

    async with asyncio.TaskGroup() as group:
        group.create_task(keep_true(cursor, status), name=f"backlog of {sink.name}")
        while True:
            entries = await cursor.read(max_points=max_points, linger_s=linger_s)
            dead_before = status.dead_letters
            state = await taken(
                sink, entries, backoff, refused=lambda retry: status.hold(retry.reason, retry.blocked),
                bury=bury, state=cursor.state, patience=patience,
            )  # fmt: skip
            await cursor.commit(entries[-1].seq, state)
            points = sum(len(entry.batch) for entry in entries)
            status.points += points - (status.dead_letters - dead_before)
            status.last_delivery_ns = time.time_ns()
            status.pending_points, status.oldest_pending_ns = cursor.pending()
            status.delivering()


def counted(dead_letter: Bury, count: Callable[[DeadLetter], object]) -> Bury:
    """The same, and what is durable as a dead letter is counted."""

    async def bury(letter: DeadLetter) -> None:
        await dead_letter(letter)
        count(letter)

    return bury


async def taken(
    sink: Sink,
    entries: Sequence[Entry],
    backoff: Backoff,
    *,
    refused: Callable[[Retry], object],
    bury: Bury | None,
    state: bytes,
    ready: Callable[[], Awaitable[object]] | None = None,
    patience: Patience = PATIENCE,
) -> bytes:
    """Write until the sink takes the entries; its state. A defect of one sink blocks that sink, not the agent.

    An entry at which the sink fails again and again by a defect, where it takes its neighbours, is buried.
    refused: told of each failure.     ready: awaited before each try.     state: the sink's, before the entries.
    """
    defects = Defects(patience)
    while True:
        if ready:
            await ready()
        try:
            state = await sink.write(entries)
        except Retry as retry:
            trouble = retry
        except Exception as error:
            if defects.note(asyncio.get_running_loop().time()):
                logger.exception("sink.failed", sink=sink.name)
            trouble = Retry(f"a defect in Raceway: {error!r}; please report it with the log", blocked="defect")
            if bury and defects.is_hopeless and (found := await divided(sink, entries, state)):
                state, hopeless = found
                for one in hopeless:
                    logger.error("entry.buried", sink=sink.name, seq=one.seq, points=len(one.batch))
                    await bury(buried(one.batch, origin=sink.name, reason=trouble.reason))
                backoff.reset()
                return state
        else:
            backoff.reset()
            return state
        refused(trouble)
        await backoff.pause(at_least_s=trouble.after_s or 0.0)


async def keep_true(reader: Pending, status: SinkStatus) -> NoReturn:
    """Keep the backlog's size true while the sink waits, lingers or sends."""
    while True:
        status.pending_points, status.oldest_pending_ns = reader.pending()
        await asyncio.sleep(_REFRESH_S)
