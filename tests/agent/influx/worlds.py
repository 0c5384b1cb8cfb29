"""What the sink's tests stand in: entries as the log reads them back, a cursor in memory, configurations."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from agent.influx.config import InfluxConfig
from agent.influx.sink import InfluxSink
from agent.sink import Entry
from agent.status import SinkStatus
from collectors.points import Batch, DeadLetter, Point, Series

T = 1_795_526_024_000_000_000


def entry(seq: int, *points: Point) -> Entry:
    """A record of the log."""
    return Entry(seq, Batch.of("test", points, received_ns=T + seq))


def entries_of(count: int, *, points: int = 100, machines: int = 20, signals: int = 4, from_ns: int = T) -> list[Entry]:
    """`count` records of a plant where every machine tells every signal in turn; no two points alike."""
    table = tuple(
        Series("plant", "车间", "line-1", f"cnc {machine}", f"signal_{signal}", "kW")
        for machine in range(machines)
        for signal in range(signals)
    )
    found = []
    for seq in range(1, count + 1):
        number = np.arange(points) + (seq - 1) * points
        batch = Batch(
            source="test",
            received_ns=from_ns + seq,
            series=table,
            which=(number % len(table)).astype(np.uint32),
            t_ns=from_ns + number // len(table) * 1_000_000,
            value=number / 8,
            quality=np.zeros(points, dtype=np.uint32),
            clock=np.zeros(points, dtype=np.uint8),
        )
        found.append(Entry(seq, batch))
    return found


def values(entries: Iterable[Entry]) -> dict[tuple[str, str, int], float | str]:
    """(machine, signal, ns) to value of every point."""
    return {
        (point.series.machine, point.series.signal, point.t_ns): point.value
        for each in entries
        for point in each.batch.points()
    }


class MemoryCursor:
    """A cursor over a list of records; `started` is set by the first commit, `done` when everything is committed."""

    def __init__(self, entries: list[Entry], state: bytes = b"") -> None:
        self.entries = entries
        self.state = state
        self.position = 0
        self.commits: list[tuple[int, bytes]] = []
        self.started = asyncio.Event()
        self.done = asyncio.Event()
        self._more = asyncio.Event()

    def add(self, entry: Entry) -> None:
        """One more record, durable from now on."""
        self.entries.append(entry)
        self.done.clear()
        self._more.set()

    async def read(self, *, max_points: int, linger_s: float) -> list[Entry]:
        while not (left := [each for each in self.entries if each.seq > self.position]):
            self.done.set()
            self._more.clear()
            await self._more.wait()
        found, points = [left[0]], len(left[0].batch)
        for each in left[1:]:
            points += len(each.batch)
            if points > max_points:
                break
            found.append(each)
        return found

    async def commit(self, seq: int, state: bytes) -> None:
        self.position, self.state = seq, state
        self.commits.append((seq, state))
        self.started.set()

    def pending(self) -> tuple[int, int]:
        left = [each for each in self.entries if each.seq > self.position]
        return sum(len(each.batch) for each in left), left[0].batch.received_ns if left else 0


def config_for(url: str, token_file: Path, **settings: object) -> InfluxConfig:
    """A sink's configuration."""
    known = {"kind": "influxdb", "url": url, "org": "plant", "bucket": "telemetry", "token_file": str(token_file)}
    return InfluxConfig.model_validate({**known, **settings})


class Outcome:
    """A sink with its status and the dead letters it wrote."""

    def __init__(self, config: InfluxConfig, **inner: Any) -> None:
        self.status = SinkStatus(kind="influxdb")
        self.dead_letters: list[DeadLetter] = []
        self.sink = InfluxSink(config, status=self.status, dead_letter=self._keep, **inner)

    async def _keep(self, letter: DeadLetter) -> None:
        self.dead_letters.append(letter)
