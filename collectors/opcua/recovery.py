"""The hole before a connection: filled from the server's history before anything newer becomes durable.

So the newest durable value of a series is always where its next hole begins, also after the agent was killed in the
middle of it. When the history is long, the live values do not wait for its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from collectors.opcua.address import Address
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.explain import FORESEEN
from collectors.opcua.history import History
from collectors.opcua.session import Session
from collectors.opcua.shape import Table, shape
from collectors.points import Gap
from collectors.source import Deliver

PATIENCE_S = 20.0  # how long live values wait for the history that belongs before them

logger = structlog.get_logger(__name__)


class Recovery:
    """What is done about the hole before one connection. `done` opens the way for its live values."""

    def __init__(
        self,
        config: OpcUaConfig,
        session: Session,
        *,
        table: Table,
        addresses: Sequence[Address],
        since: Mapping[int, int],
    ) -> None:
        """`since`: tag -> its newest durable source timestamp, ns."""
        self._config = config
        self._table = table
        self._history = History(session, addresses, since)
        self._recovered = 0
        self._failure = ""
        self.last_ns = max(since.values(), default=0)
        self.done = asyncio.Event()

    async def fill(self, hole: Gap, deliver: Deliver) -> None:
        """Read what is missing, then say the hole, with what was recovered of it. Returns when the hole is said."""
        async with asyncio.TaskGroup() as tasks:
            if self._config.backfill:
                reading = tasks.create_task(self._read(deliver), name=f"{self._config.name}: history")
                await asyncio.wait({reading}, timeout=PATIENCE_S)
                going_on = "" if reading.done() else "; its recovery goes on"
                hole = replace(hole, detail=f"{self._found()}{going_on}")
            await deliver(hole)
            self.done.set()
        if self._recovered:
            logger.info("history.recovered", source=self._config.name, points=self._recovered)

    async def _read(self, deliver: Deliver) -> None:
        try:
            async for columns in self._history.missed():
                shaped = shape(columns, self._table, source=self._config.name, received_ns=time.time_ns())
                await deliver(shaped.batch)
                self._recovered += len(shaped.batch)
        except FORESEEN as error:
            self._failure = f"; the rest could not be read ({error})"

    def _found(self) -> str:
        if not self._recovered and not self._failure:
            return "the server's history holds nothing of it"
        return f"{self._recovered} points recovered from the server's history{self._failure}"
