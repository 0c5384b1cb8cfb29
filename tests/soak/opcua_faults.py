"""The OPC UA fault matrix: what each fault costs. --count is the longest freeze, in seconds; 30 by default.

The truth is what the server's own history file holds, or, where it keeps none, a counter that rises by one at every
step: what of it is not in the log, between the first and the newest value there, is missing. A missing value that no
gap record covers was lost in silence: `acked_lost`.
"""

from __future__ import annotations

import asyncio
import math
import re
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.fakes.chaos import Proxy, proxy
from tests.servers.opcua import Child, asyncua_server
from tests.soak.finding import Finding

LONGEST_S = 30
STEP_S = 0.1
LIFE = 1_000_000  # what the counter begins with in a second life of the server
MARGIN_NS = 2_000_000_000  # the ends of a gap are known to a keep-alive
BEFORE, AFTER = 10, 15  # values that have to come before and after the fault


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault cost."""

    fault: str
    historizing: bool
    values: int
    values_missing: int
    acked_lost: int
    blind_s: float  # the longest time without a value
    gaps: int
    recovered: int  # points from the server's history


@dataclass(slots=True)
class Stage:
    """What a fault can be done to."""

    server: Child
    between: Proxy
    recorder: Recorder
    longest_s: float
    folder: Path


Fault = Callable[[Stage], Awaitable[None]]


async def cut(stage: Stage) -> None:
    """Every connection is reset."""
    stage.between.cut()


async def cut_again_and_again(stage: Stage) -> None:
    """Five resets, one a second."""
    for _ in range(5):
        stage.between.cut()
        await asyncio.sleep(1)


async def half_open(stage: Stage) -> None:
    """Nothing gets through, and nobody is told."""
    stage.between.swallow()
    await asyncio.sleep(6)
    stage.between.cut()
    stage.between.flow()


async def slow(stage: Stage) -> None:
    """Half a second for every block, for a while."""
    stage.between.delay_s = 0.5
    await asyncio.sleep(6)
    stage.between.delay_s = 0.0


async def unreachable(stage: Stage) -> None:
    """Nobody listens for longer than the server's queues last."""
    await stage.between.close()
    await asyncio.sleep(15)
    await stage.between.open()


async def forgotten(stage: Stage) -> None:
    """The server ends all sessions and their subscriptions."""
    stage.server.do("end_sessions")


async def frozen_shortly(stage: Stage) -> None:
    """SIGSTOP for 3 s."""
    await _frozen(stage, 3)


async def frozen_long(stage: Stage) -> None:
    """SIGSTOP for as long as --count says."""
    await _frozen(stage, stage.longest_s)


async def _frozen(stage: Stage, seconds: float) -> None:
    stage.server.freeze()
    await asyncio.sleep(seconds)
    stage.server.thaw()


async def restarted(stage: Stage) -> None:
    """SIGKILL, and a second life on the same port."""
    stage.server.kill()
    await asyncio.sleep(2)
    stage.server.start(first=LIFE)


async def namespaces_reordered(stage: Stage) -> None:
    """A second life in which the namespaces have other indexes."""
    stage.server.kill()
    stage.server.start(first=LIFE, swapped=True)


async def message_lost(stage: Stage) -> None:
    """One message with values never arrives."""
    stage.server.do("drop_next")


async def node_removed_and_returned(stage: Stage) -> None:
    """Another node goes and comes back."""
    stage.server.do("delete", name="Other")
    await asyncio.sleep(2)
    stage.server.do("add", name="Other", value=2.0)


async def nothing(_stage: Stage) -> None:
    """The server is odd from the beginning; nothing else happens."""


MATRIX: tuple[tuple[str, Fault, dict[str, object]], ...] = (
    ("cut", cut, {}),
    ("cut five times", cut_again_and_again, {}),
    ("half-open for 6 s", half_open, {}),
    ("slow for 6 s", slow, {}),
    ("unreachable for 15 s", unreachable, {}),
    ("sessions ended by the server", forgotten, {}),
    ("SIGSTOP 3 s", frozen_shortly, {}),
    ("SIGSTOP long", frozen_long, {}),
    ("SIGKILL and restart", restarted, {}),
    ("restart, namespaces reordered", namespaces_reordered, {}),
    ("message lost", message_lost, {}),
    ("node removed and returned", node_removed_and_returned, {"values": {"Other": ["Double", 1.0]}}),
    ("limit of 100 items a call", cut, {"counters": 250, "per_call": 100, "per_read": 100}),
    ("keep-alive revised", cut, {"keep_alive": 40}),
    ("publishing interval revised", cut, {"publishing_ms": 700}),
)
WITHOUT_HISTORY = ("cut", "cut five times", "half-open for 6 s", "SIGSTOP 3 s", "message lost")


def soak(count: int | None, *, only: tuple[str, ...] = ()) -> Finding:
    """Run every row, or those that are named."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    began = time.monotonic()
    rows = asyncio.run(_matrix(count or LONGEST_S, only))
    facts = {
        "rows": [asdict(row) for row in rows],
        "values_missing": sum(row.values_missing for row in rows if row.historizing),
        "acked_lost": sum(row.acked_lost for row in rows),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, facts["values_missing"] == 0 and facts["acked_lost"] == 0)


async def _matrix(longest_s: float, only: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for name, fault, options in MATRIX:
        for historizing in (True, False):
            if (not only or name in only) and (historizing or name in WITHOUT_HISTORY):
                with TemporaryDirectory(prefix="raceway-opcua-") as folder:
                    rows.append(await _row(name, fault, options, historizing, longest_s, Path(folder)))
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


async def _row(
    name: str, fault: Fault, options: dict[str, object], historizing: bool, longest_s: float, folder: Path
) -> Row:
    recorder = Recorder()
    kept = {"historizing": True, "history_file": str(folder / "history.sqlite")} if historizing else {}
    with asyncua_server(**{"period_s": STEP_S, **options}, **kept) as server:
        async with proxy(server.port) as between:
            tags = [tag(f"C{number}") for number in range(int(str(options.get("counters", 1))))]
            tags += [tag(other) for other in options.get("values", {})]  # type: ignore[attr-defined]
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", tags)
            async with supervised(config, recorder):
                await recorder.until(lambda: len(recorder.values("C0")) >= BEFORE, within_s=30)
                await fault(Stage(server, between, recorder, longest_s, folder))
                done_ns = time.time_ns()
                await recorder.until(lambda: _newer(recorder, done_ns) >= AFTER, within_s=60)
        ledger = _ledger(folder / "history.sqlite") if historizing else None
    return _counted(name, recorder, ledger)


def _ledger(path: Path) -> list[float]:
    """Every value of the counter that the server wrote down, in the order of its lives."""
    with closing(sqlite3.connect(path)) as history:
        return [float(value) for (value,) in history.execute("SELECT Value FROM of_C0 ORDER BY _Id")]


def _newer(recorder: Recorder, t_ns: int) -> int:
    """How many values were measured after a time."""
    return sum(point.t_ns > t_ns for point in recorder.points("C0"))


def _counted(name: str, recorder: Recorder, ledger: list[float] | None) -> Row:
    """Compare what is there with what there was."""
    times = {float(point.value): point.t_ns for point in recorder.points("C0") if float(point.value) == point.value}
    seen = sorted(times)
    truth = ledger or [float(value) for value in range(math.ceil(seen[0]), math.floor(seen[-1]) + 1)]
    known = [place for place, value in enumerate(truth) if value in times]  # the history's end lags behind
    span = truth[known[0] : known[-1] + 1]
    missing = [value for value in span if value not in times]
    covered = [(gap.from_ns - MARGIN_NS, gap.to_ns + MARGIN_NS) for gap in recorder.gaps]
    silent = [value for value in missing if not any(a <= _when(value, times) <= b for a, b in covered)]
    arrivals = sorted(batch.received_ns for batch in recorder.batches)
    blind_ns = max((after - before for before, after in pairwise(arrivals)), default=0)
    recovered = sum(int(found) for gap in recorder.gaps for found in re.findall(r"(\d+) points recovered", gap.detail))
    return Row(
        fault=name,
        historizing=ledger is not None,
        values=len(times),
        values_missing=len(missing),
        acked_lost=len(silent),
        blind_s=round(blind_ns / 1e9, 1),
        gaps=len(recorder.gaps),
        recovered=recovered,
    )


def _when(value: float, times: dict[float, int]) -> int:
    """About when a missing value was measured: so many steps after the newest one before it."""
    before = max(one for one in times if one < value)
    return times[before] + int((value - before) * STEP_S * 1e9)
