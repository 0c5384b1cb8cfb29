"""One input of a product's footprint: how much of what, from where, and how many kilograms. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from agent.carbon.account import decimal_text
from agent.carbon.footprint.config import Stage
from agent.carbon.footprint.intensities import Intensity
from collectors.ledger.entries import LedgerEntry

MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Input:
    """`quantity` is the product's part. `kg` is None where it cannot be told; then `lacks` says why."""

    stage: Stage
    name: str
    quantity: Fraction | None
    unit: str
    kg: Fraction | None
    intensities: tuple[Intensity, ...]
    method: str  # how the part became the product's
    evidence: tuple[str, ...]  # ids of ledger entries, or of statements of the accounts
    lacks: tuple[str, ...] = ()

    def row(self) -> dict[str, str]:
        """Everything as texts."""
        return {
            "stage": self.stage,
            "name": self.name,
            "quantity": "" if self.quantity is None else plain(self.quantity),
            "unit": self.unit,
            "kgco2e": "" if self.kg is None else plain(self.kg),
            "factor": "; ".join(f"{one.id} ({one.document})" for one in self.intensities),
            "method": self.method,
            "evidence": _few(self.evidence),
            "lacks": "; ".join(self.lacks),
        }


def _few(names: tuple[str, ...]) -> str:
    """All of them, or of many days the first and the last."""
    return " ".join(names) if len(names) <= MOST_NAMED else f"{names[0]} to {names[-1]}, {len(names)} in all"


def plain(value: Fraction, places: int = 9) -> str:
    """A decimal without exponent and without zeros at its end."""
    text = decimal_text(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def written(
    stage: Stage,
    name: str,
    amount: tuple[Fraction, str],
    entry: LedgerEntry,
    *,
    part: Fraction,
    intensity: Intensity | None,
    wanted: str,
    method: str,
) -> Input:
    """An input that the ledger tells. wanted: what to get where there is no intensity."""
    quantity, unit = amount[0] * part, amount[1]
    where = f"{entry.kind}:{entry.number}@{entry.id}"
    kg: Fraction | None = None
    lacks = [] if intensity else [wanted]
    if intensity is not None:
        try:
            kg = intensity.of(quantity, unit)
        except ValueError:
            lacks = [f"{intensity.id} is for a {intensity.unit}, but {name} is booked in {unit}"]
        else:
            lacks = [f"the value of {intensity.id}"] if kg is None else []
    if kg is None and not quantity:
        kg, lacks = Fraction(0), []
    return Input(
        stage, name, quantity, unit, kg, (intensity,) if intensity else (), method, (where,), tuple(lacks)
    )  # fmt: skip


def total(inputs: Iterable[Input]) -> Fraction | None:
    """Kilograms of all of them; None as soon as one is not known."""
    whole = Fraction(0)
    for one in inputs:
        if one.kg is None:
            return None
        whole += one.kg
    return whole
