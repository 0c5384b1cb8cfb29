"""A hole in the data: filled from the server's history before anything newer becomes durable, then said.

So the newest durable value of a series is always where its next hole begins, also after the agent was killed in the
middle of it. When the history is long, the live values do not wait for its end, and the hole is said twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from collectors.opcua.address import Address
from collectors.opcua.columns import Columns
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.facts import Facts
from collectors.opcua.history import History
from collectors.opcua.holes import Reading
from collectors.opcua.session import Session
from collectors.opcua.shape import EPOCH_TICKS, shape
from collectors.opcua.table import Table
from collectors.points import Gap, Series
from collectors.source import Deliver, LastTime

logger = structlog.get_logger(__name__)


class Gate:
    """Holds live values back while something older is being fetched. Open as long as nobody has closed it."""

    def __init__(self) -> None:
        self._closed = 0
        self._opened = asyncio.Event()
        self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether values pass."""
        return not self._closed

    def close(self) -> None:
        """Hold back what has not yet passed; each closing needs its own opening."""
        self._closed += 1
        self._opened.clear()

    def open(self) -> None:
        """Undo one closing."""
        self._closed -= 1
        if not self._closed:
            self._opened.set()

    async def wait(self) -> None:
        """Pass, in the order of arrival, as soon as the gate is open."""
        while self._closed:
            await self._opened.wait()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is done about the holes of one connection."""

    config: OpcUaConfig
    session: Session
    table: Table = field(kw_only=True)
    facts: Facts = field(kw_only=True)
    addresses: Sequence[Address] = field(kw_only=True)
    last_time: LastTime = field(kw_only=True)

    def newest_ns(self) -> int:
        """The newest durable source timestamp of all tags, 0 where nothing is durable."""
        return max(self._since(range(len(self.addresses))).values(), default=0)

    def series_of(self, tags: Iterable[int]) -> tuple[Series, ...]:
        """All series of these tags."""
        firsts = {tag: int(self.table.first[tag]) for tag in tags}
        return tuple(
            self.table.series[one]
            for tag, first in firsts.items()
            for one in range(first, first + int(self.table.width[tag]))
        )

    def _tags_of(self, hole: Gap) -> list[int]:
        """The tags of the series that a hole names, all where it names none."""
        named = set(hole.series or self.table.series)
        return [tag for tag, one in enumerate(self.table.first.tolist()) if self.table.series[one] in named]

    def reading(self, hole: Gap, *, since_ns: int = 0) -> Reading:
        """What is to be read of a hole.

        since_ns: its beginning by our clock; by default the newest durable value of each tag, so that nothing newer
        may become durable before the hole is said.
        """
        wanted = self._tags_of(hole)
        return Reading(hole, self._as_of(wanted, since_ns) if since_ns else self._since(wanted))

    async def fill(self, reading: Reading, deliver: Deliver, said: Callable[[], object]) -> None:
        """Read what is missing, then say the hole with what came back of it, then call `said`.

        A reading that takes longer than the server's queues are asked to bridge goes on behind the live values, and
        the hole is said once more at its end. It is not done where the connection ends before.
        """
        if not self.config.backfill:
            reading.is_done = True
            await deliver(reading.hole)
            said()
            return
        async with asyncio.TaskGroup() as tasks:
            history = tasks.create_task(self._read(reading, deliver), name=f"{self.config.name}: history")
            await asyncio.wait({history}, timeout=self.config.queue_bridge_s)
            was_done = reading.is_done
            await deliver(reading.told())
            said()
        if reading.is_done and not was_done:
            await deliver(reading.told())

    async def read_on(self, reading: Reading, deliver: Deliver) -> None:
        """Go on where the connection before ended, and say the hole once more when all of it is read."""
        await self._read(reading, deliver)
        if reading.is_done:
            await deliver(reading.told())

    def _since(self, tags: Iterable[int]) -> dict[int, int]:
        """Where each tag ends on disk; tags without a durable value have no hole to fill."""
        ends = {tag: self.last_time(self.table.series[int(self.table.first[tag])]) for tag in tags}
        return {tag: ns for tag, ns in ends.items() if ns}

    def _as_of(self, tags: Iterable[int], since_ns: int) -> dict[int, int]:
        return dict.fromkeys(tags, since_ns + int(self.session.skew_s * 1e9))

    async def _read(self, reading: Reading, deliver: Deliver) -> None:
        history = History(self.session, self.addresses, reading.since, self.facts.structures)
        before = reading.points
        pages = history.missed()
        try:
            while (columns := await self._next(pages, reading)) is not None:
                received_ns = time.time_ns()
                shaped = shape(columns, self.table, source=self.config.name, received_ns=received_ns, facts=self.facts)
                await deliver(shaped.batch)
                reading.points += len(shaped.batch)
                for tag, ticks in zip(columns.handle.tolist(), columns.source.tolist(), strict=True):
                    reading.since[tag] = max(reading.since[tag], (ticks - EPOCH_TICKS) * 100)
        except (OSError, TimeoutError):
            return  # of the connection: the next one reads on
        if history.refused:
            example = next(f"{self.config.tags[tag].signal}: {why}" for tag, why in history.refused.items())
            reading.refusals.append(f"the history of {len(history.refused)} tags could not be read, as {example}")
        reading.is_done = True
        if reading.points > before:
            logger.info("history.recovered", source=self.config.name, points=reading.points)

    async def _next(self, pages: AsyncIterator[Columns], reading: Reading) -> Columns | None:
        """The next page; None at the end, and where the server's answer is a refusal or cannot be understood.

        What a server keeps of the past must not keep its live values away, whatever it is.
        """
        try:
            return await anext(pages, None)
        except (OSError, TimeoutError):
            raise
        except Exception as odd:
            reading.refusals.append(f"the rest could not be read ({odd})")
            return None
