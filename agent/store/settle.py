"""One value per series and timestamp, for ever, settled before anything is written; of figures, the last one counts.

A server that resends, a broker that redelivers and a machine whose clock ticks in seconds all bring the same
timestamp twice. InfluxDB keeps whichever value of two comes last, and which that is nobody promises. So: the same
value again is dropped and counted; another value moves on by one nanosecond (the k-th by k). Values older than the
newest of their series pass unchanged.

A figure of a span (`Kind.is_replaced`) is not measured but computed, and comes again when late readings change it: it
keeps its timestamp, and the value that is written last is the one that counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from collectors.points import Indexes, Qualities, Times, Values

NEVER = np.iinfo(np.int64).min
REMEMBERED = 1000  # values at one timestamp; a stuck clock must not fill the memory

Bits = NDArray[np.uint64]
Value = tuple[int, int]  # bits, quality


class Settler:
    """The newest time and value of every series, by id, as arrays that grow with the catalogue.

    `first` is the newest timestamp as the source gave it, `last` the one that its latest value got. They differ only
    where several values shared a timestamp; then `_shared` knows those values.
    """

    def __init__(self) -> None:
        self._first: Times = np.zeros(0, np.int64)
        self._last: Times = np.zeros(0, np.int64)
        self._bits: Bits = np.zeros(0, np.uint64)
        self._quality: Qualities = np.zeros(0, np.uint32)
        self._shared: dict[int, set[Value]] = {}

    def settle(
        self, ids: Indexes, t_ns: Times, *, bits: Bits, quality: Qualities, is_replaced: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_] | None, Times]:
        """Which rows to keep (None: all of them), and their times. is_replaced: by id."""
        self._make_room(int(ids.max()) + 1)
        if _are_unique(ids, len(self._last)):
            hard = self._take_unique(ids, t_ns, bits, quality)
        else:
            hard = self._take_grouped(ids, t_ns, bits, quality)
        if not hard.size:
            return None, t_ns
        return self._take_one_by_one(hard, ids, t_ns, bits=bits, quality=quality, is_replaced=is_replaced)

    def adopt(
        self, ids: Indexes, t_ns: Times, *, bits: Bits, quality: Qualities, is_replaced: NDArray[np.bool_]
    ) -> None:
        """Learn from rows that are on disk already: neighbours one nanosecond apart once shared a timestamp."""
        self._make_room(int(ids.max()) + 1)
        ahead = t_ns - self._last[ids]
        if _are_unique(ids, len(self._last)) and not ((ahead == 1) | (ahead == 0) & is_replaced[ids]).any():
            self._take_unique(ids, t_ns, bits, quality)
            return
        newest = np.full(len(self._last), NEVER)
        np.maximum.at(newest, ids, t_ns)
        near = newest[ids] - t_ns < REMEMBERED  # older ones cannot share the newest timestamp any more
        rows = zip(ids[near].tolist(), t_ns[near].tolist(), bits[near].tolist(), quality[near].tolist(), strict=True)
        for number, t, value, code in rows:
            if t == self._last[number] + 1:
                self._share(number, (value, code))
                self._last[number] = t
            elif t > self._last[number] or (t == self._last[number] and is_replaced[number]):
                self._renew(number, t, (value, code))

    def newest_ns(self, number: int) -> int:
        """The newest time of a series; 0 if nothing of it is remembered."""
        return max(0, int(self._last[number])) if number < len(self._last) else 0

    def _take_unique(self, ids: Indexes, t_ns: Times, bits: Bits, quality: Qualities) -> NDArray[np.intp]:
        """Take the rows that are plainly newer; returns those that share the newest timestamp of their series."""
        newer = t_ns > self._last[ids]
        if newer.all():
            self._assign(ids, t_ns, bits, quality)
            return np.zeros(0, np.intp)
        hard = np.flatnonzero(~newer & (t_ns >= self._first[ids]))
        self._assign(ids[newer], t_ns[newer], bits[newer], quality[newer])
        return hard

    def _take_grouped(self, ids: Indexes, t_ns: Times, bits: Bits, quality: Qualities) -> NDArray[np.intp]:
        """The same where a series has several rows: a series is plain if its rows rise from beyond its newest one,
        or are all late; all rows of the others are returned.
        """
        order = np.argsort(ids, kind="stable")
        sorted_ids, times = ids[order], t_ns[order]
        begins = np.flatnonzero(np.r_[True, sorted_ids[1:] != sorted_ids[:-1]])
        groups = sorted_ids[begins]
        rises = np.r_[True, times[1:] > times[:-1]]
        rises[begins] = times[begins] > self._last[groups]
        plain = np.logical_and.reduceat(rises, begins)
        late = np.maximum.reduceat(times, begins) < self._first[groups]
        ends = np.r_[begins[1:], len(ids)] - 1
        newest = order[ends[plain]]
        self._assign(ids[newest], t_ns[newest], bits[newest], quality[newest])
        counts = np.diff(np.r_[begins, len(ids)])
        return np.sort(order[np.repeat(~plain & ~late, counts)])

    def _take_one_by_one(
        self, rows: NDArray[np.intp], ids: Indexes, t_ns: Times, *, bits: Bits, quality: Qualities,
        is_replaced: NDArray[np.bool_],
    ) -> tuple[NDArray[np.bool_] | None, Times]:  # fmt: skip
        settled, keep = t_ns.copy(), np.ones(len(t_ns), np.bool_)
        for row in rows.tolist():
            number, t, value = int(ids[row]), int(t_ns[row]), (int(bits[row]), int(quality[row]))
            if t > self._last[number]:
                self._renew(number, t, value)
            elif t >= self._first[number]:
                if self._has(number, value):
                    keep[row] = False
                elif is_replaced[number]:
                    self._renew(number, t, value)
                else:
                    self._share(number, value)
                    self._last[number] += 1
                    settled[row] = self._last[number]
        return (None if keep.all() else keep), settled

    def _has(self, number: int, value: Value) -> bool:
        if number in self._shared:
            return value in self._shared[number]
        return value == (int(self._bits[number]), int(self._quality[number]))

    def _share(self, number: int, value: Value) -> None:
        """Another value at the newest timestamp; when there are too many, only the latest are remembered."""
        before = (int(self._bits[number]), int(self._quality[number]))
        shared = self._shared.setdefault(number, {before})
        if len(shared) >= REMEMBERED:
            shared.clear()
        shared.add(value)
        self._bits[number], self._quality[number] = value

    def _renew(self, number: int, t: int, value: Value) -> None:
        self._shared.pop(number, None)
        self._first[number] = self._last[number] = t
        self._bits[number], self._quality[number] = value

    def _assign(self, ids: Indexes, t_ns: Times, bits: Bits, quality: Qualities) -> None:
        if self._shared:
            for number in self._shared.keys() & set(ids.tolist()):
                del self._shared[number]
        self._first[ids] = t_ns
        self._last[ids] = t_ns
        self._bits[ids] = bits
        self._quality[ids] = quality

    def _make_room(self, count: int) -> None:
        lacking = count - len(self._last)
        if lacking > 0:
            lacking = max(lacking, 256, len(self._last))
            self._first = np.r_[self._first, np.full(lacking, NEVER)]
            self._last = np.r_[self._last, np.full(lacking, NEVER)]
            self._bits = np.r_[self._bits, np.zeros(lacking, np.uint64)]
            self._quality = np.r_[self._quality, np.zeros(lacking, np.uint32)]


def comparable(value: Values, ids: Indexes, *, is_text: NDArray[np.bool_], texts: Sequence[str]) -> Bits:
    """Values as bits that are equal exactly if the values are; a text counts by its words, not by its index."""
    bits = value.view(np.uint64)
    if not texts:
        return bits
    bits = bits.copy()
    for row in np.flatnonzero(is_text[ids] & ~np.isnan(value)).tolist():
        bits[row] = hash(texts[int(value[row])]) & 0xFFFF_FFFF_FFFF_FFFF
    return bits


def _are_unique(ids: Indexes, count: int) -> bool:
    """Whether no series has two rows, without sorting."""
    if len(ids) > count:
        return False
    seen = np.empty(count, np.uint32)
    rows = np.arange(len(ids), dtype=np.uint32)
    seen[ids] = rows
    return bool((seen[ids] == rows).all())
