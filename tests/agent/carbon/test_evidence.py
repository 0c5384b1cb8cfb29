"""The evidence outlives the telemetry: what was told can be computed again from the records, bit-equal.

`scripts/soak carbon-year` does the same for a year of sixty machines.
"""

import json
from random import Random

from agent.carbon.evidence import gather
from agent.carbon.plan import Plan
from agent.carbon.report import make_report
from agent.carbon.windows import WindowKind
from agent.sink import Entry
from collectors.points import Batch, Kind
from tests.agent.carbon.plants import FACTORS, Log, Row, batch, feed, meter, plan, sink
from tests.agent.carbon.readings import at
from tests.agent.carbon.test_carbon_sink import DAY_NS, MINUTE_NS, ending

FIRST = at("00:00", "2026-11-25")
DAYS = 43
FACTORS_OF_TWO_YEARS = {**FACTORS, "organisation": [
    {"medium": "electricity", "factor": "grid_co2_shandong_2022", "to": "2026-12-31"},
    {"medium": "electricity", "factor": "grid_co2_shandong_2023", "from": "2027-01-01"},
]}  # fmt: skip
PLANT = plan(
    meter("m1", line="l", wraps_at=5000, max_gap_min=300), meter("m2", line="l", under="m1", max_gap_min=300),
    factors=FACTORS_OF_TWO_YEARS, shifts=[{"name": "早班", "from": "08:00", "to": "20:00"}],
)  # fmt: skip


def winter(random: Random) -> list[tuple[int, Row]]:
    """When each reading comes, and the reading: every four hours, with outages, a register that wraps, late days."""
    found: list[tuple[int, Row]] = []
    total = {"m1": 4_000_000, "m2": 77_000}  # Wh
    for step in range(DAYS * 6 + 1):
        t_ns, day = FIRST + step * 240 * MINUTE_NS, step // 6
        for name, most in (("m1", 60_000), ("m2", 20_000)):
            total[name] += random.randrange(most)
            if (day + len(found)) % 29 == 0:
                continue  # away
            shown = total[name] % 5_000_000 if name == "m1" else total[name]
            late_ns = random.randrange(5) * DAY_NS if day % 17 == 0 else 0
            found.append((t_ns + late_ns, (name, t_ns, shown / 1000)))
    return sorted(found)


def told(entries: list[Entry]) -> dict[tuple[str, str, str, int], object]:
    """The last value of every figure: line, machine, signal and time to it."""
    points = (point for entry in entries for point in entry.batch.points())
    return {
        (p.series.line, p.series.machine, p.series.signal, p.t_ns): p.value for p in points if p.series.kind.is_replaced
    }  # fmt: skip


def computed(made: Plan, entries: list[Entry], kind: WindowKind) -> dict[str, dict[str, str]]:
    """The statements of that kind from the kept readings alone, by id."""
    kept = gather(made, "p", [Entry(e.seq, only_evidence(e.batch)) for e in entries])
    report = make_report(made, kept, FIRST, FIRST + DAYS * DAY_NS, kind=kind, with_trails=False)
    return {one.id: {**one.row(), "basis": made.version} for one in report.statements}


def only_evidence(found: Batch) -> Batch:
    """Without the results."""
    rows = [point for point in found.points() if point.series.kind in (Kind.COUNTER, Kind.GAUGE)]
    return Batch.of(found.source, rows, received_ns=found.received_ns, stream=found.stream)


async def test_everything_is_computed_again_from_the_evidence() -> None:
    """Six weeks over New Year: every statement and every hour as it was told, the same text, the same bits."""
    log = Log()
    comes = winter(Random(400))
    reader = sink(PLANT, log)
    for first in range(0, len(comes), 24):
        part = comes[first : first + 24]
        await feed(reader, [batch([row for _, row in part], received_ns=part[-1][0])], first_seq=first + 1)
    await feed(reader, [ending([row for _, row in comes])], first_seq=len(comes) + 1)
    entries = log.records()
    figures = told(entries)
    statements = [json.loads(str(text)) for key, text in figures.items() if key[2].endswith("_statement")]
    again = {kind: computed(PLANT, entries, kind) for kind in ("hour", "shift", "day", "month")}
    hours = {
        key: value for key, value in figures.items() if key[1] and key[2] == "electricity_hour" and value == value
    }  # fmt: skip

    assert 4 * DAYS < len(statements)
    assert [again[one["window"]][one["id"]] for one in statements if one["id"] in again[one["window"]]] == [
        one for one in statements if one["id"] in again[one["window"]]
    ]
    assert 2 * 24 * DAYS * 0.9 < len(hours)
    names = {
        (one["account"], one["label"]): one["quantity"] for one in again["hour"].values() if one["level"] == "meter"
    }  # fmt: skip
    assert hours == {key: float(names[key[1], PLANT.calendar.local(key[3]).strftime("%Y-%m-%dT%H")]) for key in hours}
