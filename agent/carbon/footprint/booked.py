"""The inputs that people wrote down: materials, gases, inbound transport, waste. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import get_args

from agent.carbon.account import Assignment
from agent.carbon.factors import ProductFactor
from agent.carbon.footprint.config import FactorOf, FootprintConfig, Stage
from agent.carbon.footprint.inputs import Input, written
from agent.carbon.footprint.intensities import TKM, Intensity, of_carrier, published, supplier_footprint
from agent.carbon.quantities import BASE, Medium, ratio
from collectors.ledger.books import Books
from collectors.ledger.entries import LedgerEntry

Part = Callable[[str], tuple[Fraction | None, str, tuple[str, ...]]]
"""Product of an entry ("" for none) -> our part of it, how it was found, what is lacking for it."""

KIND_OF: Mapping[str, Stage] = {
    "materials": "materials", "gases": "gases", "waybills": "transport", "waste": "waste"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """Every footprint that something may have."""

    config: FootprintConfig
    factors: Mapping[str, ProductFactor]  # of the register, by id
    media: Sequence[Assignment[ProductFactor]]
    offered: tuple[LedgerEntry, ...]  # footprints of suppliers
    period: date  # its last day

    def published(self, given: Iterable[FactorOf], name: str) -> Intensity | None:
        """The factor that the settings name for something."""
        found = next((one.factor for one in given if one.name == name), None)
        return None if found is None else self.of_factor(self.factors[found])

    def of_factor(self, factor: ProductFactor) -> Intensity:
        """A factor, rated for this plant and period."""
        return published(factor, here=self.config.geography, period=self.period)

    def of_supplier(self, name: str, entry: LedgerEntry) -> Intensity | None:
        """What the supplier of an entry says of his material or gas."""
        supplier = entry.values.get("supplier", "")
        return supplier_footprint(self.offered, material=name, supplier=supplier, day=entry.day)

    def of_medium(self, name: str, day: date) -> Intensity | None:
        """The product factor that the accounts use for a medium on a day."""
        fitting = [one for one in self.media if one.medium == name and one.first <= day <= one.last]
        return self.of_factor(fitting[-1].factor) if fitting else None


def booked_inputs(books: Books, days: tuple[date, date], known: Known, part: Part) -> Iterator[Input]:
    """Every input of the days from the first to before the last. What belongs to other products is left out."""
    for entry in books.entries:
        if entry.kind in KIND_OF and days[0] <= entry.day < days[1]:
            if entry.kind == "waybills" and entry.values["direction"] != "inbound":
                continue
            ours, method, lacks = part(entry.values.get("product", ""))
            if ours is None:
                yield _unknown(entry, method, lacks)
            elif ours:
                yield _input(entry, known, ours, method)


def _unknown(entry: LedgerEntry, method: str, lacks: tuple[str, ...]) -> Input:
    where = f"{entry.kind}:{entry.number}@{entry.id}"
    return Input(KIND_OF[entry.kind], _name(entry), None, "", None, (), method, (where,), lacks)


def _name(entry: LedgerEntry) -> str:
    values = entry.values
    return values.get("material") or values.get("gas") or values.get("waste") or values.get("mode") or ""


def _input(entry: LedgerEntry, known: Known, part: Fraction, method: str) -> Input:
    name, values = _name(entry), entry.values
    amount = Fraction(values["quantity"]), values["unit"]
    supplier = f" of {values['supplier']}" if "supplier" in values else ""
    day = entry.day.isoformat()
    match entry.kind:
        case "materials":
            intensity = known.of_supplier(name, entry) or known.published(known.config.materials, name)
            wanted = f"a footprint of {name}{supplier} on {day}: a row in supplier_footprints, or a factor"
        case "gases":
            amount = _in_base(name, amount)
            intensity = known.of_supplier(name, entry) or known.of_medium(name, entry.day)
            wanted = f"a footprint of {name}{supplier} on {day}: a row in supplier_footprints, or a product factor"
        case "waste":
            intensity = known.published(known.config.waste, name)
            wanted = f"a factor of treating {name}: footprint.waste in the settings"
        case _:
            amount = amount[0] * ratio(amount[1], "t") * Fraction(values["distance_km"]), TKM
            intensity = of_carrier(entry) or known.published(known.config.transport, name)
            wanted = f"a factor of {name}: intensity and document on the waybill, or footprint.transport"
    return written(
        KIND_OF[entry.kind], name, amount, entry, part=part, intensity=intensity, wanted=wanted, method=method
    )  # fmt: skip


def _in_base(name: str, amount: tuple[Fraction, str]) -> tuple[Fraction, str]:
    """A gas that the accounts know, in the unit that they count it in, where that can be converted."""
    if name not in get_args(Medium):
        return amount
    base = BASE[name]  # type: ignore[index]
    try:
        return amount[0] * ratio(amount[1], base), base
    except ValueError:
        return amount
