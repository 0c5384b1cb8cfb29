"""What can be set about time and money: shifts, seasons, bands, prices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from agent.carbon.tariff import Band
from collectors.settings import Settings

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Hours = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d-\d\d:\d\d$")]
DayOfYear = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class ShiftConfig(Settings):
    """One working shift."""

    name: Name
    """What people call it."""

    from_: Clock = Field(alias="from")
    """When it begins, plant time."""

    to: Clock
    """When it ends; at or before its begin: on the next day."""


class SeasonConfig(Settings):
    """Days of the year with the same bands."""

    name: Name
    """What it is called."""

    from_: DayOfYear = Field(alias="from")
    """Its first day, month-day."""

    to: DayOfYear
    """Its last day, month-day; before the first: over New Year."""

    days: Literal["all", "workdays", "restdays"] = "all"
    """On which of these days it holds."""

    bands: dict[Band, tuple[Hours, ...]] = Field(default_factory=dict)
    """Hours of each band, like peak: ["16:00-23:00"]; inside a band a shorter one wins."""

    rest: Band = "flat"
    """The band of all other hours."""


class PricesConfig(Settings):
    """What a kWh costs from a day on."""

    from_: date = Field(alias="from")
    """The first day."""

    yuan_per_kwh: dict[Band, Annotated[Decimal, Field(ge=0)]]
    """Price of each band, yuan for a kWh."""


class StepConfig(Settings):
    """One row of the supplier's table of power factors."""

    least: Annotated[Decimal, Field(ge=0, le=1)]
    """The power factor from which on it holds."""

    percent: Decimal
    """What is added to the bill, percent; negative for a bonus."""


class TariffConfig(Settings):
    """The calendar of bands, which covers every day exactly once, and the plant's own prices."""

    seasons: tuple[SeasonConfig, ...] = Field(min_length=1)
    """Together they cover every day of the year exactly once."""

    prices: tuple[PricesConfig, ...] = Field(min_length=1)
    """In order of their first day."""

    rest_days: tuple[date, ...] = ()
    """Holidays besides Saturday and Sunday."""

    work_days: tuple[date, ...] = ()
    """Saturdays and Sundays on which the plant works."""

    yuan_per_kw_month: Annotated[Decimal, Field(ge=0)] | None = None
    """Price of the month's highest demand, yuan for a kW."""

    demand: Literal["fixed", "sliding"] = "fixed"
    """Whether the quarters of demand begin on the quarters of the hour, or with every slot."""

    power_factor_steps: tuple[StepConfig, ...] = ()
    """The supplier's table of power factors."""
