"""Machines, pieces, states, baselines: by hand, and what always adds up."""

import csv
import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.carbon import names
from agent.carbon.allocation import allocate
from agent.carbon.baseline import Baseline, Point, fit, judge
from agent.carbon.energy import Amount
from agent.carbon.evidence import gather, open_books
from agent.carbon.performance import machine_rows, target_rows
from agent.carbon.plan import Plan
from agent.carbon.quantities import divide
from agent.carbon.render import plain_csv
from agent.carbon.states import Thresholds, by_power
from agent.sink import Entry
from collectors import points
from collectors.points import Batch
from tests.agent.carbon.plants import meter, plan
from tests.agent.carbon.readings import KWH, SLOT_NS, at

DAY_NS = 96 * SLOT_NS
STATES = {"off_below_kw": "0.5", "running_from_kw": 4}


def pieces(name: str, machine: str) -> dict[str, Any]:
    return {"name": name, "machine": machine, "signal": "good", "unit": "pcs", "medium": "pieces", "most_per_h": 10_000}


def evidence(made: Plan, registers: dict[str, list[float]], *, first: int, step_ns: int) -> Any:
    """What each register showed, one value every step."""
    rows = [
        points.Point(names.evidence("p", one, "register"), first + n * step_ns, value)
        for one in made.meters
        for n, value in enumerate(registers[one.name])
    ]
    return gather(made, "p", [Entry(1, Batch.of(names.SOURCE, rows, received_ns=0))])


def test_states_by_mean_power() -> None:
    """0.1 kWh a quarter is 0.4 kW: off; 0.5 is 2 kW: standing by; 2 is 8 kW: running; an unknown one has no state."""
    kwh = (0.1, 0.5, 0.5, 2, 0.5)
    slots = {n: Amount(round(value * KWH), 0, SLOT_NS) for n, value in enumerate(kwh)}
    slots[5] = Amount(5 * KWH, 0, SLOT_NS // 2)
    found = by_power(slots, range(7), slot_ns=SLOT_NS, thresholds=Thresholds(Fraction(1, 2), Fraction(4)))

    assert {"off": 100_000, "standby": 1_500_000, "running": 2_000_000} == found.micro
    assert ({"off": 1, "standby": 3, "running": 1}, 2) == (
        {name: ns // SLOT_NS for name, ns in found.lasted_ns.items()},
        found.longest_standby_ns // SLOT_NS,
    )


PLANT = plan(
    meter("incomer", supplies=["all", "others"]),
    meter("m1", under="incomer", **STATES),
    meter("m2", under="incomer", **STATES),
    meter("compressor", under="incomer", supplies=["m1", "m2"]),
    pieces("p1", "m1"),
    pieces("p2", "m2"),
    allocation=[{"meter": "compressor", "by": "pieces", "to": ["m1", "m2"]}],
)
REGISTERS = {"incomer": [0, 250], "m1": [0, 100], "m2": [0, 60], "compressor": [0, 40], "p1": [0, 300], "p2": [0, 100]}


def test_machines_of_a_day() -> None:
    """The compressor's 40 kWh by pieces 3 : 1; of the incomer's 250, 50 are nobody's; 130 kWh for 300 pieces."""
    every = {name: [low + (high - low) * n / 24 for n in range(25)] for name, (low, high) in REGISTERS.items()}
    kept = evidence(PLANT, every, first=at("00:00"), step_ns=4 * SLOT_NS)
    found = {
        row["machine"]: row
        for row in machine_rows(PLANT, kept, at("00:00"), at("00:00") + DAY_NS, kind="day")
    }  # fmt: skip

    assert ["130.000000", "70.000000", "50.000000"] == [
        found[name]["kwh"] for name in ("m1", "m2", "unallocated: incomer")
    ]
    one = found["m1"]
    assert ("100.000000", "30.000000", "compressor by pieces", "300", "0.433333", "80.483000") == (
        one["kwh_own"], one["kwh_by_rules"], one["rules"], one["pieces"], one["kwh_per_piece"], one["kgco2"],
    )  # fmt: skip
    assert ("24.00", "0.00", "60.000000") == (one["h_running"], one["h_standby"], found["m2"]["kwh_standby"])


def test_a_rule_without_weights_leaves_the_energy_unallocated() -> None:
    """Nobody made a piece: the compressor's energy is shown, not given away."""
    still = {**REGISTERS, "p1": [5, 5], "p2": [7, 7]}
    kept = evidence(PLANT, still, first=at("08:00"), step_ns=4 * SLOT_NS)
    window = PLANT.calendar.window("day", at("08:00"))
    assert window is not None
    found = allocate(PLANT, open_books(PLANT, kept, window.start_ns, window.end_ns), window)

    assert [("unallocated: compressor", 40 * KWH)] == [
        (one.machine, one.micro) for one in found.unallocated if "compressor" in one.machine
    ]
    assert all(share.given == 0 for share in found.shares)


@settings(max_examples=60, deadline=None)
@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_parts_add_up_to_the_whole(micro: int, weights: list[int]) -> None:
    """Whatever the weights, nothing is lost by rounding."""
    parts = divide(micro, {str(n): weight for n, weight in enumerate(weights)})

    assert sum(parts.values()) == (micro if sum(weights) else 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 2_000), min_size=6, max_size=6))
def test_machines_and_the_rest_are_the_plant(rises: list[int]) -> None:
    """Σ machines + unallocated = the incomer, to the millionth; a remainder may be negative."""
    registers = {
        one.name: [0, rise / 100 if one.medium == "electricity" else float(rise)]
        for one, rise in zip(PLANT.meters, rises, strict=True)
    }
    kept = evidence(PLANT, registers, first=at("08:00"), step_ns=4 * SLOT_NS)
    window = PLANT.calendar.window("day", at("08:00"))
    assert window is not None
    books = open_books(PLANT, kept, window.start_ns, window.end_ns)
    found = allocate(PLANT, books, window)
    given_out = sum(share.micro for share in (*found.shares, *found.unallocated))

    assert sum(amount.micro for amount in books[0].amounts.values()) == given_out


def test_least_squares() -> None:
    """E = 2 Q + 5 exactly."""
    line = fit([Point(Fraction(q), Fraction(2 * q + 5)) for q in range(12)])

    assert Baseline(Fraction(2), Fraction(5), Fraction(1), 12) == line
    assert line is not None
    assert line.is_reliable


def test_least_squares_of_scattered_points() -> None:
    """(1, 1), (2, 3), (3, 2): a = 1/2, b = 1, R² = 1/4; three points are too few to rely on."""
    line = fit([Point(Fraction(1), Fraction(1)), Point(Fraction(2), Fraction(3)), Point(Fraction(3), Fraction(2))])

    assert Baseline(Fraction(1, 2), Fraction(1), Fraction(1, 4), 3) == line
    assert line is not None
    assert not line.is_reliable


@pytest.mark.parametrize("outputs", [[], [3], [3, 3, 3]])
def test_no_baseline_without_two_outputs(outputs: list[int]) -> None:
    """A line through one point is none."""
    assert fit([Point(Fraction(q), Fraction(1)) for q in outputs]) is None


def test_savings_and_target() -> None:
    """Against E = 2 Q + 5: 23 kWh for 10 pieces saves 2, 26 loses 1; so far 2, then 1; the target of 15 % is 21.25."""
    line = Baseline(Fraction(2), Fraction(5), Fraction(1), 12)
    found = judge(
        line, [Point(Fraction(10), Fraction(23)), Point(Fraction(10), Fraction(26))], reduction_percent=Fraction(15)
    )

    assert [(25, 2, 2, Fraction(85, 4)), (25, -1, 1, Fraction(85, 4))] == found


def test_targets_from_evidence() -> None:
    """Twelve days with 2 kWh a piece and 48 kWh base load; then one with 15 % less."""
    made = plan(
        meter("m1"),
        pieces("p1", "m1"),
        targets=[{"name": "t", "from": "2026-03-02", "to": "2026-03-13", "reduction_percent": 15}],
    )
    outputs = [10 * n for n in range(1, 13)]
    energy = [0.0]
    for made_pieces in outputs:
        energy.append(energy[-1] + 2 * made_pieces + 48)
    energy.append(energy[-1] + 0.85 * (2 * 100 + 48))
    counted = [0.0]
    for made_pieces in [*outputs, 100]:
        counted.append(counted[-1] + made_pieces)
    hourly = {
        name: [low + (high - low) * n / 24 for low, high in pairwise(days) for n in range(24)] + [days[-1]]
        for name, days in (("m1", energy), ("p1", counted))
    }
    kept = evidence(made, hourly, first=at("00:00"), step_ns=4 * SLOT_NS)
    (row,) = target_rows(made, kept, at("00:00", "2026-03-14"), at("00:00", "2026-03-15"))

    assert ("100", "248.0000", "37.2000", "yes", "2.0000", "48.0000", "yes") == (
        row["pieces"], row["kwh_expected"][:8], row["kwh_saved"][:7], row["met"], row["kwh_per_piece_a"][:6],
        row["kwh_base_b"][:7], row["reliable"],
    )  # fmt: skip


def test_rows_with_different_columns() -> None:
    """A table has every column that some row has."""
    table = list(csv.DictReader(io.StringIO(plain_csv([{"a": "1"}, {"b": "2"}]).decode("utf-8-sig"))))

    assert [{"a": "1", "b": ""}, {"a": "", "b": "2"}] == table


def test_wrong_rules_are_refused(tmp_path: Path) -> None:
    """A rule that names no meter, a machine without pieces, a target without a meter of pieces."""
    from tests.agent.carbon.test_carbon_config import problems

    found = problems(
        tmp_path,
        {
            "meters": [meter("m1"), meter("m2")],
            "allocation": [{"meter": "m7", "by": "pieces", "to": ["m1", "m8"]}],
            "targets": [{"name": "t", "from": "2026-01-01", "to": "2026-01-31", "reduction_percent": 15}],
        },
    )

    for words in ("'m7' is no meter", "'m1' has no meter of pieces", "'m8' is no machine", "a baseline needs a meter"):
        assert any(words in problem for problem in found), found
