"""`network`: random bad networks in virtual time, and a database that must hold exactly what was produced.

One schedule is minutes long: records are produced while the server is throttled, broken, slow to answer, behind a
portal, without name, certificate, bucket or a valid token; some points are poison; the process is killed now and then,
sometimes by a power cut; figures of a span of time come again corrected. Whoever falls behind gets lanes. One
schedule in four has a disk so small that the oldest records are dropped with a gap. Counts what is missing without a
gap, wrong, dead-lettered without cause, what the log counts wrongly as waiting, and tries beyond one a second while
blocked.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import structlog
from isal import igzip

from agent.backoff import Backoff
from agent.drain import Pace, drain_live_first
from agent.influx.answers import Answer
from agent.influx.config import InfluxConfig
from agent.influx.memory import Memory
from agent.influx.sink import InfluxSink
from agent.sink import Retry
from agent.status import SinkStatus
from agent.store.config import StoreConfig
from agent.store.room import Shares
from collectors.points import BAD, GOOD, UNCERTAIN, Batch, DeadLetter, Kind, Point, Series, Stream
from collectors.secrets import SecretFile
from tests.agent.influx.reference import compared
from tests.agent.influx.worlds import T
from tests.fakes.conditions import CONDITIONS
from tests.fakes.influx_database import Database, Key
from tests.fakes.sim_log import LoopClocks, SimLog
from tests.fakes.virtual_time import run
from tests.model.simfs import SimFiles
from tests.soak.finding import Finding

R = TypeVar("R")

_HOUR_NS = 3_600 * 10**9
_PRODUCED_S, _GIVEN_UP_S = 240.0, 4 * 3_600.0
_CONFIG = InfluxConfig(
    kind="influxdb", url="http://influx.invalid", org="plant", bucket="telemetry", token_file=SecretFile(Path("none")),
    batch_lines=8, batch_bytes=5_000, timeout_s=5,
)  # fmt: skip
_BEAT = Series("plant", "", "", "gateway", "beat")


_AMPLE, _SMALL = StoreConfig(segment_mb=1 / 64), StoreConfig(segment_mb=1 / 512)


class _Scarce(StoreConfig):
    """Hardly any room for telemetry."""

    def quota_bytes(self, share: float) -> int:
        return super().quota_bytes(share) - (Shares.of(_SMALL).telemetry - 12_000 if share == 1.0 else 0)


_SCARCE = _Scarce(segment_mb=_SMALL.segment_mb)


class Result(NamedTuple):
    """One schedule; everything from `missing` on should be nothing."""

    seed: int
    points: int
    requests: int
    lanes: int  # most at a time
    lost: int  # points that gaps account for
    missing: int  # neither there nor dead-lettered, beyond what gaps account for
    invented: set[Key]  # also those with another value than produced
    rewritten: set[Key]
    buried_wrongly: set[Key]
    unfinished: bool  # the log still holds something for the sink after hours
    miscounted: int  # points that the log still takes for waiting
    hasty_tries: float  # beyond one a second while blocked

    @property
    def is_well(self) -> bool:
        """Exactly what was produced is there, dead-lettered, or named in a gap."""
        return not any((*self[5:11], self.hasty_tries > 0))


class World:
    """A plant, a network and a database of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.database = Database(keep_from_ns=T - _HOUR_NS)
        self.database.write(b'raceway,machine=other bad="text" %d\n' % T)
        self.database.points.clear()
        self.files = SimFiles()
        self.store = _SCARCE if seed % 4 == 3 else _AMPLE
        self.log = SimLog(self.files, LoopClocks(T), config=self.store)
        self.produced: list[Point] = []
        self.letters: list[DeadLetter] = []
        self.requests, self.most_lanes, self.hasty_tries = 0, 1, 0.0
        self.failed_tries: list[float] = []
        self.condition: str | None = None
        self.series = [
            Series("plant", "", "", f"machine-{machine}", signal, kind=Kind.TEXT if signal == "program" else Kind.GAUGE)
            for machine in range(4)
            for signal in ("speed", "load", "program", "bad")
        ]
        self.last_ns = dict.fromkeys(self.series, T)
        self.windows = [Series("plant", "", "", f"meter-{meter}", "energy", kind=Kind.WINDOW) for meter in range(2)]

    def post(self, packed: bytes) -> Answer:
        """The network and the server in its present condition; one request in twenty fails in some way of its own."""
        self.requests += 1
        flaw = self.condition
        if flaw is None and self.random.random() < 0.05:
            flaw = self.random.choice(list(CONDITIONS))
        if flaw is None:
            return Answer(*self.database.write(igzip.decompress(packed)))
        outcome, is_written = CONDITIONS[flaw]
        if is_written:
            self.database.write(igzip.decompress(packed))
        if isinstance(outcome, Retry):
            raise Retry(outcome.reason, blocked=outcome.blocked)
        return outcome

    async def aside(self, call: Callable[[], R]) -> R:
        """A try takes a while, one that is never answered takes long."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.random.uniform(0.01, 0.3))
        try:
            result = call()
        except Retry as retry:
            self.failed_tries.append(loop.time())
            if retry.blocked == "timeout":
                await asyncio.sleep(_CONFIG.timeout_s)
            raise
        self._count_haste()
        return result

    def _count_haste(self) -> None:
        """Tries in a row that failed are a second apart on average; four may come sooner, by two lanes and chance."""
        if tries := self.failed_tries:
            self.hasty_tries += max(0.0, len(tries) - 4 - (tries[-1] - tries[0]))
            tries.clear()

    def record(self) -> list[Point]:
        """A few new points, each series' own time rising; some will be refused."""
        found = []
        for series in self.random.sample(self.series, self.random.randint(1, len(self.series))):
            if series.signal == "bad" and self.random.random() < 0.8:
                continue
            self.last_ns[series] += self.random.randint(1, 10**9)
            t_ns = self.last_ns[series] - (2 * _HOUR_NS if self.random.random() < 0.02 else 0)
            is_poison = series.signal == "bad" or t_ns < self.database.keep_from_ns
            quality = GOOD if is_poison else self.random.choice([GOOD] * 8 + [UNCERTAIN, BAD])
            value = f"p{self.random.random()}" if series.kind is Kind.TEXT else self.random.gauss(0, 100)
            found.append(Point(series, t_ns, value, quality))
        return found

    def figures(self, now_s: float) -> list[Point]:
        """Figures of the spans of ten seconds that are over, any of them, again and again."""
        over, chance = int(now_s) // 10, self.random
        return [
            Point(series, T + chance.randint(0, over) * 10**10, chance.gauss(0, 100), chance.choice([GOOD, UNCERTAIN]))
            for series in self.windows
            if chance.random() < 0.3
        ]

    async def weather(self) -> None:
        """Good and bad times by turns, until nothing more is produced; then good for ever."""
        loop = asyncio.get_running_loop()
        while loop.time() < _PRODUCED_S:
            self.condition = self.random.choice([None, *CONDITIONS]) if self.condition is None else None
            self.database.most_bytes = self.random.choice([2**62, 2**62, 2_000])
            await asyncio.sleep(self.random.expovariate(1 / 12))
        self.condition, self.database.most_bytes = None, 2**62

    async def produce(self) -> None:
        """Records at random moments."""
        loop = asyncio.get_running_loop()
        while loop.time() < _PRODUCED_S:
            self.tell(self.record())
            self.tell(self.figures(loop.time()), stream=Stream.RECORDS)
            await asyncio.sleep(self.random.expovariate(1 / 3))

    def tell(self, points: list[Point], *, stream: Stream = Stream.TELEMETRY) -> None:
        """One record, durable."""
        if points:
            self.produced += points
            self.log.append(Batch.of("plant", points, received_ns=LoopClocks(T).wall_ns(), stream=stream))

    def sink(self) -> InfluxSink:
        """One lane's."""
        return InfluxSink(_CONFIG, status=self.status, dead_letter=self._bury, post=self.post, aside=self.aside)

    async def _bury(self, letter: DeadLetter) -> None:
        self.log.append(letter)
        self.letters.append(letter)

    async def live(self) -> None:
        """One life of the process, ended by a kill or a power cut."""
        self.status = SinkStatus("influxdb")
        lanes = self.log.lanes("influx")
        pace = Pace(most_per_s=self.random.choice([20, 200, math.inf]), begin_within_s=10, uniform=self.random.uniform)
        work = drain_live_first(
            lanes, self.sink, self.status, max_points=_CONFIG.max_points, linger_s=0, pace=pace,
            backoff=lambda: Backoff(uniform=self.random.uniform),
        )  # fmt: skip
        task = asyncio.create_task(work)
        began = (loop := asyncio.get_running_loop()).time()
        end_s = began + self.random.expovariate(1 / 60) + 1
        while loop.time() < end_s and not self.is_done():
            await asyncio.sleep(1)
            if loop.time() // 30 != began // 30:
                began = loop.time()
                self.log.journal.tend()
                self.tell([Point(_BEAT, LoopClocks(T).wall_ns(), 1.0)])
            self.most_lanes = max(self.most_lanes, len(lanes))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._count_haste()
        if not self.is_done():
            self.files.crash(self.random) if self.random.random() < 0.3 else self.files.kill()
            self.log = SimLog(self.files, LoopClocks(T), config=self.store)

    def is_done(self) -> bool:
        """Nothing more will come, and one lane has it all."""
        place = self.log.place("influx").confirmed
        is_over = asyncio.get_running_loop().time() >= _PRODUCED_S + 60
        is_told = not place.later and not Memory.unpack(place.state).again
        return is_over and is_told and place.seq == self.log.journal.durable_seq

    async def run(self, seed: int) -> Result:
        """The whole schedule."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.weather())
            group.create_task(self.produce())
            while not self.is_done() and asyncio.get_running_loop().time() < _GIVEN_UP_S:
                await self.live()
        return self._judge(seed)

    def _judge(self, seed: int) -> Result:
        found = compared(self.produced, self.database, self.letters)
        place = self.log.place("influx")
        return Result(
            seed=seed,
            points=len(self.produced),
            requests=self.requests,
            lanes=self.most_lanes,
            lost=found.lost,
            missing=found.missing,
            invented=found.invented,
            rewritten={key for key in self.database.rewritten if not key.field.startswith("energy")},
            buried_wrongly=found.buried_wrongly,
            unfinished=not self.is_done(),
            miscounted=abs(self.log.journal.counts.points - place.points_done - place.points_dropped),
            hasty_tries=self.hasty_tries,
        )


def schedule(seed: int) -> Result:
    """One random network, from its seed."""

    async def main() -> Result:
        return await World(seed).run(seed)

    with structlog.testing.capture_logs():
        return run(main())


def soak(count: int | None) -> Finding:
    """Run 10,000 schedules, or `count`."""
    started = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count(), initializer=partial(gc.set_threshold, 100_000)) as pool:
        results = list(pool.map(schedule, range(count or 10_000), chunksize=20))
    bad = [result for result in results if not result.is_well]
    return Finding(
        {
            "count": len(results),
            "violations": len(bad),
            "seeds": [result.seed for result in bad[:20]],
            "points": sum(result.points for result in results),
            "lost_with_gap": sum(result.lost for result in results),
            "with_lanes": sum(result.lanes > 1 for result in results),
            "most_lanes": max(result.lanes for result in results),
            "requests": sum(result.requests for result in results),
            "seconds": round(time.monotonic() - started, 1),
        },
        not bad,
    )
