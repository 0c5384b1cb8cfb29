"""One OPC UA server as a source: what outlives a connection, and the life of one."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from collectors.opcua.config import OpcUaConfig
from collectors.opcua.connection import opened
from collectors.opcua.explain import FORESEEN, Untrusted, explained
from collectors.opcua.items import Items
from collectors.opcua.link import Link, Thread
from collectors.opcua.shape import Table
from collectors.source import Deliver, LastTime, SourceStatus


class OpcUaSource:
    """Subscribes to the configured variables of one server.

    The series table is made once: every batch of this source carries the same tuple object.
    """

    def __init__(self, config: OpcUaConfig, *, plant: str, last_time: LastTime) -> None:
        self.name = config.name
        self.status = SourceStatus("opcua", address=config.url)
        self._config = config
        self._table = Table.of(config, plant=plant)
        names = tuple(str(self._table.series[first]) for first in self._table.first.tolist())
        self._items = Items(names, first_s=config.retry_bad_items_s)
        self._thread = Thread()
        self._last_time = last_time

    async def run(self, deliver: Deliver) -> NoReturn:
        """Connect and hand over batches until the connection is lost.

        A new client every time, on the session of the last one where the server still has it.
        Raises SourceLost.
        """
        try:
            async with opened(self._config, self._thread.kept) as session, asyncio.TaskGroup() as tasks:
                link = Link(
                    self._config,
                    session,
                    items=self._items,
                    table=self._table,
                    thread=self._thread,
                    status=self.status,
                    last_time=self._last_time,
                    deliver=deliver,
                    tasks=tasks,
                )
                lost = await link.live()
        except (*FORESEEN, Untrusted) as error:
            raise explained(error, self._config.url) from error
        raise lost
