"""What the tests with a real server need: a source that is supervised as in the agent, and a record of what it did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agent.app import SLOWEST_RETRY_S
from agent.backoff import Backoff
from agent.supervise import supervise
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.source import OpcUaSource
from collectors.points import Batch, DeadLetter, Delivery, Gap, Point, Series, Stream
from tests.servers.opcua import URI


class Kept(NamedTuple):
    """What the log's append says."""

    points: int


@dataclass
class Recorder:
    """A log in memory; it can be slow, and it can stop answering."""

    deliveries: list[Delivery] = field(default_factory=list)
    asked: int = 0  # deliveries begun
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    async def deliver(self, delivery: Delivery) -> None:
        """What a source is given where no supervisor stands between."""
        await self.append(delivery)

    async def append(self, delivery: Delivery) -> Kept:
        """Keep it, as soon as answers are given."""
        self.asked += 1
        self._changed.set()
        await self.answers.wait()
        self.deliveries.append(delivery)
        self._changed.set()
        return Kept(len(delivery) if isinstance(delivery, Batch) else 0)

    async def until(self, is_so: Callable[[], object], *, within_s: float = 10.0) -> float:
        """Wait until it is so; how long it took. Looked at after every delivery and ten times a second."""
        start = time.monotonic()
        while not is_so():
            left_s = start + within_s - time.monotonic()
            assert left_s > 0, f"not so within {within_s} s; last: {self.deliveries[-3:]}"
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), min(left_s, 0.1))
            except TimeoutError:
                continue
        return time.monotonic() - start

    @property
    def batches(self) -> list[Batch]:
        """Every batch that was kept."""
        return [one for one in self.deliveries if isinstance(one, Batch)]

    @property
    def gaps(self) -> list[Gap]:
        """Every hole that was said."""
        return [one for one in self.deliveries if isinstance(one, Gap)]

    @property
    def last_gaps(self) -> list[Gap]:
        """Each hole as it was said last: a long recovery says its hole again at its end."""
        return list({(gap.from_ns, gap.to_ns, gap.reason, gap.series): gap for gap in self.gaps}.values())

    @property
    def letters(self) -> list[DeadLetter]:
        """Everything that could not be read."""
        return [one for one in self.deliveries if isinstance(one, DeadLetter)]

    def last_time(self, series: Series) -> int:
        """The time of the newest point of a series, as the log says it after a restart; 0 if there is none."""
        times = [
            batch.t_ns[batch.which == batch.series.index(series)] for batch in self.batches if series in batch.series
        ]
        return max((int(one.max()) for one in times if len(one)), default=0)

    def records(self) -> list[Batch]:
        """The alarms, states and gaps, as the log says them after a restart."""
        return [one for one in self.batches if one.stream is Stream.RECORDS]

    def points(self, signal: str) -> list[Point]:
        """Every point of a signal, in order of arrival."""
        return [point for batch in self.batches for point in batch.points() if point.series.signal == signal]

    def values(self, signal: str) -> list[float | str]:
        """Its values."""
        return [point.value for point in self.points(signal)]


def tag(signal: str, node: str = "", **settings: Any) -> dict[str, Any]:
    """A tag of the machine; the node has the signal's name unless another is given."""
    return {"machine": "lathe", "signal": signal, "node": node or f"nsu={URI};s={signal}", **settings}


def configured(url: str, tags: list[dict[str, Any]], **settings: Any) -> OpcUaConfig:
    """A configuration that is quicker than the default one, so that tests are."""
    quick = {"publishing_ms": 100, "keep_alive_s": 1, "connect_timeout_s": 4, "retry_bad_items_s": 0.3}
    whole = {"kind": "opcua", "name": "machines", "url": url, "tags": tags, **quick, **settings}
    return OpcUaConfig.model_validate(whole)


@asynccontextmanager
async def supervised(config: OpcUaConfig, recorder: Recorder) -> AsyncIterator[OpcUaSource]:
    """The source, run as the agent runs it."""
    source = OpcUaSource(config, plant="plant", last_time=recorder.last_time, recall=recorder.records)
    task = asyncio.create_task(supervise(source, recorder.append, backoff=Backoff(first_s=0.5, most_s=SLOWEST_RETRY_S)))
    try:
        yield source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
