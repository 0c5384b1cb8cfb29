"""`poison`: 1 to 500 points that the server refuses among 100,000; those are dead-lettered, in few requests."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from isal import igzip

from agent.influx.answers import Answer
from agent.influx.config import InfluxConfig
from agent.sink import Entry
from collectors.points import Batch, Series
from collectors.secrets import SecretFile
from tests.agent.influx.worlds import Outcome, T
from tests.fakes.influx_database import Database, Key
from tests.fakes.virtual_time import run
from tests.soak.finding import Finding

R = TypeVar("R")
Trouble = Literal["conflict", "retention", "both"]

_POINTS = 100_000
_HOUR_NS = 3_600 * 10**9
_BAD = 40  # the row of the series whose type conflicts
_CONFIG = InfluxConfig(
    kind="influxdb", url="http://influx.invalid", org="plant", bucket="telemetry", token_file=SecretFile(Path("none"))
)


class Result(NamedTuple):
    """One search."""

    poison: int
    wrongly_buried: int
    wrongly_delivered: int
    missing: int
    requests: int
    bound: int

    @property
    def is_well(self) -> bool:
        """Exactly the poison was dead-lettered, everything else delivered, in time."""
        return not any(self[1:4]) and self.requests <= self.bound


def search(poison: int, *, trouble: Trouble, style: Literal["2.7", "3"], seed: int, points: int = _POINTS) -> Result:
    """Deliver `points` points, `poison` of which cannot be, at random places."""
    database = Database(style=style, keep_from_ns=T - _HOUR_NS)
    database.write(b'raceway,machine=other bad="text" %d\n' % T)
    database.points.clear()
    chosen = random.Random(seed).sample(range(points), poison)
    cut = {"conflict": poison, "retention": 0, "both": poison // 2}[trouble]
    entries, expected = _entries(points, conflicting=chosen[:cut], old=chosen[cut:])
    requests = 0

    def post(packed: bytes) -> Answer:
        nonlocal requests
        requests += 1
        return Answer(*database.write(igzip.decompress(packed)))

    async def inline(call: Callable[[], R]) -> R:
        return call()

    out = Outcome(_CONFIG, post=post, aside=inline)

    async def main() -> None:
        for entry in entries:
            await out.sink.write([entry])

    run(main())
    buried = _keys(b"".join(letter.payload for letter in out.dead_letters))
    return Result(
        poison=poison,
        wrongly_buried=len(buried - expected),
        wrongly_delivered=len(expected & database.points.keys()) + len(expected - buried),
        missing=points - poison - len(database.points),
        requests=requests,
        bound=math.ceil(2 * poison * math.log2(points / poison)) + poison,
    )


def _entries(points: int, *, conflicting: list[int], old: list[int]) -> tuple[list[Entry], set[Key]]:
    """Records of ten machines' four signals, and the keys of those that will be refused."""
    table = tuple(Series("plant", "", "", f"machine-{row // 4}", f"signal_{row % 4}") for row in range(_BAD))
    table += (Series("plant", "", "", "machine-0", "bad"),)
    number = np.arange(points)
    which = (number % _BAD).astype(np.uint32)
    which[conflicting] = _BAD
    t_ns = T + number // _BAD * 1_000_000
    t_ns[conflicting] += 1 + np.arange(len(conflicting))  # no two of one series at one time
    t_ns[old] -= 2 * _HOUR_NS
    batches = [
        Batch("poison", T, table, which[at], t_ns[at], number[at] / 8, np.zeros_like(which[at]), which[at].astype("u1"))
        for at in (slice(first, first + 20_000) for first in range(0, points, 20_000))
    ]
    keys = {
        Key(f"raceway,machine={series.machine},plant=plant", series.signal, int(t_ns[at]))
        for at in (*conflicting, *old)
        for series in [table[which[at]]]
    }
    return [Entry(seq, batch) for seq, batch in enumerate(batches, 1)], keys


def _keys(payload: bytes) -> set[Key]:
    database = Database()
    assert database.write(payload)[0] == 204
    return set(database.points)


def soak(count: int | None) -> Finding:
    """Run 30 searches, or `count`."""
    started = time.monotonic()
    troubles: tuple[Trouble, ...] = ("conflict", "retention", "both")
    results = [
        search(
            (1, 2, 5, 20, 100, 500)[seed % 6],
            trouble=troubles[seed // 6 % 3],
            style="3" if seed // 18 % 2 else "2.7",
            seed=seed,
        )
        for seed in range(count or 30)
    ]
    bad = [result for result in results if not result.is_well]
    return Finding(
        {
            "count": len(results),
            "violations": len(bad),
            "poison": sum(result.poison for result in results),
            "requests": sum(result.requests for result in results),
            "requests_allowed": sum(result.bound for result in results),
            "seconds": round(time.monotonic() - started, 1),
        },
        not bad,
    )
