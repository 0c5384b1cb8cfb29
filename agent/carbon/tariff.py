"""What electricity costs: bands by season and time of day, demand, power factor. Pure.

A calendar covers every day of the year exactly once and every day's 24 hours exactly once. Where bands are nested, as a
deep valley inside a valley, the narrower one wins. All prices are the plant's own: none are built in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, get_args

Band = Literal["sharp", "peak", "flat", "valley", "deep_valley"]
BANDS: tuple[Band, ...] = get_args(Band)
DAY_MIN = 24 * 60
LEAP_YEAR = 2024


class Interval(NamedTuple):
    """A part of the day in one band: minutes since midnight, half open."""

    start_min: int
    end_min: int
    band: Band


class MonthDay(NamedTuple):
    """A day of any year."""

    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Season:
    """Days of the year, both ends included, over New Year where the end is before the start; and their bands."""

    name: str
    first: MonthDay
    last: MonthDay
    days: Literal["all", "workdays", "restdays"]
    bands: tuple[Band, ...]  # one for each minute of the day

    def covers(self, day: date, *, is_rest: bool) -> bool:
        """Whether a day belongs to it."""
        if self.days != "all" and (self.days == "restdays") != is_rest:
            return False
        here = MonthDay(day.month, day.day)
        if self.first <= self.last:
            return self.first <= here <= self.last
        return here >= self.first or here <= self.last


def tile(intervals: Iterable[Interval], rest: Band) -> tuple[Band, ...]:
    """The band of every minute of a day; `rest` where no interval is.

    Raises ValueError for people where two intervals of one width lie over each other, or one is no part of a day.
    """
    bands: list[Band] = [rest] * DAY_MIN
    widths = [DAY_MIN + 1] * DAY_MIN
    for interval in intervals:
        width = interval.end_min - interval.start_min
        if not 0 <= interval.start_min < interval.end_min <= DAY_MIN:
            raise ValueError(f"{shown(interval)} is no part of a day; write it as 07:00-09:00, up to 24:00")
        for minute in range(interval.start_min, interval.end_min):
            if widths[minute] == width and bands[minute] != interval.band:
                raise ValueError(f"{shown(interval)} lies over another band as long as itself; let one of them end")
            if width < widths[minute]:
                bands[minute], widths[minute] = interval.band, width
    return tuple(bands)


def shown(interval: Interval) -> str:
    """An interval for people."""
    start, end = (f"{minute // 60:02d}:{minute % 60:02d}" for minute in interval[:2])
    return f"{interval.band} {start}-{end}"


def uncovered(seasons: Sequence[Season]) -> str:
    """The first day that no season or more than one covers, for people; empty where all are covered exactly once."""
    for number in range(366):
        day = date(LEAP_YEAR, 1, 1) + timedelta(number)
        for is_rest, kind in ((False, "working day"), (True, "day of rest")):
            names = [season.name for season in seasons if season.covers(day, is_rest=is_rest)]
            if len(names) != 1:
                by = "no season covers it" if not names else f"{' and '.join(names)} both cover it"
                return f"{day:%m-%d} as a {kind}: {by}"
    return ""


class Prices(NamedTuple):
    """Yuan for a kWh by band, from a day on."""

    first: date
    by_band: Mapping[Band, Decimal]


@dataclass(frozen=True, slots=True)
class Tariff:
    """A calendar of bands and the prices that belong to it. Saturdays and Sundays are days of rest.

    rest_days, work_days: exceptions from that.  prices: in order of their first day.
    """

    seasons: tuple[Season, ...]
    prices: tuple[Prices, ...]
    rest_days: frozenset[date] = frozenset()
    work_days: frozenset[date] = frozenset()
    yuan_per_kw: Decimal | None = None  # of a month's highest demand
    power_factor_steps: tuple[tuple[Decimal, Decimal], ...] = ()

    def band(self, local: datetime) -> Band:
        """The band of a moment in plant time."""
        day = local.date()
        is_rest = day in self.rest_days or (day.weekday() >= 5 and day not in self.work_days)
        season = next(season for season in self.seasons if season.covers(day, is_rest=is_rest))
        return season.bands[local.hour * 60 + local.minute]

    def price(self, day: date, band: Band) -> Decimal | None:
        """Yuan for a kWh; None where no price is known."""
        valid = [prices for prices in self.prices if prices.first <= day]
        return valid[-1].by_band.get(band) if valid else None


def power_factor(active_kwh: Decimal, reactive_kvarh: Decimal) -> Decimal | None:
    """The mean power factor of a month from its two energies; None where nothing flowed."""
    apparent = (active_kwh * active_kwh + reactive_kvarh * reactive_kvarh).sqrt()
    return active_kwh / apparent if apparent else None


def power_factor_fee(factor: Decimal, steps: Sequence[tuple[Decimal, Decimal]], base_yuan: Decimal) -> Decimal | None:
    """The adjustment of the bill, yuan, negative for a bonus; None where the table ends above the factor.

    steps: (power factor at least, percent of the base), as the supplier's table has it.
    base_yuan: energy fee and basic fee without government funds.
    """
    reached = [percent for least, percent in sorted(steps) if factor >= least]
    return base_yuan * reached[-1] / 100 if reached else None
