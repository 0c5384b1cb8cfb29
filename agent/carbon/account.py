"""Amounts into coal equivalents, kilograms of CO2 and yuan; each figure knows its factors and what it lacks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Generic, TypeVar

from agent.carbon.energy import Amount
from agent.carbon.factors import CoalFactor, Factor, OrganisationFactor, ProductFactor
from agent.carbon.quantities import MICRO, Medium
from agent.carbon.tariff import Band, Tariff
from agent.carbon.windows import Calendar

F = TypeVar("F", bound=Factor, covariant=True)


@dataclass(frozen=True, slots=True)
class Assignment(Generic[F]):
    """Which factor a medium has on which days, both included."""

    medium: Medium
    factor: F
    first: date = date.min
    last: date = date.max
    kg: Fraction | None = field(init=False)
    """For one base unit of the medium."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kg", self.factor.per_base(self.medium))


@dataclass(frozen=True, slots=True)
class Figure:
    """A result, exact; None where it is not known. `lacks` says for people what is missing from it."""

    value: Fraction | None
    factors: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def text(self, places: int = 6) -> str:
        """The figure as a plain decimal, "" where it is not known."""
        return "" if self.value is None else decimal_text(self.value, places)


NOTHING = Figure(Fraction(0))


def decimal_text(value: Fraction, places: int = 6) -> str:
    """A decimal without exponent, rounded half to even."""
    return format(Decimal(round(value * 10**places)).scaleb(-places), "f")


def add(figures: Iterable[Figure]) -> Figure:
    """The sum; not known as soon as one part is not."""
    value: Fraction | None = Fraction(0)
    factors: dict[str, None] = {}
    lacks: dict[str, None] = {}
    for figure in figures:
        value = None if value is None or figure.value is None else value + figure.value
        factors.update(dict.fromkeys(figure.factors))
        lacks.update(dict.fromkeys(figure.lacks))
    return Figure(value, tuple(factors), tuple(lacks))


Days = Mapping[date, int]
"""Millionths of the base unit that flowed on each day of plant time."""


def by_day(slots: Mapping[int, Amount], span: range, calendar: Calendar) -> dict[date, int]:
    """What flowed on each day of plant time."""
    found: dict[date, int] = {}
    edge, day = 0, date.min
    for slot in span:
        t_ns = slot * calendar.slot_ns
        if t_ns >= edge:
            window = calendar.window("day", t_ns)
            assert window is not None, "every time has a day"
            edge, day = window.end_ns, calendar.local(t_ns).date()
        if (amount := slots.get(slot)) is not None:
            found[day] = found.get(day, 0) + amount.micro
    return found


def emissions(days: Days, medium: Medium, assignments: Sequence[Assignment[OrganisationFactor]]) -> Figure:
    """Direct CO2 of an organisation in kg, location-based."""
    return _applied(days, medium, assignments, "an organisation factor")


def footprint(days: Days, medium: Medium, assignments: Sequence[Assignment[ProductFactor]]) -> Figure:
    """CO2e over the life cycle in kg, for products."""
    return _applied(days, medium, assignments, "a product factor")


def coal_equivalent(days: Days, medium: Medium, assignments: Sequence[Assignment[CoalFactor]]) -> Figure:
    """Coal equivalent in kgce, GB/T 2589."""
    return _applied(days, medium, assignments, "a coal equivalent")


def _applied(days: Days, medium: Medium, assignments: Sequence[Assignment[Factor]], wanted: str) -> Figure:
    value: Fraction | None = Fraction(0)
    factors: dict[str, None] = {}
    lacks: dict[str, None] = {}
    for day, micro in days.items():
        if not micro:
            continue
        found = _on(assignments, medium, day)
        kg = found.kg if found else None
        if found:
            factors[found.factor.id] = None
        if kg is None:
            lacks[f"{wanted} for {medium} on {day.isoformat()}"] = None
            value = None
        elif value is not None:
            value += Fraction(micro, MICRO) * kg
    return Figure(value, tuple(factors), tuple(lacks))


def _on(assignments: Sequence[Assignment[Factor]], medium: Medium, day: date) -> Assignment[Factor] | None:
    """What holds on a day; of several the one that was written last."""
    fitting = [one for one in assignments if one.medium == medium and one.first <= day <= one.last]
    return fitting[-1] if fitting else None


def market_based(kwh: Fraction, instruments: Sequence[tuple[Fraction, OrganisationFactor]],
                 residual: OrganisationFactor | None) -> Figure:  # fmt: skip
    """CO2 of bought power in kg, by contracts.

    kwh: what was used.  instruments: (kWh covered, factor of the contract); what they do not cover has the residual
    factor, else the same green kWh would count twice.
    """
    left, value, factors = kwh, Fraction(0), []
    for covered, factor in instruments:
        taken = min(left, covered)
        kg = factor.per_base("electricity")
        factors.append(factor.id)
        if kg is None:
            return Figure(None, tuple(factors), (f"the value of {factor.id}",))
        value, left = value + taken * kg, left - taken
    if not left:
        return Figure(value, tuple(factors))
    kg = residual.per_base("electricity") if residual else None
    if residual is None or kg is None:
        return Figure(None, tuple(factors), ("a residual factor for what no instrument covers",))
    return Figure(value + left * kg, (*factors, residual.id))


@dataclass(frozen=True, slots=True)
class Cost:
    """Yuan of the energy, and how the kWh lay in bands and at prices, in millionths."""

    figure: Figure
    parts: Mapping[tuple[Band, Decimal | None], int]

    def micro(self, band: Band) -> int:
        """What lay in a band."""
        return sum(micro for (of, _), micro in self.parts.items() if of == band)


def energy_cost(slots: Mapping[int, Amount], span: range, calendar: Calendar, tariff: Tariff) -> Cost:
    """What the electricity of consecutive slots costs without demand, power factor and taxes."""
    value: Fraction | None = Fraction(0)
    lacks: dict[str, None] = {}
    parts: dict[tuple[Band, Decimal | None], int] = {}
    for slot in span:
        amount = slots.get(slot)
        if amount is None or not amount.micro:
            continue
        local = calendar.local(slot * calendar.slot_ns)
        band = tariff.band(local)
        price = tariff.price(local.date(), band)
        parts[band, price] = parts.get((band, price), 0) + amount.micro
        if price is None:
            lacks[f"a price for {band} on {local.date().isoformat()}"] = None
            value = None
        elif value is not None:
            value += Fraction(price) * amount.micro / MICRO
    return Cost(Figure(value, (), tuple(lacks)), parts)
