"""`outage`: days without InfluxDB at 1,000 points a second, then its return: memory, and how old the newest value is.

The log is a real one on disk. Time is virtual, for the log and for whoever waits: nothing depends on how fast the
machine is. The server takes so many points a second, whichever lane they come from. `--count`: hours away.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import structlog

from agent.backoff import Backoff
from agent.drain import Pace, drain_live_first
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from agent.store.config import StoreConfig
from agent.store.files import OsFiles
from agent.store.lanes import Lanes
from collectors.points import Batch, Series
from tests.fakes.sim_log import LoopClocks, SimLog
from tests.fakes.virtual_time import run
from tests.soak.finding import Finding

PER_S = 1_000
BATCH_S = 10  # of virtual time in one batch during the outage
TEND_S = 60
TAKES_PER_S = 400_000  # about what an InfluxDB 2.7 on two cores does
MOST_RSS_MB, MOST_LAG_S = 150.0, 5.0
_SERIES = tuple(Series("plant", "", "", f"machine-{row // 10}", f"signal_{row % 10}") for row in range(PER_S))
_BEGAN_NS = 1_795_526_024_000_000_000


class Server:
    """Away or there; counts every point, and notes how old new ones are when they come."""

    name = "influx"
    beginning = b"?"
    buried = 0

    def __init__(self, clocks: LoopClocks) -> None:
        self.is_away = True
        self.points = 0
        self.back_ns = 0  # when it was found to be back
        self.worst_lag_s = 0.0
        self._clocks = clocks
        self._turn = asyncio.Lock()

    def restore(self, state: bytes) -> None:
        pass

    def joined(self, older: bytes, newer: bytes) -> bytes:
        return newer

    async def write(self, entries: Sequence[Entry]) -> bytes:
        if self.is_away:
            raise Retry("away", blocked="refused")
        self.back_ns = self.back_ns or self._clocks.wall_ns()
        points = sum(len(entry.batch) for entry in entries)
        async with self._turn:
            await asyncio.sleep(points / TAKES_PER_S)
        self.points += points
        new = [entry.batch.received_ns for entry in entries if entry.batch.received_ns > self.back_ns]
        self.worst_lag_s = max(self.worst_lag_s, (self._clocks.wall_ns() - min(new)) / 1e9 if new else 0.0)
        return b""


class Plant:
    """A log that gets a batch now and then, and how much memory all of it takes."""

    def __init__(self, log: SimLog, clocks: LoopClocks) -> None:
        self.log = log
        self.points = 0
        self.rss_mb: list[float] = []
        self._clocks = clocks
        self._chance = np.random.default_rng(1)
        self._tended = 0.0

    async def produce(self, *, span_s: int, is_enough: Callable[[], bool]) -> None:
        """A batch every `span_s` seconds."""
        for batch in self._batches(span_s):
            self.log.append(batch)
            self.points += len(batch)
            self.rss_mb.append(_rss_mb())
            await asyncio.sleep(span_s)
            if (now_s := asyncio.get_running_loop().time()) - self._tended >= TEND_S:
                self._tended = now_s
                self.log.journal.tend()
            if is_enough():
                return

    def _batches(self, span_s: int) -> Iterator[Batch]:
        """What the plant makes from now on, all series each second; no compression makes much of the values."""
        n = PER_S * span_s
        which, zeros = np.tile(np.arange(PER_S, dtype=np.uint32), span_s), np.zeros(n, np.uint32)
        steps = np.repeat(np.arange(span_s, dtype=np.int64), PER_S) * 10**9
        while True:
            value = self._chance.normal(100, 3, n)
            now_ns = self._clocks.wall_ns()
            yield Batch("plant", now_ns, _SERIES, which, now_ns + steps, value, zeros, zeros.astype(np.uint8))


def story(hours: float, directory: Path) -> dict[str, float]:
    """The outage and the return; figures."""
    with structlog.testing.capture_logs():
        return run(_story(hours, directory))


async def _story(hours: float, directory: Path) -> dict[str, float]:
    away_s = hours * 3_600
    quota_mb = max(500, int(away_s * PER_S * 14 / 1e6) * 2)
    clocks = LoopClocks(_BEGAN_NS)
    log = SimLog(OsFiles(), clocks, config=StoreConfig(quota_mb=quota_mb), directory=directory)
    plant, server, lanes, loop = Plant(log, clocks), Server(clocks), log.lanes("influx"), asyncio.get_running_loop()
    work = asyncio.create_task(_drained(lanes, server))
    await plant.produce(span_s=BATCH_S, is_enough=lambda: loop.time() >= away_s)
    waiting, server.is_away = lanes.pending()[0], False
    await plant.produce(
        span_s=1, is_enough=lambda: work.done() or (server.points > waiting and not lanes.pending()[0])
    )  # fmt: skip
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    log.journal.close()
    return {
        "points": plant.points,
        "waiting": waiting,
        "missing": plant.points - server.points,
        "replay_s": round(loop.time() - (server.back_ns - _BEGAN_NS) / 1e9),
        "worst_lag_s": round(server.worst_lag_s, 2),
        "disk_mb": round(log.journal.bytes_written() / 1e6),
        "rss_mb_first": round(plant.rss_mb[len(plant.rss_mb) // 20], 1),
        "rss_mb_most": round(max(plant.rss_mb), 1),
    }


async def _drained(lanes: Lanes, server: Server) -> None:
    await drain_live_first(
        lanes,
        lambda: server,
        SinkStatus("influxdb"),
        max_points=20_000,
        linger_s=0.0,
        pace=Pace(begin_within_s=5.0, uniform=random.Random(2).uniform),
        backoff=lambda: Backoff(uniform=random.Random(1).uniform),
    )


def _rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def soak(count: int | None) -> Finding:
    """An outage of 168 hours, or `count`; 168 hours need about 5 GB in the folder for temporary files meanwhile."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        found = story(count or 168, Path(directory))
    is_well = not found["missing"] and found["rss_mb_most"] <= MOST_RSS_MB and found["worst_lag_s"] <= MOST_LAG_S
    return Finding({"count": count or 168, **found, "seconds": round(time.monotonic() - started, 1)}, is_well)
