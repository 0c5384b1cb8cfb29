"""The OPC UA fault matrix: what each fault costs. --count is the longest freeze, in seconds; 300 by default.

The truth is what the server's own history file holds, or, where it keeps none, a counter that rises by one at every
step: what of it is not in the log, between the first and the newest value there, is missing. A missing value that no
gap record covers was lost in silence: `acked_lost`.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from collectors.opcua.config import OpcUaConfig
from collectors.opcua.probe import probe
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.collectors.opcua.stage import MATRIX, Row, Stage, approve_all, server_files
from tests.fakes.chaos import proxy
from tests.servers.opcua import asyncua_server
from tests.soak.finding import Finding

LONGEST_S = 300
STEP_S = 0.1
MARGIN_NS = 2_000_000_000  # the ends of a gap are known to a keep-alive
BEFORE, AFTER = 10, 15  # values that have to come before and after the fault


@dataclass(frozen=True, slots=True)
class Cost:
    """What one fault cost."""

    fault: str
    historizing: bool
    values: int
    values_missing: int
    acked_lost: int
    blind_s: float  # the longest time without a value
    back_s: float  # from the end of the fault, when the server answers again, to the first value
    gaps: int
    recovered: int  # points from the server's history


def soak(count: int | None, *, only: tuple[str, ...] = ()) -> Finding:
    """Run every row, or those that are named."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    began = time.monotonic()
    costs = asyncio.run(_matrix(count or LONGEST_S, only))
    facts = {
        "rows": [asdict(cost) for cost in costs],
        "values_missing": sum(cost.values_missing for cost in costs if cost.historizing),
        "acked_lost": sum(cost.acked_lost for cost in costs),
        "slowest_back_s": max((cost.back_s for cost in costs), default=0.0),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, facts["values_missing"] == 0 and facts["acked_lost"] == 0)


async def _matrix(longest_s: float, only: tuple[str, ...]) -> list[Cost]:
    costs: list[Cost] = []
    for row in MATRIX:
        for historizing in (True, False):
            if (not only or row.name in only) and (historizing or row.without_history):
                with TemporaryDirectory(prefix="raceway-opcua-") as folder:
                    costs.append(await _done(row, historizing, longest_s, Path(folder)))
                print(costs[-1], file=sys.stderr, flush=True)
    return costs


async def _done(row: Row, historizing: bool, longest_s: float, folder: Path) -> Cost:
    """Do one fault to a server of its own, until the counter has been coming for a while again."""
    recorder = Recorder()
    history = {"historizing": True, "history_file": str(folder / "history.sqlite")} if historizing else {}
    files = server_files(folder, "server") if row.is_secured else {}
    with asyncua_server(**{"period_s": STEP_S, **row.server}, **history, **files) as server:
        async with proxy(server.port) as between:
            config = _config(row, between.port, folder)
            if row.is_secured:
                await probe(config, plant="p", timeout_s=10)
                approve_all(folder)
            async with supervised(config, recorder):
                await recorder.until(lambda: len(recorder.values("C0")) >= BEFORE, within_s=30)
                await row.fault(Stage(server, between, recorder, longest_s, folder))
                done_ns = time.time_ns()
                await recorder.until(lambda: _newer(recorder, done_ns) >= AFTER, within_s=90)
                await recorder.until(
                    lambda: not any("goes on" in gap.detail for gap in recorder.last_gaps), within_s=60
                )
        ledger = _ledger(folder / "history.sqlite") if historizing else None
    return _counted(row.name, recorder, ledger, done_ns)


def _config(row: Row, port: int, folder: Path) -> OpcUaConfig:
    tags = [tag(f"C{number}") for number in range(row.server.get("counters", 1))]
    tags += [tag(other) for other in row.server.get("values", {})]
    security = {"security": {"policy": "Basic256Sha256", "pki": str(folder / "pki")}} if row.is_secured else {}
    return configured(f"opc.tcp://127.0.0.1:{port}", tags, connect_timeout_s=10, **security)


def _ledger(path: Path) -> list[float]:
    """Every value of the counter that the server wrote down, in the order of its lives."""
    with closing(sqlite3.connect(path)) as history:
        return [float(value) for (value,) in history.execute("SELECT Value FROM of_C0 ORDER BY _Id")]


def _newer(recorder: Recorder, t_ns: int) -> int:
    """How many values were measured after a time."""
    return sum(point.t_ns > t_ns for point in recorder.points("C0"))


def _counted(name: str, recorder: Recorder, ledger: list[float] | None, done_ns: int) -> Cost:
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
    return Cost(
        fault=name,
        historizing=ledger is not None,
        values=len(times),
        values_missing=len(missing),
        acked_lost=len(silent),
        blind_s=_seconds(max((after - before for before, after in pairwise(arrivals)), default=0)),
        back_s=_seconds(min(after for after in arrivals if after > done_ns) - done_ns),
        gaps=len(recorder.last_gaps),
        recovered=sum(gap.recovered or 0 for gap in recorder.last_gaps),
    )


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 1)


def _when(value: float, times: dict[float, Any]) -> int:
    """About when a missing value was measured: so many steps after the newest one before it."""
    before = max(one for one in times if one < value)
    return times[before] + int((value - before) * STEP_S * 1e9)
