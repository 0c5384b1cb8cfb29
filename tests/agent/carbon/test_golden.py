"""The whole way from registers to figures, each case computed by hand: formulas and traps without a test of their own.

The others are beside the parts: test_meter (registers), test_energy (power, gaps), test_quantities (units), test_tariff
and test_windows (bands, demand, calendar), test_factors (factors, market), test_performance and test_states.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.carbon import names
from agent.carbon.evidence import gather
from agent.carbon.plan import Plan
from agent.carbon.report import Report, make_report
from agent.sink import Entry
from collectors.points import BAD, UNCERTAIN, Batch, Kind, Point, Series
from tests.agent.carbon.plants import FACTORS, Log, feed, meter, plan, sink
from tests.agent.carbon.readings import at
from tests.agent.carbon.test_carbon_sink import DAY_NS, MINUTE_NS, counting, ending, live

DAY = at("00:00")


def fuel(name: str, medium: str, unit: str, **given: Any) -> dict[str, Any]:
    return {"name": name, "machine": name, "signal": "total", "unit": unit, "medium": medium, "most_per_h": 10_000,
            **given}  # fmt: skip


def factors(**media: str) -> dict[str, Any]:
    return {**FACTORS, "organisation": [{"medium": medium, "factor": factor} for medium, factor in media.items()]}


def reported(made: Plan, totals: Mapping[str, float], *, day: str = "2026-03-02", kind: Any = "day") -> Report:
    """A day on which each register rose evenly by so much."""
    first = at("00:00", day)
    points = [
        Point(names.evidence("p", one, "register"), first + n * 15 * MINUTE_NS, 5000 + totals[one.name] * n / 96)
        for one in made.meters
        for n in range(97)
        if one.name in totals
    ]
    kept = gather(made, "p", [Entry(1, Batch.of(names.SOURCE, points, received_ns=0))])
    return make_report(made, kept, first, first + DAY_NS, kind=kind)


@pytest.mark.parametrize(
    ("given", "factor", "rise", "quantity", "kg"),
    [
        # 389.31 x 0.0153 x 0.99 x 44/12 = 21.6218... t a 10,000 Nm³
        (fuel("gas", "natural_gas", "Nm³", reference="0C"), "ng_ef", 960.0, "960.000000", "2075.701257"),
        # 273.15 / 293.15 of a m³ at 20 °C
        (fuel("gas", "natural_gas", "m³", reference="20C"), "ng_ef", 960.0, "894.504520", "1934.087663"),
        # 150 kPa absolute at 30 °C: 150 / 101.325 x 273.15 / 303.15
        (fuel("gas", "natural_gas", "m³", reference="line", temperature_c=30, pressure_kpa=150), "ng_ef", 96.0,
         "128.052927", "276.874606"),
        # 0.84 kg a litre; 42.652 x 0.0202 x 0.98 x 44/12 t a t
        (fuel("diesel", "diesel", "L", density_kg_per_m3=840), "diesel_ef_guide", 96.0, "80.640000", "249.654153"),
        # 44.0095/32.04186 of the mass of methanol that burns at the flame curtain
        (fuel("methanol", "methanol", "kg"), "methanol_ef", 96.0, "96.000000", "131.856016"),
        # 0.11 t a GJ; 1 t of steam with 2684.26 kJ a kg above its water
        (fuel("steam", "heat", "t", heat_kj_per_kg="2684.26"), "heat_default", 0.96, "2576.889600", "283.457856"),
        # 1 GJ is 1000 MJ
        (fuel("heat", "heat", "GJ"), "heat_default", 0.96, "960.000000", "105.600000"),
    ],
    ids=["gas", "gas at 20 °C", "gas at line conditions", "diesel by volume", "methanol", "steam as heat", "heat"],
)  # fmt: skip
def test_fuels_and_heat(given: dict, factor: str, rise: float, quantity: str, kg: str) -> None:
    """Σ activity x factor, the units converted first."""
    made = plan(given, factors=factors(**{given["medium"]: factor}), tariff=None)
    row = reported(made, {given["name"]: rise}).statements[0].row()

    assert quantity == row["quantity"]
    assert float(kg) == pytest.approx(float(row["kgco2"]), abs=2e-6)


def test_the_total_of_a_plant() -> None:
    """Fuel + process + bought power + bought heat: 207.57 + 131.856 + 59.4336 + 105.6 kg."""
    made = plan(
        meter("m1"), fuel("gas", "natural_gas", "Nm³", reference="0C"), fuel("methanol", "methanol", "kg"),
        fuel("heat", "heat", "GJ"), tariff=None,
        factors=factors(
            electricity="grid_co2_shandong_2023", natural_gas="ng_ef", methanol="methanol_ef", heat="heat_default"
        ),
    )  # fmt: skip
    totals = reported(made, {"m1": 96.0, "gas": 96.0, "methanol": 96.0, "heat": 0.96}).totals

    assert {"fuel": 207.570126, "process": 131.856016, "electricity": 59.4336, "heat": 105.6, "total": 504.459742} == {
        name: pytest.approx(float(figure.text()), abs=2e-6) for name, figure in totals.items()
    }


def test_a_total_with_an_unknown_part_is_none() -> None:
    """Gas without a factor: the plant's total is empty, and says why; it is not the sum of the rest."""
    made = plan(meter("m1"), fuel("gas", "natural_gas", "Nm³", reference="0C"), tariff=None)
    totals = reported(made, {"m1": 96.0, "gas": 96.0}).totals

    assert ("59.433600", "", "") == tuple(totals[name].text() for name in ("electricity", "fuel", "total"))
    assert ("an organisation factor for natural_gas on 2026-03-02",) == totals["total"].lacks


def test_a_meter_that_is_silent_makes_no_zero() -> None:
    """Nothing was read of a gas meter: its amount and the plant's are empty, its carbon too."""
    made = plan(meter("m1"), fuel("gas", "natural_gas", "Nm³", reference="0C"), tariff=None,
                factors=factors(electricity="grid_co2_shandong_2023", natural_gas="ng_ef"))  # fmt: skip
    report = reported(made, {"m1": 96.0})
    silent = [one.row() for one in report.statements if one.account.medium == "natural_gas"]

    assert [("", "", "1.000000")] * 2 == [(row["quantity"], row["kgco2"], row["missing"]) for row in silent]
    assert ["any reading of natural_gas"] * 2 == [row["lacks"] for row in silent]
    assert ("", "") == (report.totals["fuel"].text(), report.totals["total"].text())


def test_what_is_partly_known_says_so() -> None:
    """Read until noon only: half a day's kWh and kilograms, and the statement says that half the time lacks."""
    made = plan(meter("m1"))
    points = [Point(names.evidence("p", made.meters[0], "register"), DAY + n * 15 * MINUTE_NS, n) for n in range(49)]
    kept = gather(made, "p", [Entry(1, Batch.of(names.SOURCE, points, received_ns=0))])
    report = make_report(made, kept, DAY, DAY + DAY_NS, kind="day")
    row = report.statements[0].row()

    assert ("48.000000", "29.716800", "0.500000") == (row["quantity"], row["kgco2"], row["missing"])
    assert "readings of electricity for 50.0 % of the time" == row["lacks"]
    assert ("readings of electricity for 50.0 % of the time",) == report.totals["total"].lacks


def test_a_remainder_is_as_well_known_as_the_worst() -> None:
    """The meter below was silent from 06:00 to 12:00, its register goes on: 48 kWh left, a quarter of it estimated."""
    made = plan(meter("m1"), meter("m2", under="m1"))
    rows = [("m1", n, n) for n in range(97)] + [("m2", n, n / 2) for n in range(97) if not 24 < n < 48]
    points = [
        Point(names.evidence("p", made.meters[name == "m2"], "register"), DAY + n * 15 * MINUTE_NS, float(kwh))
        for name, n, kwh in rows
    ]
    kept = gather(made, "p", [Entry(1, Batch.of(names.SOURCE, points, received_ns=0))])
    statements = make_report(made, kept, DAY, DAY + DAY_NS, kind="day").statements
    (row,) = [one.row() for one in statements if one.account.level == "remainder"]

    assert ("48.000000", "0.750000", "0.250000", "0.000000", "E", "") == tuple(
        row[name] for name in ("quantity", "measured", "estimated", "missing", "marks", "lacks")
    )


def test_the_report_of_carbon_lacks_only_what_it_shows() -> None:
    """No product factor for gas: said in the carbon report; no coal equivalent: said in the energy report."""
    made = plan(fuel("gas", "natural_gas", "Nm³", reference="0C"), tariff=None,
                factors={**factors(natural_gas="ng_ef"), "coal": []})  # fmt: skip
    (statement, *_) = reported(made, {"gas": 96.0}).statements

    assert "a product factor for natural_gas on 2026-03-02" == statement.row("carbon")["lacks"]
    assert "a coal equivalent for natural_gas on 2026-03-02" == statement.row("energy")["lacks"]


def test_pieces_have_no_carbon() -> None:
    """Not 0 kg: nothing."""
    made = plan(fuel("count", "pieces", "pcs"), tariff=None)
    row = reported(made, {"count": 960.0}).statements[0].row()

    assert ("960.000000", "", "", "") == (row["quantity"], row["kgco2"], row["kgce"], row["lacks"])


def test_watt_hours_of_opc_ua() -> None:
    """Registers of OPC 34100 count Wh: 96,000 are 96 kWh."""
    made = plan(meter("m1", unit="Wh"))

    assert "96.000000" == reported(made, {"m1": 96_000.0}).statements[0].quantity


async def test_a_register_of_single_precision() -> None:
    """Beyond 16.78 MWh a Float32 of Wh moves in steps of 2 Wh: nothing is lost between, nothing is a reset."""
    made, log = plan(meter("m1", unit="Wh", wraps_at=2**32)), Log()
    series = Series("p", "", "l", "m1", "active_energy", "Wh", Kind.COUNTER)
    shown = [16_777_214.0, 16_777_215.0, 16_777_216.0, 16_777_216.0, 16_777_218.0, 16_777_218.0, 16_777_220.0]
    said = [
        Batch.of("meters", [Point(series, DAY + n * MINUTE_NS, value)], received_ns=DAY + n * MINUTE_NS)
        for n, value in enumerate(shown)
    ]
    await feed(sink(made, log), [*said, ending([("m1", DAY, 0.0)])])

    assert 0.006 == log.values()["m1", "electricity_15min", DAY]


async def test_bad_and_uncertain_readings_do_not_count() -> None:
    """A register that shows 0 with a Bad quality was not reset, one with 900 that is Uncertain made no spring."""
    log = Log()
    series = Series("p", "", "l", "m1", "active_energy", "kWh", Kind.COUNTER)
    odd = Batch.of(
        "meters", [Point(series, DAY + MINUTE_NS, 0.0, BAD), Point(series, DAY + 2 * MINUTE_NS, 900.0, UNCERTAIN)],
        received_ns=DAY + 2 * MINUTE_NS,
    )  # fmt: skip
    rows = counting("m1", 60)
    await feed(sink(plan(meter("m1")), log), [odd, *live(rows), ending(rows)])

    assert 12.0 == log.values()["m1", "electricity_hour", DAY]


@pytest.mark.parametrize(
    ("day", "kwh", "yuan"),
    [
        # 17 h at 0.5, 7 h at 1 yuan; 4 kWh an hour
        ("2026-03-02", 96.0, "62.000000"),
        ("2028-02-29", 96.0, "62.000000"),
        # no price before 2026
        ("2025-12-31", 96.0, ""),
    ],
    ids=["a Monday", "a leap day", "before the first price"],
)
def test_a_day_costs(day: str, kwh: float, yuan: str) -> None:
    """Each hour with the price of its band."""
    assert yuan == reported(plan(meter("m1")), {"m1": kwh}, day=day).statements[0].row()["yuan"]


def test_product_factors_are_beside_and_not_in_the_total() -> None:
    """96 kWh: 59.4336 kg of the inventory, 55.4592 kg over the life cycle; never one in the other."""
    report = reported(plan(meter("m1")), {"m1": 96.0})
    row = report.statements[0].row()

    assert ("59.433600", "55.459200", "59.433600") == (
        row["kgco2"], row["kgco2e_life_cycle"], report.totals["total"].text(),
    )  # fmt: skip


def test_two_factors_in_one_month() -> None:
    """48 kWh on 30 March with 0.6410, 48 on the 31st with 0.6191: 30.768 + 29.7168 kg, and both are named."""
    changed = {**FACTORS, "organisation": [
        {"medium": "electricity", "factor": "grid_co2_shandong_2022", "to": "2026-03-30"},
        {"medium": "electricity", "factor": "grid_co2_shandong_2023", "from": "2026-03-31"},
    ]}  # fmt: skip
    made = plan(meter("m1"), factors=changed)
    first = at("00:00", "2026-03-30")
    rises = [Point(names.evidence("p", made.meters[0], "register"), first + n * 15 * MINUTE_NS, n / 2)
             for n in range(193)]  # fmt: skip
    kept = gather(made, "p", [Entry(1, Batch.of(names.SOURCE, rises, received_ns=0))])
    month = make_report(made, kept, at("00:00", "2026-03-01"), at("00:00", "2026-04-01"), kind="month").statements[0]

    assert ("60.484800", ("grid_co2_shandong_2022", "grid_co2_shandong_2023")) == (
        month.carbon.text(), month.carbon.factors,
    )  # fmt: skip
