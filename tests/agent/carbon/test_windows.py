"""The plant's calendar and demand, by hand."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agent.carbon.energy import Amount
from agent.carbon.windows import Calendar, Shift, Window, peak_demand, total
from tests.agent.carbon.readings import KWH, SLOT_NS, ZONE, at

DAY_NS = 96 * SLOT_NS
PLANT = Calendar(ZONE, SLOT_NS, (Shift("day", 480, 1200), Shift("night", 1200, 480)))


def known(kwh: float) -> Amount:
    return Amount(measured=round(kwh * KWH), measured_ns=SLOT_NS)


@pytest.mark.parametrize(
    ("kind", "clock", "start", "end", "label"),
    [
        ("slot", "08:20", "08:15", "08:30", "2026-03-02T08:15"),
        ("hour", "08:20", "08:00", "09:00", "2026-03-02T08"),
        ("shift", "08:20", "08:00", "20:00", "2026-03-02/day"),
    ],
)
def test_windows(kind: str, clock: str, start: str, end: str, label: str) -> None:
    """Edges are those of the plant's clock."""
    assert Window(kind, at(start), at(end), label) == PLANT.window(kind, at(clock))  # type: ignore[arg-type]


def test_a_day_begins_at_midnight_in_shanghai() -> None:
    """16:00 UTC; Asia/Shanghai has no summer time, every day has 24 hours."""
    day = PLANT.window("day", at("00:00"))

    assert Window("day", 1772380800 * 10**9, 1772380800 * 10**9 + DAY_NS, "2026-03-02") == day
    assert day == PLANT.window("day", at("23:59"))


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    """03:00 is still the night of the day before."""
    assert (
        Window("shift", at("20:00", "2026-03-01"), at("08:00"), "2026-03-01/night")
        == PLANT.window("shift", at("03:00"))
    )  # fmt: skip


def test_outside_every_shift_is_no_window() -> None:
    """A plant with one shift has no shift at night."""
    assert Calendar(ZONE, SLOT_NS, (Shift("day", 480, 1200),)).window("shift", at("03:00")) is None


def test_a_month_ends_where_the_next_begins() -> None:
    """February 2026 has 28 days."""
    month = PLANT.window("month", at("12:00", "2026-02-15"))

    assert month is not None
    assert (28 * 96, "2026-02") == (len(PLANT.slots(month)), month.label)


def test_summer_time_gives_a_day_of_23_hours() -> None:
    """A plant elsewhere has days that are shorter or longer; its slots are."""
    berlin = Calendar(ZoneInfo("Europe/Berlin"), SLOT_NS)
    day = berlin.window("day", 1774692000 * 10**9)  # 2026-03-28, the day before
    assert day is not None
    after = berlin.window("day", day.end_ns)

    assert after is not None
    assert (96, 92) == (len(berlin.slots(day)), len(berlin.slots(after)))


def test_windows_of_a_span_are_those_that_begin_in_it() -> None:
    """A day has 24 hours, two shifts begin in it, and it is one day."""
    span = at("00:00"), at("00:00") + DAY_NS

    assert [96, 24, 2, 1, 0] == [
        len(list(PLANT.windows(kind, *span))) for kind in ("slot", "hour", "shift", "day", "month")
    ]  # type: ignore[arg-type]


def test_hours_add_up_to_the_day() -> None:
    """Sums over windows are the sum over slots, exactly."""
    first = at("00:00") // SLOT_NS
    slots = {first + n: known(0.1 * (n % 7)) for n in range(96)}
    day = total(slots, range(first, first + 96))
    hours = [total(slots, PLANT.slots(hour)).micro for hour in PLANT.windows("hour", at("00:00"), at("00:00") + DAY_NS)]

    assert day.micro == sum(hours)


def test_fixed_and_sliding_demand() -> None:
    """Slots of 5 minutes with 1, 1, 4 | 4, 4, 1 kWh: fixed quarters have 6 and 9 kWh, a sliding one 12 kWh: 48 kW."""
    width = 300 * 10**9
    first = at("08:00") // width
    slots = {first + n: Amount(measured=kwh * KWH, measured_ns=width) for n, kwh in enumerate((1, 1, 4, 4, 4, 1))}
    span = range(first, first + 6)

    assert (Decimal(36), at("08:15")) == peak_demand(slots, span, slot_ns=width, sliding=False)
    assert (Decimal(48), at("08:10")) == peak_demand(slots, span, slot_ns=width, sliding=True)


def test_an_unknown_quarter_has_no_demand() -> None:
    """A quarter that is partly missing would show a demand that is too low."""
    slot = at("08:00") // SLOT_NS
    half = {slot: Amount(measured=KWH, measured_ns=SLOT_NS // 2)}

    assert None is peak_demand(half, range(slot, slot + 1), slot_ns=SLOT_NS, sliding=False)
