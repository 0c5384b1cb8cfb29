"""What a register's steps mean: each case computed by hand."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.carbon.meter import Epoch, Link, Reading, links
from tests.agent.carbon.readings import KWH, NS, at, counter, readings


def told(found: list[Link]) -> list[tuple[float | None, str]]:
    return [(None if link.micro is None else link.micro / KWH, link.why) for link in found]


@pytest.mark.parametrize(
    ("rules", "rows", "expected"),
    [
        pytest.param({}, [("08:00", 100.5), ("08:15", 110.75)], [(10.25, "")], id="plain rise"),
        pytest.param({}, [("08:00", 100.0), ("08:15", 100.0)], [(0.0, "")], id="stands still"),
        pytest.param(
            {"wraps_at": Fraction(100_000)}, [("08:00", 99_995.0), ("08:15", 5.0)], [(10.0, "rollover")], id="rollover"
        ),
        pytest.param(
            {"wraps_at": Fraction(2**32, 100)},
            [("08:00", 42949670.0), ("08:15", 4.04)],
            [(7.0, "rollover")],
            id="rollover of 32 bits in hundredths",
        ),
        pytest.param(
            {"wraps_at": Fraction(2**32, 1000)},
            [("08:00", 10.0), ("08:05", 42949066.16), ("08:15", 12.0)],
            [(2.0, "")],
            id="2^32 wrap of a negative number lies beyond the register",
        ),
        pytest.param({}, [("08:00", 500.0), ("08:15", 3.0)], [(None, "reset")], id="a reset to an unknown start"),
        pytest.param(
            {"starts_at_zero": True},
            [("08:00", 500.0), ("08:15", 3.0)],
            [(3.0, "reset")],
            id="a reset known to be to 0",
        ),
        pytest.param({}, [("08:00", 500.0), ("08:15", 300.0)], [(None, "fell")], id="a fall that no reset explains"),
        pytest.param(
            {"noise": Fraction(1, 2)},
            [("08:00", 500.0), ("08:05", 499.8), ("08:15", 500.2)],
            [(0.2, "")],
            id="jitter keeps the high-water mark",
        ),
        pytest.param(
            {"noise": Fraction(1, 2)},
            [("08:00", 499.0), ("08:05", 500.0), ("08:15", 499.8)],
            [(1.0, ""), (0.0, "jitter")],
            id="jitter at the end",
        ),
        pytest.param({}, [("08:00", 10.0), ("08:15", 60.0)], [(None, "faster than possible")], id="beyond Pmax"),
        pytest.param({}, [("08:00", 10.0), ("08:05", 9000.0), ("08:15", 12.0)], [(2.0, "")], id="a spike upwards"),
        pytest.param({}, [("08:00", 5000.0), ("08:05", 0.0), ("08:15", 5001.0)], [(1.0, "")], id="a drop to 0"),
        pytest.param(
            {},
            [("08:00", 10.0), ("08:05", 9000.0), ("08:15", 9001.0)],
            [(None, "faster than possible"), (1.0, "")],
            id="an unannounced other meter is a new beginning, not a rise",
        ),
        pytest.param({}, [("08:00", -4.0), ("08:05", 1.0), ("08:15", 2.0)], [(1.0, "")], id="a negative register"),
        pytest.param({}, [("08:00", 1.0)], [], id="one reading"),
        pytest.param({}, [], [], id="no reading"),
    ],
)
def test_steps_of_a_register(rules: dict, rows: list, expected: list) -> None:
    """A register of at most 100 kW means this."""
    assert expected == told(links(counter(**rules), readings(*rows)))


def test_a_changed_meter_counts_old_end_and_new_start() -> None:
    """(1010 - 1000) + (7.5 - 5): the jump between two registers is nobody's energy."""
    swap = at("08:20")
    old = Epoch(Fraction(1), "A1", to_ns=swap, end=Fraction(1010))
    new = Epoch(Fraction(1), "B7", from_ns=swap, start=Fraction(5), by="Li Wei")

    found = links(counter(old, new), readings(("08:00", 1000.0), ("08:30", 7.5)))

    assert [(10.0, ""), (2.5, "")] == told(found)


def test_a_changed_transformer_is_a_new_epoch() -> None:
    """10 on the register with CT 40, then 10 with CT 60, on the same register: 400 + 600 kWh."""
    change = at("09:00")
    before = Epoch(Fraction(40), "A1", to_ns=change, end=Fraction(110))
    after = Epoch(Fraction(60), "A1", from_ns=change, start=Fraction(110))

    found = links(counter(before, after, most_per_h=1000), readings(("08:00", 100.0), ("10:00", 120.0)))

    assert [(400.0, ""), (600.0, "")] == told(found)


def test_time_without_a_meter_is_unknown() -> None:
    """Removed at 08:20, the next one fitted at 08:50: half an hour that nobody measured."""
    old = Epoch(Fraction(1), to_ns=at("08:20"), end=Fraction(1010))
    new = Epoch(Fraction(1), from_ns=at("08:50"), start=Fraction(0))

    found = links(counter(old, new), readings(("08:00", 1000.0), ("09:00", 2.0)))

    assert [(10.0, ""), (None, "no meter"), (2.0, "")] == told(found)
    assert (at("08:20"), at("08:50")) == found[1][:2]


def test_secondary_side_is_multiplied_by_both_transformers() -> None:
    """0.25 kWh on the secondary side of CT 40 and PT 100 are 1000 kWh."""
    found = links(counter(Epoch(Fraction(4000)), most_per_h=5000), readings(("08:00", 8.75), ("08:15", 9.0)))

    assert [(1000.0, "")] == told(found)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 99_999)), max_size=40, unique_by=lambda row: row[0]))
def test_a_counter_never_yields_a_negative_amount(rows: list[tuple[int, float]]) -> None:
    """Whatever a register shows, nothing flows backwards and nothing flows faster than it can."""
    rule = counter(wraps_at=Fraction(100_000), noise=Fraction(1), starts_at_zero=True)
    found = links(rule, [Reading(t_s * NS, value) for t_s, value in sorted(rows)])

    for link in found:
        most = 110 * KWH * max(link.to_ns - link.from_ns, 60 * NS) / (3600 * NS)
        assert link.micro is None or 0 <= link.micro <= most
    assert all(a.to_ns == b.from_ns for a, b in pairwise(found))
