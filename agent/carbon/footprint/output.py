"""What was made in a period, and which part of what is shared a product has. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from collectors.ledger.entries import LedgerEntry


@dataclass(frozen=True, slots=True)
class Run:
    """One booked count of good pieces."""

    product: str
    line: str
    good: Fraction
    scrap: Fraction
    mass_kg: Fraction | None  # None where it is neither weighed nor known from the product


@dataclass(frozen=True, slots=True)
class Share:
    """A product's part of something shared, 0 to 1; None where it cannot be told, with what is lacking."""

    part: Fraction | None
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """Everything that was made in a period."""

    runs: tuple[Run, ...]
    by: Literal["pieces", "mass"]

    def good(self, product: str) -> Fraction:
        """Good pieces of a product."""
        return sum((run.good for run in self.runs if run.product == product), Fraction(0))

    def scrap(self, product: str) -> Fraction:
        """Pieces of a product that are none."""
        return sum((run.scrap for run in self.runs if run.product == product), Fraction(0))

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines that something was made on."""
        return tuple(sorted({run.line for run in self.runs if run.line}))

    def share(self, product: str, line: str | None = None) -> Share:
        """The product's part of what all products share, or all that were made on a line."""
        runs = [run for run in self.runs if line is None or run.line == line]
        if self.by == "mass":
            lacks = {f"the mass of {run.product}" for run in runs if run.mass_kg is None}
            if lacks:
                return Share(None, tuple(sorted(lacks)))
        weights = [(run.product, run.good if self.by == "pieces" else run.mass_kg or Fraction(0)) for run in runs]
        whole = sum((weight for _, weight in weights), Fraction(0))
        if not whole:
            return Share(None, ("production of the period",))
        return Share(sum((weight for name, weight in weights if name == product), Fraction(0)) / whole)


def made(
    entries: Iterable[LedgerEntry], *, by: Literal["pieces", "mass"], mass_kg: Mapping[str, Fraction]
) -> Output:  # fmt: skip
    """The output that production entries tell. mass_kg: of one piece, by product."""
    return Output(tuple(_run(entry, mass_kg) for entry in entries), by)


def _run(entry: LedgerEntry, mass_kg: Mapping[str, Fraction]) -> Run:
    values = entry.values
    good, product = Fraction(values["good"]), values["product"]
    each = mass_kg.get(product)
    weighed = Fraction(values["mass_kg"]) if "mass_kg" in values else None
    mass = weighed if weighed is not None else None if each is None else each * good
    return Run(product, values.get("line", ""), good, Fraction(values.get("scrap", "0")), mass)
