"""Points into rows, one for each series and window; and what a counter rose over rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from collectors.points import Times, Values

Numbers = NDArray[np.int64]

NS = 1_000_000_000
MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length m. As a result: one row for each series, ascending, all of one window.

    n: good points.  low, high, total: over them.  first, last: of a counter, and when, in ms after the window's start;
    of others `low`, at 0.
    """

    series: Numbers
    n: Numbers
    low: Values
    high: Values
    total: Values
    first: Values
    last: Values
    first_ms: Numbers
    last_ms: Numbers

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def of_points(cls, series: Numbers, ms: Numbers, value: Values) -> Self:
        """Each point a row of its own, in any order."""
        return cls(series, np.ones(len(series), np.int64), value, value, value, value, value, ms, ms)


def roll_up(
    series: Numbers, t_ns: Times, value: Values, *, width_s: int, is_counter: NDArray[np.bool_]
) -> dict[int, Rows]:
    """The rows of each window of `width_s`, by its start (s since 1970 UTC).

    All (n,), good and finite values, in any order. Points of one series in one ms keep their order.
    is_counter: by series.
    """
    window = t_ns // (width_s * NS)
    if (window[1:] < window[:-1]).any():
        order = np.argsort(window, kind="stable")
        series, t_ns, value, window = series[order], t_ns[order], value[order], window[order]
    ends = [*(np.flatnonzero(window[1:] != window[:-1]) + 1).tolist(), len(window)] if len(window) else []
    found: dict[int, Rows] = {}
    begin = 0
    for end in ends:
        t_s = int(window[begin]) * width_s
        ms = (t_ns[begin:end] - t_s * NS) // MS
        points = Rows.of_points(series[begin:end], ms, value[begin:end])
        found[t_s] = united([points], is_counter=is_counter)
        begin = end
    return found


def united(parts: Sequence[Rows], *, is_counter: NDArray[np.bool_]) -> Rows:
    """One row for each series. is_counter: by series.

    Without a sort: with hundreds of thousands of points, sorting would be most of the cost. Of two points of a counter
    that are first, or last, in the same ms, the order of the rows decides.
    """
    place: Numbers = _joined(parts, "series")
    size = int(place.max()) + 1 if len(place) else 0
    n, total = np.zeros(size, np.int64), np.zeros(size)
    np.add.at(n, place, _joined(parts, "n"))
    np.add.at(total, place, _joined(parts, "total"))
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, place, _joined(parts, "low"))
    np.maximum.at(high, place, _joined(parts, "high"))
    some = np.flatnonzero(n)
    first_ms, first, last_ms, last = _ends(parts, np.flatnonzero(is_counter[place]), low)
    return Rows(
        some, n[some], low[some], high[some], total[some], first[some], last[some], first_ms[some], last_ms[some]
    )


def _ends(parts: Sequence[Rows], rows: Numbers, otherwise: Values) -> tuple[Numbers, Values, Numbers, Values]:
    """Times and values of the first and the last of some rows, by series; `otherwise`, at 0 ms, for other series."""
    place = _joined(parts, "series")[rows]
    first, last = otherwise.copy(), otherwise.copy()
    first_ms, last_ms = np.zeros((2, len(otherwise)), np.int64)
    begins, ends = _joined(parts, "first_ms")[rows], _joined(parts, "last_ms")[rows]
    first_ms[place] = np.iinfo(np.int64).max
    np.minimum.at(first_ms, place, begins)
    np.maximum.at(last_ms, place, ends)
    chosen = np.flatnonzero(begins == first_ms[place])[::-1]  # an assignment keeps the last one
    first[place[chosen]] = _joined(parts, "first")[rows[chosen]]
    chosen = np.flatnonzero(ends == last_ms[place])
    last[place[chosen]] = _joined(parts, "last")[rows[chosen]]
    return first_ms, first, last_ms, last


def _joined(parts: Sequence[Rows], name: str) -> NDArray[Any]:
    """One column of several parts."""
    columns = [getattr(part, name) for part in parts]
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def risen(first: Values, last: Values, low: Values, high: Values) -> float:
    """How much a counter rose over consecutive windows, all (m,) in order of time; never negative.

    A fall is a reset, a wrap or another meter. Inside a window the rises before and after it are summed;
    a fall between two windows adds nothing, because what was counted in between is not known.
    """
    inside = np.where(last >= first, last - first, (high - first) + (last - low))
    between = np.maximum(first[1:] - last[:-1], 0.0)
    return float(inside.sum() + between.sum())
