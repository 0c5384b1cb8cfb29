"""`outage`: days without InfluxDB at 1,000 points a second, then its return: memory, and how old the newest value is.

The log is a real one on disk, the sink is one that only counts, and time is virtual: a day is written as fast as the
disk takes it. After the return the backlog goes beside the new data, at its pace or faster. `--count`: hours away.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import structlog

from agent.drain import Pace, drain_live_first
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from agent.store.clocks import OsClocks
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Batch, Series
from tests.soak.finding import Finding

PER_S = 1_000
BATCH_S = 10  # of virtual time in one batch
MOST_RSS_MB, MOST_LAG_S = 150.0, 5.0
PACE_PER_S = 20_000
_SERIES = tuple(Series("plant", "", "", f"machine-{row // 10}", f"signal_{row % 10}") for row in range(PER_S))
_BEGAN_NS = 1_795_526_024_000_000_000


class Clock(OsClocks):
    """The gateway's clock, moved by the story."""

    now_s = 0.0

    def wall_ns(self) -> int:
        return _BEGAN_NS + int(self.now_s * 1e9)


class Server:
    """Away or there; counts every point and notes how old new ones are when they come."""

    name = "influx"
    beginning = b"?"
    buried = 0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.is_away = True
        self.points = 0
        self.back_ns = 0
        self.worst_lag_s = 0.0
        self.seen: set[int] = set()

    def restore(self, state: bytes) -> None:
        pass

    def joined(self, older: bytes, newer: bytes) -> bytes:
        return newer

    async def write(self, entries: Sequence[Entry]) -> bytes:
        if self.is_away:
            raise Retry("away", blocked="refused")
        self.seen.update(entry.seq for entry in entries)
        self.points += sum(len(entry.batch) for entry in entries)
        for _, batch in entries:
            if batch.received_ns > self.back_ns:
                self.worst_lag_s = max(self.worst_lag_s, (self.clock.wall_ns() - batch.received_ns) / 1e9)
        return b""


class Instant:
    """A back-off that lets the story go on."""

    def reset(self) -> None:
        pass

    async def pause(self, *, at_least_s: float = 0.0) -> None:
        await asyncio.sleep(0.005)


def batches(clock: Clock, *, span_s: int) -> Iterator[Batch]:
    """What the plant makes from now on, a second of all series a step; values wander slowly, as machines' do."""
    chance = np.random.default_rng(int(clock.now_s))
    n = PER_S * span_s
    which, zeros = np.tile(np.arange(PER_S, dtype=np.uint32), span_s), np.zeros(n, np.uint32)
    steps = np.repeat(np.arange(span_s, dtype=np.int64), PER_S) * 10**9
    while True:
        value = np.round(chance.normal(100, 3, PER_S), 1).repeat(span_s).reshape(PER_S, span_s).T.ravel()
        yield Batch(
            "plant", clock.wall_ns(), _SERIES, which, clock.wall_ns() + steps, value, zeros, zeros.astype(np.uint8)
        )


async def story(hours: float, directory: Path) -> dict[str, float]:
    """The outage and the return; figures."""
    clock = Clock()
    server = Server(clock)
    status = SinkStatus("influxdb")
    quota_mb = max(500, int(hours * 3600 * PER_S * 14 / 1e6) * 2)
    async with Log.open(
        StoreConfig(linger_s=0.0, quota_mb=quota_mb), directory=directory, plant="plant", clocks=clock
    ) as log:
        lanes = log.lanes("influx")
        pace = Pace(most_per_s=PACE_PER_S)
        pace.take_s = lambda points, now_s: 0.0  # type: ignore[method-assign] # the story below goes on with it
        work = drain_live_first(
            lanes,
            lambda: server,
            status,
            max_points=20_000,
            linger_s=0.0,
            pace=pace,
            backoff=Instant,  # type: ignore[arg-type]
        )
        task = asyncio.create_task(work)
        rss = [_rss_mb()]
        for batch in batches(clock, span_s=BATCH_S):
            await log.append(batch)
            clock.now_s += BATCH_S
            rss.append(_rss_mb())
            if clock.now_s >= hours * 3600:
                break
        waiting = lanes.pending()[0]
        server.is_away, server.back_ns = False, clock.wall_ns() + 1
        replayed_s = 0
        for batch in batches(clock, span_s=1):
            clock.now_s += 1
            replayed_s += 1
            await log.append(batch)
            goal = server.points + PACE_PER_S
            while len(lanes) == 2 and server.points < goal and not task.done():  # noqa: ASYNC110 - real time
                await asyncio.sleep(0)
            rss.append(_rss_mb())
            if len(lanes) == 1 and replayed_s > 5:
                break
        async with asyncio.timeout(60):
            while lanes.pending()[0]:  # noqa: ASYNC110 - another thread's work
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        produced = int(str(log.status()["points"]))
    return {
        "points": produced,
        "waiting": waiting,
        "missing": produced - server.points,
        "replayed_s": replayed_s,
        "worst_lag_s": round(server.worst_lag_s, 2),
        "rss_mb_first": round(rss[len(rss) // 20], 1),
        "rss_mb_most": round(max(rss), 1),
    }


def _rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def soak(count: int | None) -> Finding:
    """An outage of 168 hours, or `count`."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, structlog.testing.capture_logs():
        found = asyncio.run(story(count or 168, Path(directory)))
    is_well = not found["missing"] and found["rss_mb_most"] <= MOST_RSS_MB and found["worst_lag_s"] <= MOST_LAG_S
    return Finding({"count": count or 168, **found, "seconds": round(time.monotonic() - started, 1)}, is_well)
