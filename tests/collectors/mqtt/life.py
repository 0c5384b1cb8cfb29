"""A source that runs against a real broker, and a log that keeps what it is given in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.source import MqttSource
from collectors.points import Batch, DeadLetter, Delivery, Gap, Point, Series
from collectors.source import SourceLost

ENERGY = {
    "topic": "plant/{line}/{machine}/energy",
    "time": {"path": "ts", "format": "epoch_ms"},
    "signals": [
        {"signal": "active_power", "path": "p", "unit": "kW"},
        {"signal": "active_energy", "path": "e", "unit": "kWh", "kind": "counter"},
    ],
    "ct": 1,
    "pt": 1,
    "side": "primary",
}


def config_for(url: str, **changes: Any) -> MqttConfig:
    """A source of energy meters; keyword arguments replace settings."""
    return MqttConfig.model_validate({"name": "meters", "url": url, "mappings": [ENERGY], **changes})


def never(_series: Series) -> int:
    """The log of an agent that runs for the first time."""
    return 0


class FakeLog:
    """Keeps deliveries; `park` lets them wait as a full disk does."""

    def __init__(self) -> None:
        self.kept: list[Delivery] = []
        self.stood: list[Batch] = []  # what the source says of itself
        self._open = asyncio.Event()
        self._open.set()
        self._grown = asyncio.Condition()

    async def deliver(self, delivery: Delivery) -> None:
        await self._open.wait()
        if isinstance(delivery, Batch) and delivery.source == "raceway":
            self.stood.append(delivery)
        else:
            self.kept.append(delivery)
        async with self._grown:
            self._grown.notify_all()

    def park(self) -> None:
        self._open.clear()

    def unpark(self) -> None:
        self._open.set()

    async def until(self, reached: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
        """Wait until something has become true of what is kept."""
        async with asyncio.timeout(timeout_s), self._grown:
            await self._grown.wait_for(reached)

    @property
    def batches(self) -> list[Batch]:
        return [delivery for delivery in self.kept if isinstance(delivery, Batch)]

    @property
    def count(self) -> int:
        return sum(map(len, self.batches))

    @property
    def points(self) -> list[Point]:
        return [point for batch in self.batches for point in batch.points()]

    @property
    def letters(self) -> list[DeadLetter]:
        return [delivery for delivery in self.kept if isinstance(delivery, DeadLetter)]

    @property
    def gaps(self) -> list[Gap]:
        return [delivery for delivery in self.kept if isinstance(delivery, Gap)]

    def values(self, signal: str) -> list[float | str]:
        return [point.value for point in self.points if point.series.signal == signal]


class Life:
    """One run of a source. `lost` is how it ended."""

    def __init__(self, source: MqttSource, task: asyncio.Task[None]) -> None:
        self.source = source
        self.task = task

    async def connected(self, timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while self.source.status.state != "connected":
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.01)

    async def lost(self, timeout_s: float = 10.0) -> SourceLost:
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self.task)
        except SourceLost as lost:
            self.source.status.lost(lost.reason)
            return lost
        raise AssertionError("the source ended without saying why")


@asynccontextmanager
async def living(source: MqttSource, log: FakeLog, *, connected: bool = True) -> AsyncIterator[Life]:
    """Run a source for one life; it is ended like by the agent's stop."""

    async def run() -> None:
        await source.run(log.deliver)

    source.status.state = "connecting"
    life = Life(source, asyncio.create_task(run()))
    try:
        if connected:
            await life.connected()
        yield life
    finally:
        life.task.cancel()
        await asyncio.wait({life.task})
