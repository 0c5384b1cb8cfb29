"""The one loop that holds all waiting and retrying for sources."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

import structlog

from agent.backoff import Backoff
from agent.sink import buried
from agent.store.writer import StoreFailed
from collectors.points import Batch, Delivery
from collectors.source import Source, SourceLost

logger = structlog.get_logger(__name__)


class Appended(Protocol):
    """What an append says about what it took."""

    @property
    def points(self) -> int:
        """Points now durable, equal duplicates left out."""
        ...


async def supervise(source: Source, append: Callable[[Delivery], Awaitable[Appended]], *, backoff: Backoff) -> NoReturn:
    """Run a source for ever: a lost connection is said once, waited for, and tried again.

    The back-off starts anew after every life that was connected. A fault nobody foresaw is treated like a lost
    connection: the traceback of each is in the journal once, repeats only count. One source can never end the agent,
    but StoreFailed does: nothing can be kept any more. All events of a source carry its name.
    """
    structlog.contextvars.bind_contextvars(source=source.name)
    told: set[str] = set()  # unforeseen faults that are in the journal already

    async def deliver(delivery: Delivery) -> None:
        try:
            accepted = await append(delivery)
        except ValueError as error:
            if not isinstance(delivery, Batch):
                raise
            source.status.dead_letters += 1
            await append(buried(delivery, origin=source.name, reason=f"it cannot be stored: {error}"))
            return
        if isinstance(delivery, Batch) and delivery.source == source.name:  # not what it says of itself
            source.status.received(accepted.points)
            backoff.reset()

    while True:
        hold_s = 0.0
        try:
            await source.run(deliver)
        except SourceLost as lost:
            source.status.lost(lost.reason)
            hold_s = lost.hold_s
        except Exception as error:
            if is_of_the_store(error):
                raise
            source.status.faults += 1
            if (fault := place(error)) not in told:
                told.add(fault)
                logger.exception("source.failed")
            source.status.lost(f"an unforeseen fault in the collector, it is being restarted: {error!r}")
        await backoff.pause(at_least_s=hold_s)


def is_of_the_store(error: Exception) -> bool:
    """Whether the log itself has failed, also where a task group tells it."""
    return isinstance(error, StoreFailed) or (
        isinstance(error, ExceptionGroup) and error.subgroup(StoreFailed) is not None
    )


def place(error: Exception) -> str:
    """Which fault it is, so that its repeats are known: its type, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else repr(error)
