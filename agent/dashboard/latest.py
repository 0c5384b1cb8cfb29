"""Latest: the newest value of every series, and the last minutes of all of them, in memory."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from agent.sink import Entry
from collectors.points import Batch, Kind, Point, Qualities, Series, Times, Values, is_bad

Ids = NDArray[np.int64]

GAPS, GAPS_SHOWN = 50, 20  # newest ones kept, and listed
AHEAD_NS = 300 * 1_000_000_000  # a timestamp further ahead of its arrival is a wrong clock, not the future


class Newest(NamedTuple):
    """The newest value of one series; value is None where the quality is Bad."""

    id: int
    t_ns: int
    value: float | str | None
    quality: int
    since_ns: int  # when a state or a text took this value; 0 for other kinds


class Event(NamedTuple):
    """Something that happened, as text."""

    t_ns: int
    series: Series
    text: str


class Latest:
    """A sink in memory. A series has an id, its place in `series`, for the life of the process.

    recent_points: how many points, over all series, the ring keeps for curves (20 bytes each).

    A time minutes ahead of its own arrival is taken for the time of arrival: a value of next year, from a clock that
    was wrong once, would stay the newest one for a year.
    """

    name = "latest"
    max_points = 50_000
    linger_s = 0.2

    def __init__(self, *, recent_points: int = 200_000) -> None:
        self.series: list[Series] = []
        self.changes = 0  # rises with every write
        self.gaps: deque[Event] = deque(maxlen=GAPS)
        self._ids: dict[Series, int] = {}
        self._by_key: dict[str, int] = {}  # the first series that is written so
        self._table: Sequence[Series] = ()
        self._table_ids: Ids = np.zeros(0, np.int64)
        self._is_text: NDArray[np.bool_] = np.zeros(0, bool)  # by id
        self._holds: NDArray[np.bool_] = np.zeros(0, bool)  # by id: states and texts, of which 'since when' is asked
        self._t_ns: Times = np.zeros(0, np.int64)
        self._value: Values = np.zeros(0)
        self._quality: Qualities = np.zeros(0, np.uint32)
        self._since_ns: Times = np.zeros(0, np.int64)
        self._changed: Ids = np.zeros(0, np.int64)  # by id: `changes` when it changed
        self._texts: dict[int, str] = {}
        self._source: Ids = np.zeros(0, np.int64)  # by id: place in `_sources`
        self._sources: list[str] = [""]
        self._heard_ns: dict[str, int] = {}
        self._ring_id = np.full(recent_points, -1, np.int32)
        self._ring_t_ns: Times = np.zeros(recent_points, np.int64)
        self._ring_value: Values = np.zeros(recent_points)
        self._ring_at = 0

    def restore(self, state: bytes) -> None:
        """Nothing to take back: a page begins with the first value that comes."""

    def recall(self, held: Iterable[tuple[Point, int]]) -> None:
        """Take back what was known before a restart: points, oldest first, each with since when it holds (0: unknown).

        A machine that only reports changes would otherwise be missing until its next one.
        """
        self.changes += 1
        known = list(held)
        if known:
            self._take(Batch.of("", [point for point, _ in known], received_ns=known[-1][0].t_ns))
        for point, since_ns in known:
            id_ = self._ids[point.series]
            if since_ns and self._t_ns[id_] == point.t_ns:
                self._since_ns[id_] = since_ns

    async def write(self, entries: Sequence[Entry]) -> bytes:
        """Take the newest values; never refuses."""
        self.changes += 1
        for entry in entries:
            self._take(entry.batch)
        return b""

    def newest(self, *, since: int = 0) -> list[Newest]:
        """The newest value of every series that changed after `since` (a value of `changes`)."""
        return [self.value(id_) for id_ in np.flatnonzero(self._changed[: len(self.series)] > since).tolist()]

    def value(self, id_: int) -> Newest:
        """The newest value of one series."""
        quality, number = int(self._quality[id_]), float(self._value[id_])
        shown: float | str | None = number
        if number != number or is_bad(self._quality[id_ : id_ + 1])[0]:
            shown = None
        elif self.series[id_].kind.is_text:
            shown = self._texts[id_]
        return Newest(id_, int(self._t_ns[id_]), shown, quality, int(self._since_ns[id_]))

    def find(self, key: str) -> int | None:
        """The id of the series that is written like this (plant/area/line/machine/signal)."""
        return self._by_key.get(key)

    def source(self, id_: int) -> str:
        """The source that brought a series last, "" before it was heard in this run."""
        return self._sources[int(self._source[id_])]

    def heard_ns(self, id_: int) -> int:
        """When anything came from the source of a series; a value holds at least until then."""
        return self._heard_ns.get(self.source(id_), 0)

    def holes(self, id_: int) -> list[tuple[int, int]]:
        """Times (from_ns, to_ns) in which values of a series are known to be missing, from the gaps of its source."""
        found: list[tuple[int, int]] = []
        for event in self.gaps:
            if event.series.machine == self.source(id_):
                gap = orjson.loads(event.text)
                if not gap["series"] or str(self.series[id_]) in gap["series"]:
                    found.append((gap["from_ns"], gap["to_ns"]))
        return found

    def newest_gaps(self) -> list[dict[str, object]]:
        """The newest holes that sources or the log reported, newest first; one that was said again as it was last."""
        found: dict[tuple[object, ...], dict[str, object]] = {}
        for event in reversed(self.gaps):
            with contextlib.suppress(ValueError, TypeError, KeyError):  # whatever another version wrote
                said = orjson.loads(event.text)
                hole = (event.series, said["from_ns"], said["to_ns"], said["reason"], *said["series"])
                found.setdefault(hole, {"source": event.series.machine, **said})
        return list(found.values())[:GAPS_SHOWN]

    def recent(self, id_: int, *, from_ns: int) -> tuple[Times, Values]:
        """The values of one series that the ring still holds, from a time on, in order of time; good ones only."""
        rows = np.flatnonzero((self._ring_id == id_) & (self._ring_t_ns >= from_ns))
        t_ns = self._ring_t_ns[rows]
        order = np.argsort(t_ns, kind="stable")
        return t_ns[order], self._ring_value[rows][order]

    def _take(self, batch: Batch) -> None:
        self._know(batch.series)
        if not len(batch):
            return
        ids = self._table_ids[batch.which]
        if batch.source not in self._sources:
            self._sources.append(batch.source)
        self._source[ids] = self._sources.index(batch.source)
        self._heard_ns[batch.source] = max(batch.received_ns, self._heard_ns.get(batch.source, 0))
        times = np.where(batch.t_ns > batch.received_ns + AHEAD_NS, batch.received_ns, batch.t_ns)
        holds = self._holds[ids]
        for row in np.flatnonzero(holds).tolist():
            self._take_one(batch, row, int(ids[row]), times)
        order = np.argsort(times, kind="stable")
        order = order[~holds[order] & (times[order] >= self._t_ns[ids[order]])]
        chosen = ids[order]  # of several points of one series, the assignment keeps the last one
        self._t_ns[chosen] = times[order]
        self._value[chosen] = batch.value[order]
        self._quality[chosen] = batch.quality[order]
        self._changed[chosen] = self.changes
        self._remember(ids, batch, times, np.isfinite(batch.value) & ~is_bad(batch.quality) & ~self._is_text[ids])

    def _take_one(self, batch: Batch, row: int, id_: int, times: Times) -> None:
        """A state, a text or an event: compared with the one before, to know since when it holds."""
        series, t_ns, value = self.series[id_], int(times[row]), float(batch.value[row])
        text = batch.texts[int(value)] if series.kind.is_text and value == value else ""
        if series.kind is Kind.EVENT and series.signal == "gap" and text:
            self.gaps.append(Event(t_ns, series, text))
        if t_ns < self._t_ns[id_]:
            return
        is_same = (value == self._value[id_] or series.kind.is_text) and self._texts.get(id_, "") == text
        if not is_same or not self._since_ns[id_]:
            self._since_ns[id_] = t_ns
        self._texts[id_] = text
        self._t_ns[id_], self._value[id_], self._quality[id_] = t_ns, value, batch.quality[row]
        self._changed[id_] = self.changes

    def _remember(self, ids: Ids, batch: Batch, times: Times, good: NDArray[np.bool_]) -> None:
        size = len(self._ring_id)
        rows = np.flatnonzero(good)[-size:]
        places = (self._ring_at + np.arange(len(rows))) % size
        self._ring_id[places] = ids[rows]
        self._ring_t_ns[places] = times[rows]
        self._ring_value[places] = batch.value[rows]
        self._ring_at = (self._ring_at + len(rows)) % size

    def _know(self, table: Sequence[Series]) -> None:
        if table is self._table:
            return
        new = [series for series in dict.fromkeys(table) if series not in self._ids]
        if new:
            self._ids.update((series, len(self.series) + place) for place, series in enumerate(new))
            for series in new:
                self._by_key.setdefault(str(series), self._ids[series])
            self.series.extend(new)
            self._grow(len(self.series))
            self._is_text = np.array([series.kind.is_text for series in self.series], bool)
            self._holds = self._is_text | np.array([series.kind is Kind.STATE for series in self.series], bool)
        self._table_ids = np.array([self._ids[series] for series in table], np.int64)
        self._table = table

    def _grow(self, size: int) -> None:
        more = size - len(self._t_ns)
        self._t_ns = np.append(self._t_ns, np.zeros(more, np.int64))
        self._value = np.append(self._value, np.full(more, np.nan))
        self._quality = np.append(self._quality, np.zeros(more, np.uint32))
        self._since_ns = np.append(self._since_ns, np.zeros(more, np.int64))
        self._changed = np.append(self._changed, np.zeros(more, np.int64))
        self._source = np.append(self._source, np.zeros(more, np.int64))
