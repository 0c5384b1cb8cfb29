"""The product's part of the energy that meters measured: a line's by what was made there, the rest by all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent.carbon.account import Figure, add
from agent.carbon.footprint.booked import Known
from agent.carbon.footprint.inputs import Input, plain
from agent.carbon.footprint.output import Output, Share
from agent.carbon.quantities import BASE, MICRO, Medium
from agent.carbon.statement import Statement


@dataclass(frozen=True, slots=True)
class Pool:
    """Energy of one medium that some products share: of a line, or of the plant without those lines."""

    name: str
    quantity: Fraction
    footprint: Figure
    missing: Fraction  # share of the time of its meters
    statements: tuple[str, ...]


def metered_inputs(
    statements: Sequence[Statement], known: Known, output: Output, product: str
) -> Iterator[Input]:  # fmt: skip
    """The product's part of every medium that is bought. statements: of days, of the plant and of lines."""
    for medium in known.config.energy:
        for pool, line in _pools(statements, medium, output.lines):
            share = output.share(product, line)
            if share.part == 0:
                continue
            yield _input(pool, medium, known, share, output.by, line)


def _pools(
    statements: Sequence[Statement], medium: Medium, made_on: Sequence[str]
) -> Iterator[tuple[Pool, str | None]]:  # fmt: skip
    of_medium = [one for one in statements if one.account.medium == medium]
    lines = {
        name: _pool(f"line {name}", found)
        for name in made_on
        if (found := [one for one in of_medium if (one.account.level, one.account.name) == ("line", name)])
    }
    yield from ((pool, name) for name, pool in lines.items())
    plant = _pool("plant", [one for one in of_medium if one.account.level == "plant"])
    yield _without(plant, lines) if lines else plant, None


def _pool(name: str, statements: Sequence[Statement]) -> Pool:
    span_ns = sum(one.span_ns for one in statements)
    known_ns = sum(one.amount.measured_ns + one.amount.estimated_ns for one in statements)
    return Pool(
        name,
        sum((Fraction(one.amount.micro, MICRO) for one in statements), Fraction(0)),
        add(one.footprint for one in statements),
        1 - Fraction(known_ns, span_ns) if span_ns else Fraction(1),
        tuple(one.id for one in statements),
    )


def _without(plant: Pool, lines: Mapping[str, Pool]) -> Pool:
    """What the plant used and none of the lines did; known as well as the worst known of them."""
    quantity, value = plant.quantity, plant.footprint.value
    lacks, missing = dict.fromkeys(plant.footprint.lacks), plant.missing
    for line in lines.values():
        quantity -= line.quantity
        value = None if value is None or line.footprint.value is None else value - line.footprint.value
        lacks.update(dict.fromkeys(line.footprint.lacks))
        missing = max(missing, line.missing)
    figure = Figure(value, plant.footprint.factors, tuple(lacks))
    return Pool(f"plant without {', '.join(lines)}", quantity, figure, missing, plant.statements)


def _input(
    pool: Pool, medium: Medium, known: Known, share: Share, by: str, line: str | None
) -> Input:  # fmt: skip
    lacks = [*share.lacks, *pool.footprint.lacks]
    if not pool.statements:
        lacks.append(f"a meter of {medium}, and its readings in the period")
    elif pool.missing * 100 > Fraction(known.config.most_missing_percent):
        lacks.append(f"{plain(pool.missing * 100, 3)} % of the time of the meters of {medium} ({pool.name})")
    value = pool.footprint.value
    if pool.quantity < 0:
        lacks.append(f"meters of {medium} that agree: the lines used more than the plant")
    of = "" if line is None else " on the line"
    return Input(
        "energy",
        f"{medium} ({pool.name})",
        None if share.part is None else pool.quantity * share.part,
        BASE[medium],
        None if lacks or value is None or share.part is None else value * share.part,
        tuple(known.of_factor(known.factors[name]) for name in pool.footprint.factors),
        f"by {by}{of}",
        pool.statements,
        tuple(dict.fromkeys(lacks)),
    )
