"""One OPC UA server as a source: what outlives a connection, and the life of one."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from collectors.opcua.addresses import AWAY, Addresses
from collectors.opcua.alarm_past import Past
from collectors.opcua.conditions import Conditions
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.connection import opened
from collectors.opcua.explain import FORESEEN, Degraded, Untrusted, explained
from collectors.opcua.items import Items
from collectors.opcua.link import Link, Thread
from collectors.opcua.rhythm import Rhythm
from collectors.opcua.table import Table
from collectors.source import Deliver, LastTime, Recall, SourceStatus


class OpcUaSource:
    """Subscribes to the configured variables of one server.

    The series table is made once: every batch of this source carries the same tuple object.
    """

    def __init__(self, config: OpcUaConfig, *, plant: str, last_time: LastTime, recall: Recall = tuple) -> None:
        self.name = config.name
        self.status = SourceStatus("opcua", address=config.url)
        self._config = config
        self._table = Table.of(config, plant=plant)
        names = tuple(str(self._table.series[first]) for first in self._table.first.tolist())
        self._items = Items(names, first_s=config.retry_bad_items_s)
        conditions = Conditions.of(config, plant=plant)
        self._thread = Thread(conditions, Past(config.name, conditions, recall), Rhythm.of(self._table))
        self._addresses = Addresses((config.url, *config.failover))
        self._last_time = last_time

    async def run(self, deliver: Deliver) -> NoReturn:
        """Connect and hand over batches until the connection is lost.

        A new client every time, on the session of the last one where the server still has it.
        Raises SourceLost.
        """
        config = self._config.model_copy(update={"url": self._addresses.url})
        is_reached = False
        try:
            async with opened(config, self._thread.kept) as session, asyncio.TaskGroup() as tasks:
                is_reached = True
                if config.failover and not self._addresses.stays(await session.look_up_service_level()):
                    self._thread.memory.started = ""
                    raise Degraded(config.url, session.service_level)
                self.status.address = config.url
                link = Link(
                    config,
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
            raise explained(error, config.url) from error
        finally:
            if not is_reached:
                self._leave()
        if isinstance(lost, Degraded):
            self._leave(lost.level)
        raise lost

    def _leave(self, level: int = AWAY) -> None:
        """Try another address; another server's start says nothing about this one's."""
        if self._addresses.leave(level):
            self._thread.memory.started = ""
