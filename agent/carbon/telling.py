"""Evidence and results as points of the log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson

from agent.carbon import names
from agent.carbon.book import Book
from agent.carbon.plan import Plan, Role
from agent.carbon.quantities import MICRO
from agent.carbon.statement import slots_of, state
from agent.carbon.windows import Window, total
from collectors.points import BAD, GOOD, Clock, Point


def told(plan: Plan, plant: str, books: Sequence[Book], *, account: int, window: Window) -> Iterator[Point]:
    """The results of an account over a window, at the time at which it begins."""
    of = plan.accounts[account]

    def point(what: str, unit: str, value: float | str, quality: int = GOOD) -> Point:
        series = names.result(plant, of, window.kind, what, unit, slot_ns=plan.calendar.slot_ns)
        return Point(series, window.start_ns, value, quality, Clock.SOURCE)

    if window.kind == "slot":
        span = plan.calendar.slots(window)
        amount = total(slots_of(books, of, span), span)
        known_ns = amount.measured_ns + amount.estimated_ns
        yield point("", "", *_value(amount.micro / MICRO if known_ns or amount.micro else None))
        return
    found = state(plan, books, of, window)
    yield point("", "", *_value(float(found.quantity) if found.quantity else None))
    yield point("known", "1", (found.amount.measured_ns + found.amount.estimated_ns) / found.span_ns)
    for what, unit, figure in (
        ("coal", "kgce", found.coal), ("cost", "CNY", found.cost), ("carbon", "kgCO₂e", found.carbon),
    ):  # fmt: skip
        if figure.value is not None:
            yield point(what, unit, float(figure.value))
    if window.kind != "hour":
        yield point("statement", "", orjson.dumps({**found.row(), "basis": plan.version}).decode())


def kept(plant: str, book: Book, role: Role, slots: Iterable[int]) -> Iterator[Point]:
    """The kept readings of these slots."""
    series = names.evidence(plant, book.meter, role)
    for slot in sorted(slots):
        yield from (Point(series, *reading) for reading in book.traces[role].of(slot))


def _value(value: float | None) -> tuple[float, int]:
    """A value and its quality; what is not known any more is Bad."""
    return (float("nan"), BAD) if value is None else (value, GOOD)
