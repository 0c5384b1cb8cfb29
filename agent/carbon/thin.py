"""Which readings matter: a function of the set of readings, whatever the order in which they come. Pure.

Of each slot a counter keeps its first, last, lowest and highest reading: the neighbours of every window edge, and both
sides of a reset. A level (power) keeps the first reading of each cell, a state the first and the last. Keeping is
idempotent: keep(keep(A) ∪ B) = keep(A ∪ B). That is why evidence can stand for the telemetry that it was taken from.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np

from agent.carbon.meter import Reading
from collectors.points import Times, Values

_PACKED = struct.Struct("<qd")


def _by_height(reading: Reading) -> tuple[float, int]:
    return reading.value, reading.t_ns


def keep(readings: Iterable[Reading]) -> list[Reading]:
    """The readings of one slot that a counter needs, in order of time: two as long as it only rises."""
    found = sorted(set(readings))
    return sorted({found[0], found[-1], min(found, key=_by_height), max(found, key=_by_height)})


class Trace:
    """The kept readings of one meter, by slot.

    slot_ns: width of a slot.  cell_ns: of a level's cells; 0 for a counter.  both_ends: of a state, which lasts until
    the next one, the last reading of a cell is kept too.
    """

    def __init__(self, *, slot_ns: int, cell_ns: int = 0, both_ends: bool = False) -> None:
        self.slot_ns = slot_ns
        self._cell_ns = cell_ns
        self._both_ends = both_ends
        self._slots: dict[int, bytes] = {}  # packed, a fifth of what objects take
        self._order: list[int] = []  # the slots that hold something, ascending

    def take(self, t_ns: Times, value: Values) -> set[int]:
        """Take readings in, (n,) each and finite, in any order; returns the slots whose kept readings changed."""
        changed: set[int] = set()
        if not len(t_ns):
            return changed
        order = np.lexsort((value, t_ns))
        t_ns, value = t_ns[order], value[order]
        slots = t_ns // self.slot_ns
        starts = np.flatnonzero(np.r_[True, slots[1:] != slots[:-1]])
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(slots)], strict=True):
            if self._merge(int(slots[start]), self._candidates(t_ns[start:end], value[start:end])):
                changed.add(int(slots[start]))
        return changed

    def _candidates(self, t_ns: Times, value: Values) -> list[Reading]:
        """Readings of one slot, in order of time; what cannot be kept is left out early."""
        if len(t_ns) == 1:
            return [Reading(int(t_ns[0]), float(value[0]))]
        if self._cell_ns:
            changes = np.diff(t_ns // self._cell_ns) != 0
            is_chosen = np.r_[True, changes]
            if self._both_ends:
                is_chosen |= np.r_[changes, True]
            chosen = np.flatnonzero(is_chosen)
        else:
            last = len(value) - 1
            highest = last - int(np.argmax(value[::-1]))
            chosen = np.unique(np.array([0, int(np.argmin(value)), highest, last]))
        return [Reading(t, v) for t, v in zip(t_ns[chosen].tolist(), value[chosen].tolist(), strict=True)]

    def _merge(self, slot: int, candidates: list[Reading]) -> bool:
        before = self.of(slot)
        if not before:
            self._order.insert(bisect_left(self._order, slot), slot)
        merged = sorted({*before, *candidates}) if before else candidates
        if self._cell_ns:
            ends: dict[int, tuple[Reading, Reading]] = {}
            for reading in merged:
                cell = reading.t_ns // self._cell_ns
                ends[cell] = (ends[cell][0] if cell in ends else reading, reading)
            kept = tuple(
                dict.fromkeys(one for pair in ends.values() for one in (pair if self._both_ends else pair[:1]))
            )
        else:
            kept = tuple(keep(merged))
        if kept == before:
            return False
        self._slots[slot] = b"".join(_PACKED.pack(*reading) for reading in kept)
        return True

    def of(self, slot: int) -> tuple[Reading, ...]:
        """The kept readings of a slot, in order of time."""
        return tuple(map(Reading._make, _PACKED.iter_unpack(self._slots.get(slot, b""))))

    def around(self, first: int, last: int, *, margin: int = 2) -> list[Reading]:
        """The kept readings of the slots first to last, and of `margin` filled slots on each side, in order of time."""
        low = max(0, bisect_left(self._order, first) - margin)
        high = bisect_left(self._order, last + 1) + margin
        return [reading for slot in self._order[low:high] for reading in self.of(slot)]

    def before(self, slot: int, most: int) -> list[int]:
        """At most so many filled slots before a slot, the nearest first."""
        at = bisect_left(self._order, slot)
        return self._order[max(0, at - most) : at][::-1]

    def after(self, slot: int, most: int) -> list[int]:
        """At most so many filled slots after a slot, the nearest first."""
        at = bisect_left(self._order, slot + 1)
        return self._order[at : at + most]

    def forget(self, before: int) -> None:
        """Drop the slots before one."""
        cut = bisect_left(self._order, before)
        for slot in self._order[:cut]:
            del self._slots[slot]
        del self._order[:cut]

    def slots(self) -> Sequence[int]:
        """The slots that hold something, ascending."""
        return self._order

    def slots_from(self, first: int) -> Sequence[int]:
        """The slots from one on that hold something, ascending."""
        return self._order[bisect_left(self._order, first) :]
