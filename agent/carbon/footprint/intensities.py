"""What one unit of something emits over its life until it is used here, and how good that number is. Pure.

Data are rated from 1 (best) to 5, after the pedigree matrix of US EPA (2016): time by the years between the data and
the period, place by how much wider the region of the data is, technology 1 for data of the process itself and 2 for a
published mean of the same thing. A supplier's own ratings count where he gives them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from agent.carbon.factors import ProductFactor
from agent.carbon.quantities import ratio
from collectors.ledger.entries import LedgerEntry

TKM = "t·km"
_YEARS = ((3, 1), (6, 2), (10, 3), (15, 4))  # younger than so many years: rating
_PLACES = {"china": "CN", "中国": "CN", "shandong": "CN-SD", "山东": "CN-SD", "north china": "CN", "华北": "CN"}
PUBLISHED = 2  # technology of a published mean


@dataclass(frozen=True, slots=True)
class Ratings:
    """Technological, geographical and temporal representativeness, 1 to 5; None where nobody said."""

    technological: Fraction | None
    geographical: Fraction | None
    temporal: Fraction | None


@dataclass(frozen=True, slots=True)
class Intensity:
    """kg of CO2e for one `unit`. `kg` is None where the register knows no citable value."""

    kg: Fraction | None
    unit: str
    id: str
    document: str
    version: str
    is_secondary: bool  # a published factor, not one of the supplier or carrier
    primary: Fraction  # share of primary data in it, 0 to 1
    ratings: Ratings

    def of(self, quantity: Fraction, unit: str) -> Fraction | None:
        """Kilograms of CO2e of a quantity. Raises ValueError where the units measure different things."""
        return None if self.kg is None else self.kg * quantity * _size(unit, self.unit)


def _size(unit: str, to: str) -> Fraction:
    return Fraction(1) if unit == to else ratio(unit, to)


def published(factor: ProductFactor, *, here: str, period: date) -> Intensity:
    """A factor of the register. here: the plant's place.  period: the last day of the footprint's period."""
    mass, _, unit = factor.unit.partition("/")
    unit = {"m3": "m³", "Nm3": "Nm³", "tkm": TKM, "t.km": TKM, "t*km": TKM}.get(unit, unit)
    scale = 1000 if mass.startswith("t") else 1
    return Intensity(
        kg=None if factor.value is None else factor.value * scale,
        unit=unit,
        id=factor.id,
        document=factor.document or factor.id,
        version=factor.data_year or "not said",
        is_secondary=True,
        primary=Fraction(0),
        ratings=Ratings(Fraction(PUBLISHED), _place(factor.region, here), _time(factor.data_year, period)),
    )


def _time(data_year: str, period: date) -> Fraction:
    if not data_year.isdigit():
        return Fraction(5)
    age = abs(period.year - int(data_year))
    return Fraction(next((rating for years, rating in _YEARS if age < years), 5))


def _place(region: str, here: str) -> Fraction:
    """1 for the same place, 2 where one lies in the other, 3 for another part of the country, else 5."""
    place = _PLACES.get(region.lower(), region)
    if not place:
        return Fraction(5)
    if place == here:
        return Fraction(1)
    if here.startswith(place) or place.startswith(here):
        return Fraction(2)
    return Fraction(3 if place[:2] == here[:2] and "-" in place else 5)


def of_supplier(entry: LedgerEntry) -> Intensity:
    """A supplier's footprint, as the ledger has it."""

    def said(name: str) -> Fraction | None:
        return Fraction(entry.values[name]) if name in entry.values else None

    return Intensity(
        kg=Fraction(entry.values["footprint"]),
        unit=entry.values["unit"],
        id=f"supplier_footprints {entry.number}",
        document=entry.values["document"],
        version=entry.day.isoformat(),
        is_secondary=False,
        primary=(said("primary_percent") or Fraction(0)) / 100,
        ratings=Ratings(said("technological"), said("geographical"), said("temporal")),
    )


def of_carrier(entry: LedgerEntry) -> Intensity | None:
    """The carrier's own intensity on a waybill; None where it has none with a document."""
    if "intensity" not in entry.values or "document" not in entry.values:
        return None
    best = Fraction(1)
    return Intensity(
        kg=Fraction(entry.values["intensity"]),
        unit=TKM,
        id=f"waybills {entry.number}",
        document=entry.values["document"],
        version=entry.day.isoformat(),
        is_secondary=False,
        primary=Fraction(1),
        ratings=Ratings(best, best, best),
    )


def supplier_footprint(offered: Iterable[LedgerEntry], *, material: str, supplier: str, day: date) -> Intensity | None:
    """The newest footprint of a material that is valid on a day: his own before one for all suppliers.

    Of two of one day that disagree none is taken: the value is not known.
    """

    def fits(entry: LedgerEntry) -> bool:
        values: Mapping[str, str] = entry.values
        until = values.get("valid_to", "9999-12-31")
        his = values.get("supplier", "")
        return (
            values["material"] == material and his in ("", supplier) and entry.day <= day <= date.fromisoformat(until)
        )

    def rank(entry: LedgerEntry) -> tuple[bool, date]:
        return bool(entry.values.get("supplier")), entry.day

    fitting = sorted(filter(fits, offered), key=lambda one: (*rank(one), one.number))
    best = [of_supplier(one) for one in fitting if rank(one) == rank(fitting[-1])]
    if len({(one.kg, one.unit) for one in best}) > 1:
        return replace(best[-1], kg=None, id=" or ".join(one.id for one in best))
    return best[-1] if best else None
