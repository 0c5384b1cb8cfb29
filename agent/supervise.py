"""The one loop that holds all waiting and retrying for sources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

import structlog

from agent.backoff import Backoff
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
    connection, with its traceback in the journal: one source can never end the agent.
    """

    async def deliver(delivery: Delivery) -> None:
        accepted = await append(delivery)
        if isinstance(delivery, Batch):
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
            logger.exception("source.failed", source=source.name)
            source.status.lost(f"an unforeseen fault in the collector, it is being restarted: {error!r}")
        await backoff.pause(at_least_s=hold_s)
