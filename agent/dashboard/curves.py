"""What a curve shows: the newest values for ten minutes, rollups of the local history for longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from agent.dashboard.latest import Latest
from collectors.points import Series, Values

NS = 1_000_000_000
STEPS = 3  # what is further apart than so many steps is not joined by a slope
FINEST_S = 10  # the finest rows of the history


class Range(NamedTuple):
    """A range of time that can be asked for, and the width of the rollups that answer it; 0: the values themselves."""

    seconds: int
    step_s: int


RANGES = {
    "10m": Range(600, 0),
    "1h": Range(3600, 10),
    "24h": Range(86_400, 60),
    "7d": Range(7 * 86_400, 900),
    "90d": Range(90 * 86_400, 3600),
}


class Past(Protocol):
    """What the page asks of the local history."""

    @property
    def points(self) -> Mapping[str, int]:
        """Points taken in so far, over all runs, by source."""
        ...

    async def read(self, series: Series, from_s: int, to_s: int, *, width_s: int) -> Values:
        """(4, m) f8: start of window in s since 1970 UTC, low, mean, high; oldest first."""
        ...

    async def risen(self, counters: Sequence[Series], from_s: int, to_s: int) -> list[float | None]:
        """How much each counter rose; None where nothing is known."""
        ...


async def curve(
    latest: Latest, past: Past | None, id_: int, *, range_: Range, now_ns: int
) -> dict[str, list[float | None]]:
    """Columns t (s since 1970 UTC), low, mean, high, oldest first; null where a hole is known.

    Machines often report only changes, so a value holds until the next one, and the newest one until its source was
    last heard.
    """
    from_s = now_ns / NS - range_.seconds
    t_ns, value = latest.recent(id_, from_ns=int(from_s * NS))
    rows = np.stack((t_ns / NS, value, value, value))
    if past is not None:
        width_s = range_.step_s or FINEST_S
        to_s = rows[0, 0] if rows.shape[1] and not range_.step_s else now_ns / NS
        older = await past.read(latest.series[id_], int(from_s), int(to_s), width_s=width_s)
        older = older[:, older[0] + (0 if range_.step_s else width_s) <= to_s]  # no time is drawn twice
        older[0] += width_s / 2  # a window is drawn at its middle
        rows = np.concatenate((older, rows if not range_.step_s else rows[:, :0]), axis=1)
    newest = latest.value(id_)
    if isinstance(newest.value, float):
        rows = _completed(rows, newest.t_ns / NS, newest.value, from_s=from_s, to_s=latest.heard_ns(id_) / NS)
    holes = [(start / NS, end / NS) for start, end in latest.holes(id_)]
    return _as_json(_held(rows, widest_s=STEPS * max(range_.step_s, 1), holes=holes))


def _completed(rows: Values, t_s: float, value: float, *, from_s: float, to_s: float) -> Values:
    """The rows, begun with the newest value where it came before all of them, and held until its source was heard."""
    if not rows.shape[1] and t_s <= from_s:
        rows = np.array([[from_s], [value], [value], [value]])
    if rows.shape[1] and to_s > rows[0, -1]:
        rows = np.concatenate((rows, [[to_s], [value], [value], [value]]), axis=1)
    return rows


def _held(rows: Values, *, widest_s: float, holes: Sequence[tuple[float, float]]) -> Values:
    """The rows with one more in each wide interval: nulls in a known hole, else the value that still held."""
    wide = np.flatnonzero(np.diff(rows[0]) > widest_s)
    more = rows[:, wide].copy()
    more[0] = rows[0, wide + 1] - 0.001
    for column, at in enumerate(wide.tolist()):
        start_s, end_s = rows[0, at], rows[0, at + 1]
        if any(start < end_s and end > start_s for start, end in holes):
            more[:, column] = ((start_s + end_s) / 2, np.nan, np.nan, np.nan)
    return np.insert(rows, wide + 1, more, axis=1)


def _as_json(rows: Values) -> dict[str, list[float | None]]:
    return {
        name: [None if number != number else round(number, 6) for number in column.tolist()]
        for name, column in zip(("t", "low", "mean", "high"), rows, strict=True)
    }


def midnight(now_s: float, *, utc_offset_s: int) -> int:
    """The start of the day at a place, s since 1970 UTC."""
    return int((now_s + utc_offset_s) // 86_400 * 86_400 - utc_offset_s)
