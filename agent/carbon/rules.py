"""Settings into the rules of the pure cores. Imports no numpy, `raceway check` uses it too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.carbon.account import Assignment
from agent.carbon.calendar_config import SeasonConfig, TariffConfig
from agent.carbon.config import AssignmentConfig, CarbonConfig
from agent.carbon.factors import F, Register, read_register
from agent.carbon.meter import EVER, Counter, Epoch
from agent.carbon.meter_config import EpochConfig, MeterConfig
from agent.carbon.quantities import Conditions, scale
from agent.carbon.tariff import Interval, MonthDay, Prices, Season, Tariff, tile
from agent.carbon.windows import MINUTE_NS, NS, Calendar, Shift


def conditions(meter: MeterConfig) -> Conditions:
    """What is known about the gas or liquid."""

    def exact(value: object) -> Fraction | None:
        return None if value is None else Fraction(str(value))

    return Conditions(
        meter.reference,
        *map(exact, (meter.temperature_c, meter.pressure_kpa, meter.density_kg_per_m3, meter.heat_kj_per_kg)),
    )


def counter(meter: MeterConfig, zone: ZoneInfo) -> Counter:
    """What the meter's register can do. Raises ValueError where its unit does not fit its medium."""
    units = scale(meter.unit, meter.medium, conditions(meter))

    def epoch(given: EpochConfig | MeterConfig) -> Fraction:
        return units * Fraction(given.ct or 1) * Fraction(given.pt or 1)

    epochs = [
        Epoch(
            units=epoch(given),
            serial=given.serial,
            from_ns=_ns(given.from_, zone, -EVER),
            to_ns=_ns(given.to, zone, EVER),
            start=None if given.start is None else Fraction(given.start),
            end=None if given.end is None else Fraction(given.end),
            by=given.by,
        )
        for given in meter.epochs
    ]
    return Counter(
        epochs=tuple(epochs) or (Epoch(epoch(meter)),),
        most_per_h=Fraction(meter.most_per_h),
        wraps_at=None if meter.wraps_at is None else Fraction(meter.wraps_at),
        noise=Fraction(str(meter.noise)),
        starts_at_zero=meter.starts_at_zero,
        max_gap_ns=round(meter.max_gap_min * MINUTE_NS),
    )


def _ns(moment: datetime | None, zone: ZoneInfo, otherwise: int) -> int:
    if moment is None:
        return otherwise
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()) * NS


def minutes(clock: str) -> int:
    """Minutes since midnight."""
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def season(given: SeasonConfig) -> Season:
    """A season with the band of every minute. Raises ValueError for people."""
    intervals = []
    for band, hours in given.bands.items():
        for one in hours:
            start, end = one.split("-")
            intervals.append(Interval(minutes(start), minutes(end), band))
    first, last = (MonthDay(*map(int, day.split("-"))) for day in (given.from_, given.to))
    return Season(given.name, first, last, given.days, tile(intervals, given.rest))


def tariff(given: TariffConfig) -> Tariff:
    """The tariff; its seasons have been checked."""
    return Tariff(
        tuple(season(one) for one in given.seasons),
        tuple(Prices(one.from_, one.yuan_per_kwh) for one in sorted(given.prices, key=lambda one: one.from_)),
        frozenset(given.rest_days),
        frozenset(given.work_days),
        given.yuan_per_kw_month,
        tuple((step.least, step.percent) for step in given.power_factor_steps),
    )


def calendar(config: CarbonConfig) -> Calendar:
    """The plant's calendar."""
    shifts = tuple(Shift(one.name, minutes(one.from_), minutes(one.to)) for one in config.shifts)
    return Calendar(ZoneInfo(config.zone), config.slot_min * MINUTE_NS, shifts)


def read_registers(paths: Sequence[Path]) -> Register:
    """All factors of several files. Raises OSError and ValueError for people."""
    texts = [path.read_text(encoding="utf-8-sig") for path in paths]
    lines = [line for number, text in enumerate(texts) for line in text.splitlines()[number > 0 :]]
    return read_register("\n".join(lines))


def assignments(given: Sequence[AssignmentConfig], register: Register, kind: type[F]) -> tuple[Assignment[F], ...]:
    """Which factor of that kind a medium has when. Raises ValueError for another kind."""
    return tuple(
        Assignment(one.medium, register.find(one.factor, kind), one.from_ or date.min, one.to or date.max)
        for one in given
    )
