"""What a curve shows: the newest values for ten minutes, rollups of the local history for longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from agent.dashboard.latest import Latest
from collectors.points import Series, Values

NS = 1_000_000_000
STEPS = 3  # a hole wider than this many steps is shown as a hole


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
    """Columns t (s since 1970 UTC), low, mean, high, oldest first; null where a hole begins."""
    from_s = now_ns // NS - range_.seconds
    series = latest.series[id_]
    rows: Values = np.zeros((4, 0))
    if range_.step_s == 0:
        t_ns, value = latest.recent(id_, from_ns=from_s * NS)
        rows = np.stack((t_ns / NS, value, value, value))
    if past is not None:
        to_s = int(rows[0, 0]) if rows.shape[1] else now_ns // NS
        older = await past.read(series, from_s, to_s, width_s=range_.step_s or 10)
        older[0] += (range_.step_s or 10) / 2  # a window is drawn at its middle
        rows = np.concatenate((older[:, older[0] < to_s], rows), axis=1)
    elif range_.step_s:
        t_ns, value = latest.recent(id_, from_ns=from_s * NS)
        rows = np.stack((t_ns / NS, value, value, value))
    return _with_holes(rows, widest_s=STEPS * max(range_.step_s, 10))


def _with_holes(rows: Values, *, widest_s: float) -> dict[str, list[float | None]]:
    """The columns as JSON, with a row of nulls in each hole wider than that, so that no line is drawn over it."""
    holes = np.flatnonzero(np.diff(rows[0]) > widest_s) + 1
    nothing = np.full((4, len(holes)), np.nan)
    nothing[0] = (rows[0, holes] + rows[0, holes - 1]) / 2
    columns = np.insert(rows, holes, nothing, axis=1)
    return {
        name: [None if number != number else round(number, 6) for number in column.tolist()]
        for name, column in zip(("t", "low", "mean", "high"), columns, strict=True)
    }


def midnight(now_s: float, *, utc_offset_s: int) -> int:
    """The start of the day at a place, s since 1970 UTC."""
    return int((now_s + utc_offset_s) // 86_400 * 86_400 - utc_offset_s)
