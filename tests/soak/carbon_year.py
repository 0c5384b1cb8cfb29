"""A year of 60 machines through the accounting, against the truth of their readings. --count is days, 365 by default.

Registers wrap, meters and transformers are changed, the network is away, readings come days late, the agent is killed.
What is complete must be exact, to the millionth of a kWh; what lies in a gap must add up to the register.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from agent.carbon.config import CarbonConfig
from agent.carbon.evidence import gather
from agent.carbon.plan import Plan, make_plan
from agent.carbon.report import make_report
from agent.carbon.sink import CarbonSink
from agent.sink import Entry
from agent.store import inspect
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Batch, Kind, Point, Series
from tests.soak.finding import Finding

TOP = Path(__file__).parents[2]
ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 1, 1, tzinfo=ZONE)
STEP_NS = 900 * 10**9
DAY = 96
MACHINES = 60
FACTOR = "grid_co2_shandong_2023"
WRAPS_AT = 20_000


@dataclass(slots=True)
class Machine:
    """One machine's truth and what its meter shows.

    flowed_wh: (steps,) what flowed in each quarter.  shown: (steps + 1,) the register at each quarter's begin, kWh.
    """

    name: str
    flowed_wh: NDArray[np.int32]
    shown: NDArray[np.float64]
    settings: dict[str, Any]
    away: list[range] = field(default_factory=list)  # steps without a reading
    late: list[tuple[range, int]] = field(default_factory=list)  # steps whose readings come at a later one


def soak(count: int | None) -> Finding:
    """Account `count` days and compare."""
    with TemporaryDirectory(prefix="raceway-carbon-") as folder:
        return asyncio.run(_run(count or 365, Path(folder)))


def machines(days: int, random: Random) -> Iterator[Machine]:
    """Shifts, weekends, base load; every third register wraps, every tenth meter is changed, every twelfth CT."""
    rng = np.random.default_rng(random.randrange(2**32))
    steps = days * DAY
    hour = np.arange(steps) // 4 % 24
    weekday = (np.arange(steps) // DAY + START.weekday()) % 7
    runs = (hour >= 8) & (hour < 20) & (weekday < 6)
    for number in range(MACHINES):
        flowed = (rng.integers(200, 400, steps) + runs * rng.integers(1_500, 4_000, steps)).astype(np.int32)
        total = np.concatenate(([0], np.cumsum(flowed, dtype=np.int64)))
        name = f"machine-{number:02d}"
        settings: dict[str, Any] = {
            "name": name, "machine": name, "signal": "active_energy", "unit": "kWh", "medium": "electricity",
            "side": "primary", "most_per_h": 100, "line": f"line-{number % 4}",
        }  # fmt: skip
        begin = random.randrange(1_000_000, 19_000_000)
        change = random.randrange(steps // 4, steps // 2)
        at = (START + timedelta(minutes=15 * change)).isoformat()
        if number % 10 == 1:  # another meter, which begins at 12.5 kWh
            shown = np.where(np.arange(steps + 1) < change, begin + total, total - total[change] + 12_500) / 1000
            end = (begin + int(total[change])) / 1000
            settings["epochs"] = [
                {"serial": "A", "end": end, "to": at}, {"serial": "B", "start": 12.5, "from": at, "by": "soak"},
            ]  # fmt: skip
        elif number % 12 == 2:  # CT 40, then CT 80: the register goes on half as fast
            after = begin + total[change] / 40 + (total - total[change]) / 80
            shown = np.where(np.arange(steps + 1) < change, begin + total / 40, after) / 1000
            read = float(shown[change])
            settings |= {"side": "secondary", "epochs": [
                {"serial": "A", "ct": 40, "pt": 1, "end": read, "to": at},
                {"serial": "A", "ct": 80, "pt": 1, "start": read, "from": at, "by": "soak"},
            ]}  # fmt: skip
        elif number % 3 == 0:
            shown = (begin + total) % (WRAPS_AT * 1000) / 1000
            settings["wraps_at"] = WRAPS_AT
        else:
            shown = (begin + total) / 1000
        machine = Machine(name, flowed, shown, settings)
        for _ in range(max(1, days // 60)):
            first = random.randrange(steps - 5 * DAY) if steps > 6 * DAY else 4
            machine.away.append(range(first, min(first + random.randrange(2, 60), steps)))
        first = random.randrange(steps - 6 * DAY) if steps > 7 * DAY else 4
        late = range(first, first + DAY // 2)
        machine.late.append((late, min(steps, late.stop + random.randrange(1, 4 * DAY))))
        yield machine


def plan(found: list[Machine]) -> Plan:
    factors = {
        "registers": [TOP / "config" / "factors" / "register.csv"],
        "organisation": [{"medium": "electricity", "factor": FACTOR}],
        "coal": [{"medium": "electricity", "factor": "coal_eq_elec"}],
    }
    meters = [machine.settings for machine in found]
    return make_plan(CarbonConfig.model_validate({"meters": meters, "factors": factors}))


def batches(found: list[Machine], days: int) -> Iterator[Batch]:
    """What arrives in each hour: the quarter's readings, and what was held back."""
    start_ns = round(START.timestamp()) * 10**9
    series = tuple(Series("soak", "", m.settings["line"], m.name, "active_energy", "kWh", Kind.COUNTER) for m in found)
    steps = days * DAY + 1
    comes = np.tile(
        np.arange(steps, dtype=np.int32), (len(found), 1)
    )  # when each reading arrives; beyond the end: never
    for number, machine in enumerate(found):
        for span, when in machine.late:
            comes[number, span.start : span.stop] = when
        for span in machine.away:
            comes[number, span.start : span.stop] = 10**9
    order = np.argsort(comes, axis=None, kind="stable").astype(np.int32)
    comes = comes.ravel()[order]
    edges = np.searchsorted(comes, np.arange(0, steps + 4, 4))
    for first, last in pairwise(edges.tolist()):
        if first == last:
            continue
        w, t = np.divmod(order[first:last], steps)
        value = np.array([found[a].shown[b] for a, b in zip(w.tolist(), t.tolist(), strict=True)])
        zeros = np.zeros(len(w), np.uint32)
        received_ns = start_ns + int(comes[last - 1]) * STEP_NS
        yield Batch(
            "meters",
            received_ns,
            series,
            w.astype(np.uint32),
            start_ns + t.astype(np.int64) * STEP_NS,
            value,
            zeros,
            zeros.astype(np.uint8),
        )


async def _run(days: int, folder: Path) -> Finding:
    began, began_cpu_s = time.monotonic(), time.process_time()
    random = Random(20260101)
    found = list(machines(days, random))
    made = plan(found)
    async with Log.open(StoreConfig(quota_mb=8000, linger_s=0), directory=folder, plant="soak") as log:
        kills, state = 0, b""
        sink = _sink(made, log, folder, state)
        for seq, batch in enumerate(batches(found, days), 1):
            state = await sink.write([Entry(seq, batch)])
            if random.random() < 4 / (24 * days):
                sink, kills = _sink(made, log, folder, state), kills + 1
        end_ns = round((START + timedelta(days=days, hours=2)).timestamp()) * 10**9
        await sink.write([Entry(0, _tick(end_ns))])
        records_mb = round(log.status()["bytes_on_disk"] / 1e6, 1)  # type: ignore[operator]
    accounted_s = time.monotonic() - began
    waiting = {f"{account}:{kind}:{start_ns}" for account, kind, start_ns in sink.waiting()}
    del sink
    errors, facts = _compare(made, found, folder, days, waiting)
    return Finding(
        {
            "errors": len(errors),
            **facts,
            "kills": kills,
            "readings": sum(len(machine.shown) for machine in found),
            "records_mb": records_mb,
            "accounted_s": round(accounted_s, 1),
            "seconds": round(time.monotonic() - began, 1),
            "cpu_s": round(time.process_time() - began_cpu_s, 1),
            "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "first_errors": errors[:5],
        },
        not errors,
    )


def _tick(received_ns: int) -> Batch:
    """Something that is received when all is over."""
    point = Point(Series("soak", "", "", "raceway", "up", "s"), received_ns, 1.0)
    return Batch.of("raceway", [point], received_ns=received_ns)


def _sink(made: Plan, log: Log, folder: Path, state: bytes) -> CarbonSink:
    sink = CarbonSink(made, "soak", deliver=log.append, recall=lambda since_ns: inspect.records(folder, since_ns))
    sink.restore(state)
    return sink


def _compare(
    made: Plan, found: list[Machine], folder: Path, days: int, waiting: set[str]
) -> tuple[list[str], dict[str, object]]:
    """Every day of every machine and every month of the plant, from the records alone, against the truth."""
    start_ns = round(START.timestamp()) * 10**9
    evidence = gather(made, "soak", inspect.records(folder))
    report = make_report(made, evidence, start_ns, start_ns + days * DAY * STEP_NS, kind="day", with_trails=False)
    errors = []
    micro: dict[tuple[str, int], int] = {}
    plant_kg = Fraction(0)
    for statement in report.statements:
        day = (statement.window.start_ns - start_ns) // (DAY * STEP_NS)
        if statement.account.level == "meter":
            micro[statement.account.name, day] = statement.amount.micro
        elif statement.account.level == "plant":
            plant_kg += statement.carbon.value or 0
    estimated = 0
    for machine in found:
        truth = machine.flowed_wh.reshape(days, DAY).sum(axis=1, dtype=np.int64) * 1000
        touched = {step // DAY for span in machine.away for step in range(span.start - 1, span.stop + 1)}
        estimated += len(touched)
        errors += [
            f"{machine.name} day {day}: {micro[machine.name, day]} instead of {truth[day]} millionths of a kWh"
            for day in range(days)
            if day not in touched and micro[machine.name, day] != truth[day]
        ]
        if sum(micro[machine.name, day] for day in range(days)) != truth.sum():
            errors.append(f"{machine.name}: the year is not the register's")
    kwh = Fraction(sum(int(machine.flowed_wh.sum()) for machine in found), 1000)
    if plant_kg != kwh * Fraction("0.6191"):
        errors.append(f"the plant's CO2 is {float(plant_kg)} kg instead of {float(kwh * Fraction('0.6191'))}")
    months = make_report(made, evidence, start_ns, start_ns + days * DAY * STEP_NS, kind="month", with_trails=False)
    errors += _told_differently(folder, (*report.statements, *months.statements), waiting)
    facts: dict[str, object] = {
        "kwh": float(kwh), "kgco2e": float(plant_kg), "days_checked": len(found) * days - estimated,
        "days_estimated": estimated,
    }  # fmt: skip
    return errors, facts


def _told_differently(folder: Path, statements: Any, waiting: set[str]) -> list[str]:
    """The statements that went to the log last, against those computed from the evidence; but for those that wait."""
    told: dict[str, str] = {}
    for entry in inspect.records(folder):
        for index, series in enumerate(entry.batch.series):
            if series.signal.endswith("_statement"):
                for row in np.flatnonzero(entry.batch.which == index).tolist():
                    text = json.loads(entry.batch.texts[int(entry.batch.value[row])])
                    told[text["id"]] = text["quantity"]
    return [
        f"{statement.id} was told as {told.get(statement.id)} instead of {statement.quantity}"
        for statement in statements
        if f"{statement.account}:{statement.window.kind}:{statement.window.start_ns}" not in waiting
        and told.get(statement.id) != statement.quantity
    ]
