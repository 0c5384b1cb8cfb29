"""The footprint of a product over a period. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from agent.carbon.footprint.booked import KIND_OF, Known, booked_inputs
from agent.carbon.footprint.config import STAGES, ProductConfig, Stage
from agent.carbon.footprint.inputs import Input, total
from agent.carbon.footprint.metered import metered_inputs
from agent.carbon.footprint.output import Output, made
from agent.carbon.footprint.quality import Quality, quality
from agent.carbon.statement import Statement
from collectors.ledger.books import Books


@dataclass(frozen=True, slots=True)
class Footprint:
    """kg of CO2e of one piece, cradle to gate; `lacks` says what is missing where it is not complete."""

    product: ProductConfig
    days: tuple[date, date]  # the first, and the first that is not in it
    good: Fraction
    scrap: Fraction
    inputs: tuple[Input, ...]
    lacks: tuple[str, ...]
    method: str

    @property
    def kg_per_piece(self) -> Fraction | None:
        """None where it is incomplete."""
        whole = total(self.inputs)
        return None if self.lacks or whole is None or not self.good else whole / self.good

    def stage(self, stage: Stage) -> Fraction | None:
        """The part of one stage, kg a piece."""
        whole = total(one for one in self.inputs if one.stage == stage)
        return None if whole is None or not self.good else whole / self.good

    @property
    def quality(self) -> Quality:
        """How much of it is primary data, and how representative they are."""
        return quality(self.inputs)


def footprint_of(
    product: ProductConfig, days: tuple[date, date], *, books: Books, statements: Sequence[Statement], known: Known
) -> Footprint:
    """Everything that went into one product from the first day to before the last."""
    masses = {one.number: Fraction(one.mass_kg) for one in known.config.products}
    runs = (one for one in books.of("production") if days[0] <= one.day < days[1])
    output = made(runs, by=known.config.allocation, mass_kg=masses)
    good = output.good(product.number)
    inputs = tuple(_inputs(product.number, days, books, statements, known, output)) if good else ()
    lacks = dict.fromkeys(
        [*_absent(product.number, good, inputs, known), *(lack for one in inputs for lack in one.lacks)]
    )
    lacks.update(dict.fromkeys(_unclear(books, days)))
    return Footprint(product, days, good, output.scrap(product.number), inputs, tuple(lacks), _method(inputs, output))


def _inputs(
    number: str, days: tuple[date, date], books: Books, statements: Sequence[Statement], known: Known, output: Output
) -> Iterator[Input]:
    shared = output.share(number)

    def part(product: str) -> tuple[Fraction | None, str, tuple[str, ...]]:
        if product:
            return Fraction(product == number), "booked for the product", ()
        return shared.part, f"by {output.by}", shared.lacks

    out = {one.stage for one in known.config.leaves_out}
    yield from (one for one in booked_inputs(books, days, known, part) if one.stage not in out)
    if "energy" not in out:
        yield from metered_inputs(statements, known, output, number)


def _absent(number: str, good: Fraction, inputs: Sequence[Input], known: Known) -> Iterator[str]:
    """What a footprint cannot be without, or must say that it is."""
    if not good:
        yield f"production of {number} in the period"
        return
    out = {one.stage for one in known.config.leaves_out}
    there = {one.stage for one in inputs}
    forms = {stage: form for form, stage in KIND_OF.items()}
    for stage in STAGES:
        if stage not in there and stage not in out:
            book = f"book it ({forms[stage]})" if stage in forms else "name its media"
            yield f"any {stage} in the period; {book}, or name it in footprint.leaves_out"


def _unclear(books: Books, days: tuple[date, date]) -> Iterator[str]:
    for one in books.contradictions:
        if any(days[0] <= entry.day < days[1] or entry.kind == "supplier_footprints" for entry in one.entries):
            yield one.why


def _method(inputs: Sequence[Input], output: Output) -> str:
    """The allocation in words, for the document."""
    ways = {one.method for one in inputs}
    own = "Inputs booked for the product are its own. " if "booked for the product" in ways else ""
    by = "number of good pieces" if output.by == "pieces" else "mass of good pieces"
    lines = "Energy of a line is divided among what was made on it. " if output.lines else ""
    return (
        f"{own}{lines}What is shared is divided by the {by} of the period (physical allocation). Scrap carries nothing."
    )
