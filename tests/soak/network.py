"""`network`: random bad networks in virtual time, and a database that must hold exactly what was produced.

One schedule is minutes long: records are produced while the server is throttled, broken, slow to answer, behind a
portal, without name, certificate, bucket or a valid token; some points are poison; the sink's process is killed now
and then. Counts what is missing, wrong, dead-lettered without cause, and tries beyond one a second while blocked.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import structlog
from isal import igzip

from agent.backoff import Backoff
from agent.drain import drain
from agent.influx.answers import Answer
from agent.influx.config import InfluxConfig
from agent.sink import Retry
from collectors.points import BAD, GOOD, UNCERTAIN, Kind, Point, Series
from collectors.secrets import SecretFile
from tests.agent.influx.reference import expected
from tests.agent.influx.worlds import MemoryCursor, Outcome, T, entry
from tests.fakes.influx_database import Database, Key
from tests.fakes.virtual_time import run
from tests.soak.finding import Finding

R = TypeVar("R")

_HOUR_NS = 3_600 * 10**9
_PRODUCED_S = 240.0
_CONFIG = InfluxConfig(
    kind="influxdb",
    url="http://influx.invalid",
    org="plant",
    bucket="telemetry",
    token_file=SecretFile(Path("none")),
    batch_lines=50,
    batch_bytes=5_000,
    timeout_s=5,
)
_NOT_INFLUX = "<html>Please log in</html>"
_DATE = {"date": "Tue, 24 Nov 2026 13:00:00 GMT", "retry-after": "Tue, 24 Nov 2026 13:00:20 GMT"}
# Each is (answer or failure, whether the points are written nevertheless).
CONDITIONS: dict[str, tuple[Answer | Retry, bool]] = {
    "429 with seconds": (Answer(429, "", {"retry-after": "15"}), False),
    "429": (Answer(429, ""), False),
    "503 with date": (Answer(503, "", _DATE), False),
    "500": (Answer(500, '{"code":"internal error","message":"An internal error has occurred"}'), False),
    "500 but written": (Answer(500, '{"code":"internal error","message":"timeout"}'), True),
    "502": (Answer(502, "Bad Gateway"), False),
    "portal": (Answer(200, _NOT_INFLUX), False),
    "portal 404": (Answer(404, _NOT_INFLUX), False),
    "token revoked": (Answer(401, '{"code":"unauthorized","message":"unauthorized access"}'), False),
    "bucket deleted": (Answer(404, '{"code":"not found","message":"bucket not found"}'), False),
    "written, then silence": (Retry("no answer", blocked="timeout"), True),
    "silence": (Retry("no answer", blocked="timeout"), False),
    "written, then reset": (Retry("reset", blocked="refused"), True),
    "reset in the body": (Retry("reset", blocked="refused"), False),
    "no name": (Retry("no such name", blocked="dns"), False),
    "no certificate": (Retry("expired", blocked="tls"), False),
}


class Result(NamedTuple):
    """One schedule; everything but `points` and `requests` should be nothing."""

    seed: int
    points: int
    requests: int
    missing: set[Key]
    invented: set[Key]  # also those with another value than produced
    rewritten: set[Key]
    buried_wrongly: set[Key]
    not_buried: set[Key]
    hasty_tries: float  # beyond one a second while blocked

    @property
    def is_well(self) -> bool:
        """Exactly what was produced is there or dead-lettered."""
        return not any((*self[3:8], self.hasty_tries > 0))


class World:
    """A plant, a network and a database of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.database = Database(keep_from_ns=T - _HOUR_NS)
        self.database.write(b'raceway,machine=other bad="text" %d\n' % T)
        self.database.points.clear()
        self.cursor = MemoryCursor([])
        self.produced: list[Point] = []
        self.buried: set[Key] = set()
        self.poison: set[Key] = set()
        self.requests = 0
        self.failed_tries: list[float] = []
        self.hasty_tries = 0.0
        self.condition: str | None = None
        self.series = [
            Series("plant", "", "", f"machine-{machine}", signal, kind=kind)
            for machine in range(4)
            for signal, kind in (
                ("speed", Kind.GAUGE),
                ("load", Kind.GAUGE),
                ("program", Kind.TEXT),
                ("bad", Kind.GAUGE),
            )
        ]
        self.last_ns = dict.fromkeys(self.series, T)

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
        """Tries in a row that failed should be a second apart on average; three may come sooner, back-off is random."""
        if tries := self.failed_tries:
            self.hasty_tries += max(0.0, len(tries) - 3 - (tries[-1] - tries[0]))
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
        seq = 0
        while loop.time() < _PRODUCED_S:
            if points := self.record():
                seq += 1
                self.produced += points
                self.cursor.add(entry(seq, *points))
            await asyncio.sleep(self.random.expovariate(1 / 5))

    async def live(self) -> None:
        """One life of the sink's process, ended by a kill."""
        out = Outcome(_CONFIG, post=self.post, aside=self.aside)
        backoff = Backoff(uniform=self.random.uniform)
        task = asyncio.create_task(
            drain(self.cursor, out.sink, out.status, max_points=_CONFIG.max_points, linger_s=0, backoff=backoff)
        )
        await asyncio.sleep(self.random.expovariate(1 / 60) + 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._count_haste()
        self.buried |= {key for letter in out.dead_letters for key in _keys(letter.payload)}

    async def run(self, seed: int) -> Result:
        """The whole schedule."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.weather())
            producer = group.create_task(self.produce())
            while not producer.done() or self.cursor.pending()[0]:
                await self.live()
        return self._judge(seed)

    def _judge(self, seed: int) -> Result:
        held = self.database.points
        whole = expected(self.produced)
        poison = {key for key in whole if key.field == "bad" or key.t_ns < self.database.keep_from_ns}
        good = {key: value for key, value in whole.items() if key not in poison}
        return Result(
            seed=seed,
            points=len(self.produced),
            requests=self.requests,
            missing=good.keys() - held.keys(),
            invented={key for key, value in held.items() if good.get(key) != value},
            rewritten=self.database.rewritten,
            buried_wrongly=self.buried - poison,
            not_buried=poison - self.buried,
            hasty_tries=self.hasty_tries,
        )


def _keys(payload: bytes) -> set[Key]:
    """The points of a dead letter."""
    database = Database()
    assert database.write(payload)[0] == 204, payload
    return set(database.points)


def schedule(seed: int) -> Result:
    """One random network, from its seed."""

    async def main() -> Result:
        return await World(seed).run(seed)

    with structlog.testing.capture_logs():
        return run(main())


def soak(count: int | None) -> Finding:
    """Run 10,000 schedules, or `count`."""
    started = time.monotonic()
    results = [schedule(seed) for seed in range(count or 10_000)]
    bad = [result for result in results if not result.is_well]
    return Finding(
        {
            "count": len(results),
            "violations": len(bad),
            "seeds": [result.seed for result in bad[:20]],
            "points": sum(result.points for result in results),
            "requests": sum(result.requests for result in results),
            "seconds": round(time.monotonic() - started, 1),
        },
        not bad,
    )
