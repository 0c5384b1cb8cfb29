"""The kept readings of the records stream, back into books: for reports, and for the sink after a restart."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.carbon import names
from agent.carbon.book import FAR, Book, make_books, revalue
from agent.carbon.plan import ROLES, Plan, Role
from agent.carbon.quantities import NS_PER_H
from agent.sink import Entry
from collectors.points import Times, Values

DAY_NS = 24 * NS_PER_H
HORIZON_NS = 22 * DAY_NS
"""Three weeks and a day: what a gap is filled by."""


@dataclass(slots=True)
class Kept:
    """The evidence of one meter, in order of time, each reading once: (n,) each."""

    number: int
    role: Role
    t_ns: Times
    value: Values
    seq: NDArray[np.int64]  # where it stands in the log


def gather(plan: Plan, plant: str, entries: Iterable[Entry]) -> list[Kept]:
    """The evidence of every meter: its register, and the power and the states beside it."""
    places = {
        names.evidence(plant, meter, role): (number, role)
        for number, meter in enumerate(plan.meters)
        for role in ROLES
    }  # fmt: skip
    columns: dict[tuple[int, Role], tuple[array[int], array[float], array[int]]] = {}
    for entry in entries:
        batch = entry.batch
        if batch.source != names.SOURCE:
            continue
        for index in np.unique(batch.which).tolist():
            if (place := places.get(batch.series[index])) is not None:
                rows = batch.which == index
                t_ns, value, seq = columns.setdefault(place, (array("q"), array("d"), array("q")))
                t_ns.frombytes(batch.t_ns[rows].tobytes())
                value.frombytes(batch.value[rows].tobytes())
                seq.extend([entry.seq] * (len(t_ns) - len(seq)))
    return [_kept(place, columns.pop(place)) for place in sorted(columns)]  # a meter at a time, for the memory


def _kept(place: tuple[int, Role], columns: tuple[array[int], array[float], array[int]]) -> Kept:
    t_ns, value, seq = (np.array(column) for column in columns)
    order = np.lexsort((seq, value, t_ns))
    t_ns, value, seq = t_ns[order], value[order], seq[order]
    first = np.r_[True, (t_ns[1:] != t_ns[:-1]) | (value[1:] != value[:-1])]
    return Kept(*place, t_ns[first], value[first], seq[first])


def open_books(plan: Plan, evidence: Iterable[Kept], from_ns: int, to_ns: int) -> list[Book]:
    """Books that are right between two times: with the weeks before, and the nearest readings on both sides."""
    books = make_books(plan)
    kept_of: list[list[Kept]] = [[] for _ in books]
    for kept in evidence:
        kept_of[kept.number].append(kept)
    revalue(books, [_taken(book, found, from_ns, to_ns) for book, found in zip(books, kept_of, strict=True)])
    before = [  # only gaps need the weeks before
        _taken(book, found, from_ns - HORIZON_NS, from_ns) if book.has_estimates else set()
        for book, found in zip(books, kept_of, strict=True)
    ]
    revalue(books, before)
    return books


def _taken(book: Book, found: Iterable[Kept], from_ns: int, to_ns: int) -> set[int]:
    """Take in the readings between two times and some around; returns the slots that have others now."""
    changed: set[int] = set()
    for kept in found:
        low = max(0, int(np.searchsorted(kept.t_ns, from_ns)) - 2 * FAR)
        high = int(np.searchsorted(kept.t_ns, to_ns)) + 2 * FAR
        taken = book.traces[kept.role].take(kept.t_ns[low:high], kept.value[low:high])
        changed |= set() if kept.role == "state" else taken
    return changed
