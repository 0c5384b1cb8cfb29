"""Power into energy, gaps, and slots: computed by hand."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.carbon.energy import Amount, by_slot, integrate, spread, thawed, weekly
from agent.carbon.meter import Link
from tests.agent.carbon.readings import KWH, SLOT_NS, at, readings

HOUR_NS = 4 * SLOT_NS


def power(*rows: tuple[str, float]) -> list[Link]:
    return integrate(readings(*rows), units=Fraction(1), most_per_h=Fraction(100), max_gap_ns=SLOT_NS)


def usual_nothing(_slot: int) -> None:
    return None


def test_trapezoid() -> None:
    """10 kW rising to 20 kW over a quarter of an hour is 3.75 kWh."""
    assert [3_750_000] == [link.micro for link in power(("08:00", 10), ("08:15", 20))]


def test_a_gap_in_power_is_unknown() -> None:
    """Nobody measured between 08:05 and 09:00."""
    assert [1_000_000, None] == [link.micro for link in power(("08:00", 12), ("08:05", 12), ("09:00", 12))]


def test_a_level_beyond_the_possible_is_left_out() -> None:
    """65535 is a word of a broken register, not a power."""
    assert [3_000_000] == [link.micro for link in power(("08:00", 12), ("08:05", 65535), ("08:15", 12))]


def test_a_link_is_split_at_slot_edges() -> None:
    """9 kWh from 08:10 to 08:40: 1.5 before 08:15, 4.5, 3 after 08:30."""
    link = Link(at("08:10"), at("08:40"), 9 * KWH)

    assert [1.5, 4.5, 3.0] == [micro / KWH for _, micro, _ in spread(link, SLOT_NS, usual_nothing)]


def test_a_long_gap_is_estimated_and_keeps_the_register_difference() -> None:
    """Two hours of silence, 8 kWh on the register: the total is exact, how it lies in time is an estimate."""
    slots = by_slot([Link(at("08:00"), at("10:00"), 8 * KWH)], slot_ns=SLOT_NS, max_gap_ns=HOUR_NS, usual=usual_nothing)

    assert (8 * KWH, 0, 2 * HOUR_NS) == (
        sum(a.estimated for a in slots.values()),
        sum(a.measured for a in slots.values()),
        sum(a.estimated_ns for a in slots.values()),
    )


def test_a_long_gap_follows_what_is_usual() -> None:
    """The weeks before had 1, 1, 1, 1, 3, 3, 3, 3 kWh in these slots: 32 kWh lie as 2 and 6."""
    first = at("08:00") // SLOT_NS
    week = 7 * 96
    known = {
        first + n - week * back: Amount(measured=(1 if n < 4 else 3) * KWH, measured_ns=SLOT_NS)
        for n in range(8)
        for back in (1, 2)
    }
    found = by_slot(
        [Link(at("08:00"), at("10:00"), 32 * KWH)],
        slot_ns=SLOT_NS, max_gap_ns=HOUR_NS, usual=weekly(known.get, SLOT_NS),
    )  # fmt: skip

    assert [2, 2, 2, 2, 6, 6, 6, 6] == [found[first + n].estimated / KWH for n in range(8)]


def test_an_unknown_link_is_in_no_slot() -> None:
    """What is not known is missing, it is not 0."""
    assert {} == by_slot(
        [Link(at("08:00"), at("08:15"), None)], slot_ns=SLOT_NS, max_gap_ns=HOUR_NS, usual=usual_nothing
    )


def test_a_frozen_register_under_load_is_unknown() -> None:
    """The register stands still while 5 kWh flowed by power: the slot is taken out; without load it may stand still."""
    still = {1: Amount(0, 0, SLOT_NS), 2: Amount(0, 0, SLOT_NS), 3: Amount(KWH, 0, SLOT_NS)}
    load = {1: Amount(5 * KWH, 0, SLOT_NS), 2: Amount(0, 0, SLOT_NS), 3: Amount(KWH, 0, SLOT_NS)}

    left, frozen = thawed(still, load, least=KWH // 10)

    assert ([2, 3], [1]) == (list(left), frozen)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**12), st.integers(1, 10**6), st.integers(0, 10**9), st.sampled_from([0, 1, 7]))
def test_parts_add_up_to_the_link(start_s: int, span_s: int, micro: int, weight: int) -> None:
    """Whatever the link and the profile, nothing is lost or invented by spreading."""
    link = Link(start_s * 10**9, (start_s + span_s) * 10**9, micro)
    parts = list(spread(link, SLOT_NS, lambda slot: (slot % 5) * weight))

    assert micro == sum(part for _, part, _ in parts)
    assert span_s * 10**9 == sum(span for _, _, span in parts)
    assert all(part >= 0 for _, part, _ in parts)


@pytest.mark.parametrize("gap", [False, True])
def test_an_amount_knows_how_it_is_known(gap: bool) -> None:
    """Measured and estimated are kept apart, and add up."""
    amount = Amount(measured=3, measured_ns=1)
    amount.add(Amount(estimated=4, estimated_ns=2) if gap else Amount(measured=4, measured_ns=2))

    assert (7, 3) == (amount.micro, amount.measured_ns + amount.estimated_ns)
