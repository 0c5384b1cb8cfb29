"""Points into rows, one for each series and window; and what a counter rose over rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.points import Qualities, Times, Values, is_bad

Numbers = NDArray[np.int64]

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length m, one row for each (series, window), sorted by series and then window.

    t_s: start of the window, s since 1970 UTC.  n: good points.  bad_n: bad ones.  low, high, total, first, last: over
    the good points, NaN where there is none (total: 0).  first_ns, last_ns: their times, 0 where there is none.
    """

    t_s: Numbers
    series: Numbers
    n: Numbers
    bad_n: Numbers
    low: Values
    high: Values
    total: Values
    first: Values
    last: Values
    first_ns: Times
    last_ns: Times

    def __len__(self) -> int:
        return len(self.t_s)

    def tuples(self) -> list[tuple[float, ...]]:
        """The rows in the order of the columns of the tables."""
        columns = (self.t_s, self.series, self.n, self.bad_n, self.low, self.high, self.total)
        ends = (self.first, self.last, self.first_ns, self.last_ns)
        return list(zip(*(column.tolist() for column in columns + ends), strict=True))


def roll_up(series: Numbers, t_ns: Times, value: Values, quality: Qualities, *, width_s: int) -> Rows:
    """One row for each series and window of `width_s`.

    All (n,), in any order. A value that is not finite counts as bad. Points of one series at one time keep their order.
    """
    order = np.lexsort((t_ns, series))
    series, t_ns, value = series[order], t_ns[order], value[order]
    window = t_ns // (width_s * NS)
    good = np.isfinite(value) & ~is_bad(quality[order])
    changes = (series[1:] != series[:-1]) | (window[1:] != window[:-1])
    starts = np.flatnonzero(np.concatenate(([True], changes))) if len(order) else np.zeros(0, np.intp)
    if not len(starts):
        return Rows(*(np.zeros(0, np.int64),) * 4, *(np.zeros(0),) * 5, *(np.zeros(0, np.int64),) * 2)
    size = np.diff(np.append(starts, len(order)))
    place = np.arange(len(order))
    n = np.add.reduceat(good, starts, dtype=np.int64)
    some = n > 0
    first = np.where(some, np.minimum.reduceat(np.where(good, place, len(order)), starts), starts)
    last = np.where(some, np.maximum.reduceat(np.where(good, place, -1), starts), starts)
    return Rows(
        t_s=window[starts] * width_s,
        series=series[starts],
        n=n,
        bad_n=size - n,
        low=np.where(some, np.minimum.reduceat(np.where(good, value, np.inf), starts), np.nan),
        high=np.where(some, np.maximum.reduceat(np.where(good, value, -np.inf), starts), np.nan),
        total=np.add.reduceat(np.where(good, value, 0.0), starts),
        first=np.where(some, value[first], np.nan),
        last=np.where(some, value[last], np.nan),
        first_ns=np.where(some, t_ns[first], 0),
        last_ns=np.where(some, t_ns[last], 0),
    )


def risen(first: Values, last: Values, low: Values, high: Values) -> float:
    """How much a counter rose over consecutive windows, all (m,) in order of time; never negative.

    A fall is a reset, a wrap or another meter. Inside a window the rises before and after it are summed;
    a fall between two windows adds nothing, because what was counted in between is not known.
    """
    inside = np.where(last >= first, last - first, (high - first) + (last - low))
    between = np.maximum(first[1:] - last[:-1], 0.0)
    return float(inside.sum() + between.sum())
