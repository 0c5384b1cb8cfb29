"""A hole in the data: filled from the server's history before anything newer becomes durable, then said.

So the newest durable value of a series is always where its next hole begins, also after the agent was killed in the
middle of it. When the history is long, the live values do not wait for its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from collectors.opcua.address import Address
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.explain import FORESEEN
from collectors.opcua.history import History
from collectors.opcua.session import Session
from collectors.opcua.shape import Table, shape
from collectors.points import Gap, Series
from collectors.source import Deliver, LastTime

PATIENCE_S = 20.0  # how long live values wait for the history that belongs before them

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


@dataclass(slots=True)
class _Found:
    """What came back of one hole."""

    points: int = 0
    failure: str = ""

    def __str__(self) -> str:
        if not self.points and not self.failure:
            return "the server's history holds nothing of it"
        return f"{self.points} points recovered from the server's history{self.failure}"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is done about the holes of one connection."""

    config: OpcUaConfig
    session: Session
    table: Table = field(kw_only=True)
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

    async def fill(self, hole: Gap, deliver: Deliver, tasks: asyncio.TaskGroup, *, since_ns: int = 0) -> None:
        """Read what is missing, then say the hole, with what was recovered of it. Returns when the hole is said.

        since_ns: its beginning by our clock; by default the newest durable value of each tag, so that nothing newer
        may become durable meanwhile. A reading that takes longer goes on in `tasks`.
        """
        wanted = self._tags_of(hole)
        since = self._since(wanted) if not since_ns else self._as_of(wanted, since_ns)
        found = _Found()
        if self.config.backfill:
            reading = tasks.create_task(self._read(since, deliver, found), name=f"{self.config.name}: history")
            await asyncio.wait({reading}, timeout=PATIENCE_S)
            going_on = "" if reading.done() else "; its recovery goes on"
            why = f"{hole.detail}; " if hole.detail else ""
            hole = replace(hole, detail=f"{why}{found}{going_on}")
        await deliver(hole)

    def _since(self, tags: Iterable[int]) -> dict[int, int]:
        """Where each tag ends on disk; tags without a durable value have no hole to fill."""
        ends = {tag: self.last_time(self.table.series[int(self.table.first[tag])]) for tag in tags}
        return {tag: ns for tag, ns in ends.items() if ns}

    def _as_of(self, tags: Iterable[int], since_ns: int) -> dict[int, int]:
        return dict.fromkeys(tags, since_ns + int(self.session.skew_s * 1e9))

    async def _read(self, since: Mapping[int, int], deliver: Deliver, found: _Found) -> None:
        try:
            async for columns in History(self.session, self.addresses, since).missed():
                shaped = shape(columns, self.table, source=self.config.name, received_ns=time.time_ns())
                await deliver(shaped.batch)
                found.points += len(shaped.batch)
        except FORESEEN as error:
            found.failure = f"; the rest could not be read ({error})"
        if found.points:
            logger.info("history.recovered", source=self.config.name, points=found.points)
