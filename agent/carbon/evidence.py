"""The kept readings of the records stream, back into books: for reports, and for the sink after a restart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.carbon import names
from agent.carbon.book import STEADY, Book
from agent.carbon.plan import Plan
from agent.carbon.quantities import NS_PER_H
from agent.sink import Entry
from collectors.points import Times, Values

HORIZON_NS = 22 * 24 * NS_PER_H
"""Three weeks and a day: what a gap is filled by. Results older than this are not rewritten; reports are right."""


@dataclass(slots=True)
class Kept:
    """The evidence of one meter, in order of time, each reading once: (n,) each."""

    number: int
    is_power: bool
    t_ns: Times
    value: Values
    seq: NDArray[np.int64]  # where it stands in the log


def gather(plan: Plan, plant: str, entries: Iterable[Entry]) -> list[Kept]:
    """The evidence of every meter and of the power beside it."""
    places = {
        names.evidence(plant, meter, what): (number, what == names.POWER)
        for number, meter in enumerate(plan.meters)
        for what in (names.EDGE, names.POWER)
    }
    parts: dict[tuple[int, bool], list[tuple[Times, Values, NDArray[np.int64]]]] = {}
    for entry in entries:
        batch = entry.batch
        if batch.source != names.SOURCE:
            continue
        for index in np.unique(batch.which).tolist():
            if (place := places.get(batch.series[index])) is not None:
                rows = batch.which == index
                t_ns = batch.t_ns[rows]
                parts.setdefault(place, []).append((t_ns, batch.value[rows], np.full(len(t_ns), entry.seq, np.int64)))
    return [_kept(number, is_power, columns) for (number, is_power), columns in sorted(parts.items())]


def _kept(number: int, is_power: bool, parts: Sequence[tuple[Times, Values, NDArray[np.int64]]]) -> Kept:
    t_ns, value, seq = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((seq, value, t_ns))
    t_ns, value, seq = t_ns[order], value[order], seq[order]
    first = np.r_[True, (t_ns[1:] != t_ns[:-1]) | (value[1:] != value[:-1])]
    return Kept(number, is_power, t_ns[first], value[first], seq[first])


def open_books(plan: Plan, evidence: Iterable[Kept], from_ns: int, to_ns: int) -> list[Book]:
    """Books that are right between two times: with the weeks before, and the nearest readings on both sides."""
    books = [Book(meter, plan.calendar.slot_ns) for meter in plan.meters]
    for kept in evidence:
        low = max(0, int(np.searchsorted(kept.t_ns, from_ns - HORIZON_NS)) - 2 * STEADY)
        high = int(np.searchsorted(kept.t_ns, to_ns)) + 2 * STEADY
        book = books[kept.number]
        (book.power if kept.is_power else book.trace).take(kept.t_ns[low:high], kept.value[low:high])
    for book in books:
        book.revalue(book.trace.slots())
    return books
