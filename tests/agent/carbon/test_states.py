"""States as the machine says them: times, energy by state, what standing by costs; each case computed by hand."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.carbon.energy import Amount
from agent.carbon.evidence import gather
from agent.carbon.meter import Reading
from agent.carbon.performance import machine_rows
from agent.carbon.quantities import Conditions, scale
from agent.carbon.states import UNKNOWN, Stay, by_signal, stays
from collectors.points import BAD, Batch, Kind, Point, Series
from tests.agent.carbon.plants import Log, Row, batch, feed, meter, plan, sink
from tests.agent.carbon.readings import KWH, SLOT_NS, at
from tests.agent.carbon.test_carbon_config import problems
from tests.agent.carbon.test_carbon_sink import DAY_NS, MINUTE_NS, ending, live

OFF, STANDBY, RUNNING = 0.0, 1.0, 2.0
SAID = {"Executing": "running", "NotExecuting": "standby", "OutOfService": "off"}
CNC = meter("m1", state_signal="machine_state", states=SAID)


def told(*rows: tuple[str, float | str, int]) -> list[Batch]:
    """What the machine says of its state: clock, text, quality."""
    series = Series("p", "", "l", "m1", "machine_state", "", Kind.TEXT)
    return [
        Batch.of("machines", [Point(series, at(clock), value, quality)], received_ns=at(clock))
        for clock, value, quality in rows
    ]


def test_a_state_lasts_until_the_next_one() -> None:
    """Running since the day before, standing by from 08:10, unknown from 08:20; the same state twice is one stay."""
    found = stays(
        [
            Reading(at("22:00", "2026-03-01"), RUNNING), Reading(at("08:05"), RUNNING), Reading(at("08:10"), STANDBY),
            Reading(at("08:20"), UNKNOWN),
        ],
        at("08:00"), at("09:00"), holds_ns=DAY_NS,
    )  # fmt: skip

    assert [Stay(at("08:00"), at("08:10"), "running"), Stay(at("08:10"), at("08:20"), "standby")] == list(found)


def test_a_state_is_not_believed_for_ever() -> None:
    """Said in a rhythm of a minute and silent since 08:00: believed for five minutes."""
    found = stays([Reading(at("08:00"), RUNNING)], at("08:00"), at("09:00"), holds_ns=5 * MINUTE_NS)

    assert [Stay(at("08:00"), at("08:05"), "running")] == list(found)


def test_energy_of_a_slot_with_two_states() -> None:
    """Slots that are filled have 3 kWh running, 0.5 standing by: of a half-half slot's 2.8 kWh, 2.4 and 0.4."""
    first = at("08:00") // SLOT_NS
    slots = {
        first: Amount(3 * KWH, 0, SLOT_NS), first + 1: Amount(2_800_000, 0, SLOT_NS),
        first + 2: Amount(500_000, 0, SLOT_NS),
    }  # fmt: skip
    half = at("08:15") + SLOT_NS // 2
    found = by_signal(
        slots, range(first, first + 3),
        [Stay(at("08:00"), half, "running"), Stay(half, at("08:45"), "standby")], slot_ns=SLOT_NS,
    )  # fmt: skip

    assert {"off": 0, "standby": 900_000, "running": 5_400_000} == found.micro
    assert {"off": 0, "standby": 3 * SLOT_NS // 2, "running": 3 * SLOT_NS // 2} == found.lasted_ns
    assert 3 * SLOT_NS // 2 == found.longest_standby_ns


def test_without_a_filled_slot_it_is_divided_by_time() -> None:
    """5 minutes running, 10 standing by, 3 kWh: 1 and 2; a slot that is partly unknown has no energy by state."""
    first = at("08:00") // SLOT_NS
    found = by_signal(
        {first: Amount(3 * KWH, 0, SLOT_NS), first + 1: Amount(KWH, 0, SLOT_NS // 2)}, range(first, first + 2),
        [Stay(at("08:00"), at("08:05"), "running"), Stay(at("08:05"), at("08:30"), "standby")], slot_ns=SLOT_NS,
    )  # fmt: skip

    assert {"off": 0, "standby": 2 * KWH, "running": KWH} == found.micro


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([OFF, STANDBY, RUNNING, UNKNOWN])), max_size=20))
def test_states_never_add_up_to_more_than_flowed(rows: list[tuple[int, float]]) -> None:
    """Σ of the states is at most the slots' energy, and exactly it where the state is always known."""
    first, span = at("08:00") // SLOT_NS, range(at("08:00") // SLOT_NS, at("09:00") // SLOT_NS)
    slots = {slot: Amount(1_000_001 * (slot - first + 1), 0, SLOT_NS) for slot in span}
    readings = sorted({Reading(at("08:00") + minute * MINUTE_NS, value) for minute, value in rows})
    known = list(stays(readings, at("08:00"), at("09:00"), holds_ns=DAY_NS))
    found = by_signal(slots, span, known, slot_ns=SLOT_NS)
    flowed = sum(amount.micro for amount in slots.values())

    assert all(micro >= 0 for micro in found.micro.values())
    assert sum(found.micro.values()) <= flowed
    if sum(stay.to_ns - stay.from_ns for stay in known) == 4 * SLOT_NS:
        assert flowed == sum(found.micro.values())


async def rows_of(batches: list[Batch], made: dict[str, Any]) -> dict[str, str]:
    """The machine's row of the day, from the evidence alone."""
    made_plan, log = plan(made), Log()
    await feed(sink(made_plan, log), sorted(batches, key=lambda one: one.received_ns))
    kept = gather(made_plan, "p", log.records())
    return next(machine_rows(made_plan, kept, at("00:00"), at("00:00") + DAY_NS, kind="day"))


def register() -> list[Row]:
    """8 kW from 08:00 to 10:00, 2 kW to 12:00, 0 to 13:00."""
    kwh = [100 + min(m, 120) * 8 / 60 + min(max(m - 120, 0), 120) * 2 / 60 for m in range(0, 301, 5)]
    return [("m1", at("08:00") + n * 5 * MINUTE_NS, value) for n, value in enumerate(kwh)]


async def test_a_day_of_a_machine_that_says_its_state() -> None:
    """16 kWh in 2 h of running, 4 in 2 h of standing by at 0.5 yuan and 0.6191 kg a kWh; then off."""
    said = told(("08:00", "Executing", 0), ("10:00", "NotExecuting", 0), ("12:00", "OutOfService", 0))
    row = await rows_of([*live(register()), *said, ending(register())], CNC)

    assert {
        "kwh_running": "16.000000", "kwh_standby": "4.000000", "kwh_off": "0.000000", "h_running": "2.00",
        "h_standby": "2.00", "h_off": "12.00", "h_longest_standby": "2.00", "kw_standby": "2.000",
        "yuan_standby": "2.000000", "kgco2_standby": "2.476400",
    } == {name: row[name] for name in row if name.endswith(("_running", "_standby", "_off"))}  # fmt: skip


async def test_a_bad_state_is_no_state() -> None:
    """From 10:00 the server knows nothing: two hours of running are all that is told."""
    said = told(("08:00", "Executing", 0), ("10:00", "Executing", BAD), ("12:00", "Elsewhere", 0))
    row = await rows_of([*live(register()), *said, ending(register())], CNC)

    assert ["16.000000", "2.00", "0.00", "0.00"] == [
        row[name] for name in ("kwh_running", "h_running", "h_standby", "h_off")
    ]


async def test_states_in_numbers() -> None:
    """A controller that says 3 for running and 1 for waiting."""
    made = meter("m1", state_signal="mode", states={"3": "running", "1": "standby"})
    series = Series("p", "", "l", "m1", "mode", "", Kind.STATE)
    said = [
        Batch.of("machines", [Point(series, at(clock), value)], received_ns=at(clock))
        for clock, value in (("08:00", 3.0), ("10:00", 1.0), ("13:00", 0.0))
    ]
    row = await rows_of([*live(register()), *said, ending(register())], made)

    assert ["16.000000", "4.000000", "3.00"] == [row[name] for name in ("kwh_running", "kwh_standby", "h_standby")]


async def test_two_changes_within_a_minute() -> None:
    """It waits for 20 seconds, then runs on: the state that lasts is kept."""
    said = told(("08:00", "Executing", 0), ("09:00:05", "NotExecuting", 0), ("09:00:25", "Executing", 0))
    row = await rows_of([*live(register()), *said, ending(register())], CNC)

    assert "0.01" == row["h_standby"]


@pytest.mark.parametrize(
    ("given", "where", "what"),
    [
        ({"state_signal": "machine_state"}, "- name: m1", "one of state_signal and states"),
        ({"state_signal": "machine_state", "states": SAID, "off_below_kw": 1, "running_from_kw": 2}, "- name: m1",
         "instead of off_below_kw"),
        ({"state_signal": "nothing", "states": SAID}, "state_signal: nothing", "no source brings 'nothing' of 'm1'"),
    ],
)  # fmt: skip
def test_wrong_states_are_refused(tmp_path: Path, given: dict, where: str, what: str) -> None:
    """With the line on which it stands."""
    found = problems(tmp_path, {"meters": [meter("m1", **given)]})

    assert [one for one in found if where.lstrip("- ") in one.partition(" | ")[0] and what in one], found


def test_two_meters_that_tell_the_states_of_one_machine_are_refused(tmp_path: Path) -> None:
    """One of them would be left out silently."""
    powers = {"off_below_kw": 1, "running_from_kw": 2}
    found = problems(tmp_path, {"meters": [meter("m1", **powers), meter("m2", supplies=["m1"], **powers)]})

    assert [one for one in found if "tells the states of 'm1' already" in one]


def test_steam_that_is_counted_as_heat() -> None:
    """2 t of steam at 2768 kJ/kg, less 83.74 of water at 20 °C: 5368.52 MJ."""
    steam = Conditions(heat_kj_per_kg=Fraction("2768") - Fraction("83.74"))

    assert Fraction("5368.52") == 2 * scale("t", "heat", steam)
    with pytest.raises(ValueError, match="heat_kj_per_kg"):
        scale("t", "heat", Conditions())


async def test_late_data_correct_the_newest_window_at_once() -> None:
    """The month is over and told; then two hours come late: month, day and hour are told again at the same times."""
    made, log = plan(meter("m1")), Log()
    rows = [("m1", at("00:00", "2026-03-31") + n * 15 * MINUTE_NS, 100.0 + n) for n in range(97)]
    reader = sink(made, log)
    await feed(reader, [*live(rows[:90]), ending(rows)])
    key = ("m1", "electricity_month", at("00:00", "2026-03-01"))
    before = log.values()[key]
    await feed(reader, [batch(rows[90:], received_ns=at("12:00", "2026-04-02"))])

    assert (89.0, 96.0) == (before, log.values()[key])
    assert set() == {one for one in reader.waiting() if one[1] == "month" and one[2] == key[2]}
