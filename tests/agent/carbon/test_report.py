"""Reports from the evidence in a real log, and the chain of a figure."""

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from agent.carbon import names
from agent.carbon.evidence import gather
from agent.carbon.report import make_report
from agent.carbon.sink import make_sink
from agent.cli import main
from agent.config import load
from agent.sink import Entry
from agent.store import inspect
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Batch, Point
from tests.agent.carbon import plants
from tests.agent.carbon.plants import FACTORS, TARIFF, batch, meter, plan
from tests.agent.carbon.readings import at
from tests.agent.carbon.test_carbon_config import OPCUA
from tests.agent.carbon.test_carbon_sink import DAY_NS, MINUTE_NS, counting, ending

METERS = [meter("m1", line="l", epochs=[
    {"serial": "A1", "end": 388, "to": "2026-03-03 00:00"},
    {"serial": "B7", "start": 0, "from": "2026-03-03 00:00", "by": "Li Wei"},
]), meter("m2", line="l", under="m1")]  # fmt: skip
CARBON = {"meters": METERS, "tariff": TARIFF, "factors": FACTORS}


def rows() -> list[plants.Row]:
    """m1 at 12 kW, changed after a day; m2 below it at 4 kW, silent for five hours."""
    old = counting("m1", 24 * 60 - 5)
    new = [("m1", at("00:05", "2026-03-03") + n * 5 * MINUTE_NS, 1.0 + n) for n in range(286)]
    below = [row for row in counting("m2", 48 * 60, kw=4.0) if not at("02:01") < row[1] < at("06:59")]
    return [*old, *new, *below]


async def write(folder: Path) -> Path:
    """A log in which the agent has accounted two days; returns the configuration."""
    settings = {"plant": "p", "data_dir": "data", "sources": [{**OPCUA, "line": "l"}], "carbon": CARBON}
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    config = load(path)
    assert config.carbon is not None
    directory = config.data_dir / "log"
    async with Log.open(StoreConfig(linger_s=0), directory=directory, plant="p") as log:
        books = make_sink(
            config.carbon, "p", deliver=log.append, recall=lambda since_ns: inspect.records(directory, since_ns)
        )
        cursor = log.cursor(books.name)
        books.restore(cursor.state)
        found = sorted(rows(), key=lambda row: row[1])
        parts = [found[n : n + 200] for n in range(0, len(found), 200)]
        for one in [*(batch(part, received_ns=part[-1][1]) for part in parts), ending(found)]:
            await log.append(one)
            entries = await cursor.read(max_points=50_000, linger_s=0)
            await cursor.commit(entries[-1].seq, await books.write(entries))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, words)])


SPAN = ("--from", "2026-03-02", "--to", "2026-03-04")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    return await write(tmp_path)


async def test_an_energy_report_as_csv(path: Path) -> None:
    """Day by day: 288 kWh and what the new meter says, 96 kWh below it, the rest unmetered; with evidence."""
    found = run("energy", path, *SPAN)
    table = {row["id"]: row for row in csv.DictReader(io.StringIO(found.stdout_bytes.decode("utf-8-sig")))}

    assert 0 == found.exit_code
    assert ["288.000000", "96.000000", "192.000000"] == [
        table[f"{name}:electricity:day:2026-03-02"]["quantity"] for name in ("meter:m1", "meter:m2", "remainder:m1")
    ]
    assert "186.000000" == table["meter:m1:electricity:day:2026-03-02"]["yuan"]
    assert ("0.208333", "no data from 2026-03-02T02:00") == (
        table["meter:m2:electricity:day:2026-03-02"]["estimated"],
        table["meter:m2:electricity:day:2026-03-02"]["evidence"].split(", ")[-1][:29],
    )


async def test_the_report_says_what_the_sink_told(path: Path) -> None:
    """Computed again from the evidence alone, every statement is the same text that went to the log."""
    config = load(path)
    assert config.carbon is not None
    entries = list(inspect.records(config.data_dir / "log"))
    told = [
        json.loads(str(point.value))
        for entry in entries
        for point in entry.batch.points()
        if point.series.signal.endswith("day_statement")
    ]
    made = plan(*METERS)
    report = make_report(made, gather(made, "p", entries), at("00:00"), at("00:00") + 2 * DAY_NS, kind="day")
    found = {statement.id: statement.row() for statement in report.statements}

    assert 8 < len(told)
    assert [found[one["id"]] for one in told if one["id"] in found] == [
        {key: value for key, value in one.items() if key != "basis"} for one in told if one["id"] in found
    ]


async def test_a_carbon_report_as_json(path: Path) -> None:
    """The plant's total is its electricity; the document says with what it was computed."""
    found = run("carbon", path, *SPAN, "--format", "json", "--only", "plant")
    document: dict[str, Any] = json.loads(found.stdout)
    kwh = 288 + 286  # the old meter, and 286 on the new one

    assert 0 == found.exit_code
    assert f"{kwh * 0.6191:.6f}" == document["totals"]["total"]["kgco2"]
    assert "MEE+NBS notice 2025 no.47" == document["basis"]["factors"]["grid_co2_shandong_2023"]["document"]
    assert ["B7", "Li Wei"] == [document["rows"][0]["evidence"][0]["epochs"][1][key] for key in ("serial", "by")]


async def test_a_page_to_print(path: Path) -> None:
    """Plots, a table, and every row's evidence."""
    page = run("energy", path, *SPAN, "--format", "html").stdout

    assert page.count("<svg") == 4
    assert page.count("<details>") == 10
    assert "388.0 at" not in page  # what was written down is in the epochs, not a reading


async def test_a_workbook(path: Path, tmp_path: Path) -> None:
    """Numbers are numbers."""
    out = tmp_path / "energy.xlsx"
    found = run("energy", path, *SPAN, "--format", "xlsx", "--out", out)
    sheet = load_workbook(out).worksheets[0]

    assert (0, 11) == (found.exit_code, sheet.max_row)
    assert [288.0] == [
        row[6] for row in sheet.iter_rows(values_only=True) if row[0] == "meter:m1:electricity:day:2026-03-02"
    ]


async def test_a_figure_is_explained_down_to_the_log(path: Path) -> None:
    """From kgCO2 over factor and document to the readings and where they stand."""
    found = run("explain", "remainder:m1:electricity:day:2026-03-02", path)

    assert 0 == found.exit_code, found.output
    for words in (
        "192.000000 kWh",
        "kgCO2, location-based: 118.867200",
        "factor grid_co2_shandong_2023: 0.6191 kgCO2/kWh, MEE+NBS notice 2025 no.47, certainty B",
        "x 0.619100 (grid_co2_shandong_2023) = 118.867200 kgCO2",
        "minus meter m2, series m2/active_energy in kWh",
        "epoch serial B7",
        "written down by Li Wei",
        "log position",
        "no data from 2026-03-02T02:00",
    ):
        assert words in found.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "meter:m9:electricity:day:2026-03-02"), "names no account"),
        (("explain", "meter:m1:electricity:day:1999-01-01"), "no evidence for '1999-01-01'"),
        (("energy", "--from", "2026-03-04", "--to", "2026-03-02"), "ends before it begins"),
        (("energy", *SPAN, "--format", "xlsx"), "--out report.xlsx"),
    ],
)
async def test_what_cannot_be_reported(path: Path, words: tuple, said: str) -> None:
    """Said in words, with exit code 2."""
    found = run(*words, path)

    assert (2, True) == (found.exit_code, said in found.output)


async def test_slots_hours_and_shifts_can_be_explained(path: Path) -> None:
    """Ids of every kind of window lead back to it."""
    for label in ("slot:2026-03-02T08:15", "hour:2026-03-02T08", "month:2026-03"):
        found = run("explain", f"meter:m1:electricity:{label}", path)

        assert (0, True) == (found.exit_code, f"meter:m1:electricity:{label}," in found.output)


def test_months_have_demand_and_totals_by_market() -> None:
    """March at 12 kW: 12 kW of demand; a contract covers a tenth of the month."""
    made = plan(
        meter("m1"),
        factors={
            **FACTORS,
            "residual": "grid_co2_cn_2023_excl_market_nonfossil",
            "instruments": [
                {"serial": "G1", "from": "2026-03-01", "to": "2026-03-31", "kwh": 892.8, "factor": "grid_co2_cn_2021"}
            ],
        },
    )
    first = at("00:00", "2026-03-01")
    evidence = [Entry(1, _kept(made, [(first + n * 15 * MINUTE_NS, 3.0 * n) for n in range(31 * 96 + 1)]))]
    report = make_report(made, gather(made, "p", evidence), first, at("00:00", "2026-04-01"), kind="month")

    (bill,) = report.bills
    assert ("2026-03", "12.000", "") == (bill.row()["month"], bill.row()["demand_kw"], bill.row()["power_factor"])
    assert "8928.000000" == report.statements[0].quantity
    assert f"{892.8 * 0.5568 + 8035.2 * 0.6096:.6f}" == report.totals["electricity by market"].text()


def _kept(made: Any, readings: list[tuple[int, float]]) -> Batch:
    series = names.evidence("p", made.meters[0], "register")
    return Batch.of(names.SOURCE, [Point(series, *reading) for reading in readings], received_ns=0)


def test_every_day_of_a_year_has_one_statement() -> None:
    """Months are opened one after the other; no day is missing or there twice."""
    made = plan(meter("m1"))
    first = at("00:00", "2026-01-01")
    hourly = [(first + n * 3600 * 10**9, float(n)) for n in range(365 * 24 + 1)]
    report = make_report(
        made,
        gather(made, "p", [Entry(1, _kept(made, hourly))]),
        first,
        at("00:00", "2027-01-01"),
        kind="day",
        only="m1",
    )

    assert [(date(2026, 1, 1) + timedelta(n)).isoformat() for n in range(365)] == [
        statement.window.label for statement in report.statements
    ]
    assert 365 * 24 * 10**6 == sum(statement.amount.micro for statement in report.statements)


def test_a_bill_with_demand_and_power_factor() -> None:
    """March: 8928 kWh at 12 kW; 8928 kvarh give 0.7071 and 5 % more; the demand costs 30 yuan a kW."""
    tariff = {**TARIFF, "yuan_per_kw_month": 30, "power_factor_steps": [{"least": 0.9, "percent": 0},
                                                                      {"least": 0.5, "percent": 5}]}  # fmt: skip
    made = plan(meter("m1"), meter("r1", signal="reactive", unit="kvarh", medium="reactive"), tariff=tariff)
    first = at("00:00", "2026-03-01")
    readings = [(first + n * 15 * MINUTE_NS, 3.0 * n) for n in range(31 * 96 + 1)]
    series = [names.evidence("p", one, "register") for one in made.meters]
    rows = [Point(one, *reading) for one in series for reading in readings]
    kept = gather(made, "p", [Entry(1, Batch.of(names.SOURCE, rows, received_ns=0))])
    (bill,) = make_report(made, kept, first, at("00:00", "2026-04-01"), kind="month").bills
    energy = 31 * (17 * 12 * 0.5 + 7 * 12 * 1)

    assert {
        "month": "2026-03", "sharp_kwh": "0.000", "peak_kwh": "2604.000", "flat_kwh": "6324.000", "valley_kwh": "0.000",
        "deep_valley_kwh": "0.000", "energy_yuan": f"{energy:.2f}", "demand_kw": "12.000", "demand_yuan": "360.00",
        "power_factor": "0.7071", "power_factor_yuan": f"{0.05 * (energy + 360):.2f}",
        "total_yuan": f"{1.05 * (energy + 360):.2f}", "lacks": "",
    } == bill.row()  # fmt: skip


def test_a_bill_says_what_it_lacks() -> None:
    """A table of power factors without a meter of reactive energy: the fee is unknown, and so is the total."""
    tariff = {**TARIFF, "power_factor_steps": [{"least": 0.9, "percent": 0}]}
    made = plan(meter("m1"), tariff=tariff)
    first = at("00:00", "2026-03-01")
    kept = gather(made, "p", [Entry(1, _kept(made, [(first, 0.0), (at("00:00", "2026-04-01"), 100.0)]))])
    (bill,) = make_report(made, kept, first, at("00:00", "2026-04-01"), kind="month").bills

    assert ("", "a power factor, which needs a meter with medium: reactive") == (
        bill.row()["total_yuan"],
        bill.row()["lacks"],
    )
