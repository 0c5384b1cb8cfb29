"""Bands and prices. The calendar is the part of Shandong's that is known; the prices are made up for these cases."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from agent.carbon.tariff import (
    Interval,
    MonthDay,
    Prices,
    Season,
    Tariff,
    power_factor,
    power_factor_fee,
    tile,
    uncovered,
)

AUTUMN = tile(
    [
        Interval(9 * 60, 15 * 60, "valley"),
        Interval(11 * 60, 14 * 60, "deep_valley"),
        Interval(16 * 60, 23 * 60, "peak"),
        Interval(17 * 60, 22 * 60, "sharp"),
    ],
    "flat",
)
FLAT = tile([], "flat")


def season(name: str, first: tuple[int, int], last: tuple[int, int], days: str = "all", bands: tuple = FLAT) -> Season:
    return Season(name, MonthDay(*first), MonthDay(*last), days, bands)  # type: ignore[arg-type]


YEAR = (season("autumn", (9, 1), (11, 30), bands=AUTUMN), season("rest", (12, 1), (8, 31)))


@pytest.mark.parametrize(
    ("clock", "band"),
    [
        ("08:59", "flat"), ("09:00", "valley"), ("10:59", "valley"), ("11:00", "deep_valley"), ("13:59", "deep_valley"),
        ("14:00", "valley"), ("15:00", "flat"), ("16:00", "peak"), ("17:00", "sharp"), ("21:59", "sharp"),
        ("22:00", "peak"), ("23:00", "flat"), ("00:00", "flat"),
    ],
)  # fmt: skip
def test_nested_bands(clock: str, band: str) -> None:
    """The narrower band wins; intervals are half open."""
    assert band == Tariff(YEAR, ()).band(datetime.fromisoformat(f"2026-10-14T{clock}"))


@pytest.mark.parametrize(
    ("seasons", "words"),
    [
        (YEAR, ""),
        ((season("a", (1, 1), (6, 30)), season("b", (7, 2), (12, 31))), "07-01 as a working day: no season covers it"),
        ((season("a", (1, 1), (7, 1)), season("b", (7, 1), (12, 31))), "07-01 as a working day: a and b both cover it"),
        ((season("a", (1, 1), (12, 31), "workdays"),), "01-01 as a day of rest: no season covers it"),
        ((season("a", (1, 1), (2, 28)), season("b", (3, 1), (12, 31))), "02-29 as a working day: no season covers it"),
    ],
    ids=["whole", "a hole", "an overlap", "weekends missing", "leap day"],
)
def test_every_day_is_covered_exactly_once(seasons: tuple, words: str) -> None:
    """The first day that is not is named."""
    assert words == uncovered(seasons)


def test_two_bands_of_one_length_over_each_other_are_refused() -> None:
    """Nobody can say which of them counts."""
    with pytest.raises(ValueError, match=r"valley 10:00-12:00 lies over another band"):
        tile([Interval(540, 660, "peak"), Interval(600, 720, "valley")], "flat")


def test_a_part_of_no_day_is_refused() -> None:
    """Bands over midnight are written as two."""
    with pytest.raises(ValueError, match="is no part of a day"):
        tile([Interval(22 * 60, 6 * 60, "valley")], "flat")


def test_prices_change_with_the_month() -> None:
    """Before the first list there is no price, and none is guessed; a band without a price has none either."""
    march = Prices(date(2026, 3, 1), {"flat": Decimal("0.7")})
    april = Prices(date(2026, 4, 1), {"flat": Decimal("0.8"), "peak": Decimal("1.2")})
    tariff = Tariff(YEAR, (march, april))

    assert [None, Decimal("0.7"), None, Decimal("0.8"), Decimal("1.2")] == [
        tariff.price(date(2026, 2, 28), "flat"),
        tariff.price(date(2026, 3, 31), "flat"),
        tariff.price(date(2026, 3, 31), "peak"),
        tariff.price(date(2026, 4, 1), "flat"),
        tariff.price(date(2026, 4, 1), "peak"),
    ]


def test_weekends_and_holidays() -> None:
    """A holiday on a Thursday is a day of rest, a Saturday on which the plant works is none."""
    seasons = (
        season("work", (1, 1), (12, 31), "workdays", tile([], "peak")),
        season("rest", (1, 1), (12, 31), "restdays", tile([], "valley")),
    )
    tariff = Tariff(seasons, (), frozenset({date(2026, 10, 1)}), frozenset({date(2026, 10, 10)}))

    assert ["valley", "peak", "peak", "valley"] == [tariff.band(datetime(2026, 10, day, 12)) for day in (1, 9, 10, 11)]  # noqa: DTZ001


def test_power_factor() -> None:
    """3 kWh and 4 kvarh are 5 kVAh: 0.6; nothing flowed: there is none."""
    assert Decimal("0.6") == power_factor(Decimal(3), Decimal(4))
    assert power_factor(Decimal(0), Decimal(0)) is None


def test_power_factor_fee() -> None:
    """Of the steps, the highest that is reached counts; below all of them the table says nothing."""
    steps = [(Decimal("0.9"), Decimal("-0.5")), (Decimal("0.85"), Decimal(2))]

    assert [Decimal(-5), Decimal(20), None] == [
        power_factor_fee(Decimal(factor), steps, Decimal(1000)) for factor in ("0.93", "0.86", "0.5")
    ]
