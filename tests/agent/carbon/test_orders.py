"""Electricity given to orders by what was made; each case computed by hand."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.carbon import names
from agent.carbon.evidence import Kept, gather
from agent.carbon.orders import By, order_rows
from agent.carbon.plan import Plan
from agent.sink import Entry
from collectors.ledger.entries import LedgerEntry, Origin
from collectors.points import Batch, Point
from tests.agent.carbon.plants import meter, plan
from tests.agent.carbon.readings import NS, SLOT_NS, at

DAY = date(2026, 3, 2)
PLANT = plan(meter("incomer"), meter("a", line="A", under="incomer"), meter("b", line="B", under="incomer"))
KWH = {"incomer": 240.0, "a": 96.0, "b": 48.0}


def made(number: str, order: str, product: str, good: str, **values: str) -> LedgerEntry:
    told = {"product": product, "good": good, **({"order": order} if order else {}), **values}
    return LedgerEntry("production", number, DAY, told, "", "Li Wei", Origin("production.csv", "0" * 64, "o"), 2)


def evidence(kwh: dict[str, float], made_plan: Plan = PLANT) -> list[Kept]:
    """Registers that rise evenly over the day, read every quarter."""
    points = [
        Point(names.evidence("p", one, "register"), at("00:00") + n * SLOT_NS, kwh[one.name] * n / 96)
        for one in made_plan.meters
        for n in range(97)
        if one.name in kwh
    ]
    return gather(made_plan, "p", [Entry(1, Batch.of(names.SOURCE, points, received_ns=0))])


def table(rows: list[LedgerEntry], *, by: By = "mass", kwh: dict[str, float] | None = None) -> dict[tuple, tuple]:
    """Order and product to kWh, CO2, lacks."""
    found = order_rows(
        PLANT, evidence(KWH if kwh is None else kwh), rows, at("00:00"), at("00:00") + 86_400 * NS, by=by
    )
    return {(row["order"], row["product"]): (row["kwh"], row["kgco2"], row["lacks"]) for row in found}


def test_by_mass_on_a_line() -> None:
    """Line A's 96 kWh by 300 kg and 100 kg: 72 and 24; what line A did not use belongs to no order."""
    found = table([
        made("1", "O-1", "6205", "3000", line="A", mass_kg="300"),
        made("2", "O-2", "6206", "500", line="A", mass_kg="100"),
    ])  # fmt: skip

    assert {
        ("O-1", "6205"): ("72.000000", "44.575200", ""),
        ("O-2", "6206"): ("24.000000", "14.858400", ""),
        ("", "not divided: plant"): ("144.000000", "89.150400", ""),
    } == found


def test_by_pieces_and_the_rest_of_the_plant() -> None:
    """A: 96 kWh by 3000 and 1000 pieces; the plant's other 144 kWh to the row that names no line."""
    found = table([
        made("1", "O-1", "6205", "3000", line="A"), made("2", "O-2", "6206", "1000", line="A"),
        made("3", "O-3", "6207", "700"),
    ], by="pieces")  # fmt: skip

    assert [("O-1", "72.000000"), ("O-2", "24.000000"), ("O-3", "144.000000")] == [
        (order, values[0]) for (order, _), values in found.items()
    ]


def test_an_order_over_several_rows() -> None:
    """Two rows of one order and product are one line of the table."""
    found = table([
        made("1", "O-1", "6205", "10", line="A", mass_kg="1"), made("2", "O-1", "6205", "20", line="B", mass_kg="2"),
    ])  # fmt: skip

    assert "144.000000" == found["O-1", "6205"][0]


def test_a_mass_that_is_missing_makes_it_incomplete() -> None:
    """One row of the line has no mass: nobody's part is known, and nothing is given as 0."""
    found = table([
        made("1", "O-1", "6205", "3000", line="A", mass_kg="300"), made("2", "O-2", "6206", "500", line="A"),
    ])  # fmt: skip

    assert ("", "", "mass of 2") == found["O-1", "6205"]
    assert "96.000000" == found["", "not divided: A"][0]


def test_electricity_that_is_not_known_makes_it_incomplete() -> None:
    """The meter of line A is silent: the order has no figure, and the reason."""
    found = table([made("1", "O-1", "6205", "3000", line="A", mass_kg="300")], kwh={"incomer": 240.0, "b": 48.0})

    assert ("", "", "some electricity of A on 2026-03-02") == found["O-1", "6205"]


@pytest.mark.parametrize("by", ["mass", "pieces"])
@given(st.lists(st.tuples(st.sampled_from(["", "A", "B"]), st.integers(0, 999), st.integers(1, 5)), max_size=6))
def test_orders_and_the_rest_are_the_plant(by: By, rows: list[tuple[str, int, int]]) -> None:
    """Σ orders + what is not divided = the incomer, to the millionth of a kWh."""
    entries = [
        made(str(n), f"O-{order}", "6205", str(good), mass_kg=str(good), **({"line": line} if line else {}))
        for n, (line, good, order) in enumerate(rows)
    ]
    known = [Fraction(kwh) for kwh, _, _ in table(entries, by=by).values() if kwh]

    assert 240 == sum(known)
