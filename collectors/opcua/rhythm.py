"""When each tag brings values: which are late by their own rhythm, and which have not changed for so long. Pure.

A connection can be well while one sensor behind it is dead. What is usual is learnt for each tag: the longest usual
interval, forgotten by half a day by day, as `collectors.source` does it for a whole source.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectors.opcua.shape import Shaped
from collectors.opcua.table import Table
from collectors.points import BAD, Batch, Clock, Qualities, Times, Values
from collectors.source import DAY_S, SHORTEST_SILENCE_S, UNKNOWN_RHYTHM_S, USUALS

REPEATED = 0x0000_0402  # InfoType DataValue + Interpolated (OPC 10000-11 §5.4.2): not measured, but still so
CODE_BITS = 0xFFFF_0000
ENOUGH = 3  # intervals make a rhythm
SHOWN = 100
MORE = "(late)"


@dataclass(slots=True)
class Rhythm:
    """The tags of one source. Seconds are those of the monotonic clock and come in as arguments.

    seen, told: (tags,) when the newest value came, when it was recorded, or repeated; NaN before the first one.
    usual: (tags,) seconds.  intervals: (tags,) how many were learnt.  value, quality, t_ns: (series,) the newest.
    """

    table: Table
    seen: Values
    told: Values
    usual: Values
    intervals: NDArray[np.int64]
    value: Values
    quality: Qualities
    t_ns: Times
    texts: dict[int, str] = field(default_factory=dict)  # of the series that are texts
    began: float = 0.0  # when the subscription was made
    forgot: float = 0.0  # up to when the usual intervals were forgotten

    @classmethod
    def of(cls, table: Table) -> Rhythm:
        """Nothing came yet."""
        tags, series = len(table.first), len(table.series)
        return cls(
            table=table,
            seen=np.full(tags, np.nan),
            told=np.full(tags, np.nan),
            usual=np.zeros(tags),
            intervals=np.zeros(tags, dtype=np.int64),
            value=np.full(series, np.nan),
            quality=np.zeros(series, dtype=np.uint32),
            t_ns=np.zeros(series, dtype=np.int64),
        )

    def new_subscription(self, now: float) -> None:
        """Every tag will bring its present value: no interval reaches over this, and nothing is late yet."""
        self.began = now
        self.forgot = self.forgot or now
        self.seen[:] = self.told[:] = np.nan

    def came(self, shaped: Shaped, now: float) -> None:
        """Values came."""
        batch, tags = shaped.batch, shaped.tags.astype(np.intp)  # numpy would convert it for every use
        passed = now - self.seen[tags]  # NaN for the first one: neither longer nor an interval
        longer = passed > self.usual[tags]
        if longer.any():
            rows = tags[longer]
            self.usual[rows] = np.minimum(passed[longer], 2 * np.maximum(self.usual[rows], UNKNOWN_RHYTHM_S))
        self.intervals[tags] += passed > 0
        self.seen[tags] = self.told[tags] = now
        self._remember(batch, slice(None), batch.which.astype(np.intp) if self.table.has_many else tags)

    def came_again(self, shaped: Shaped, before: float) -> None:
        """Values of a missed message came. What has come since `before`, by the clock of `now`, is newer, and stays."""
        tags = shaped.tags.astype(np.intp)
        rows = np.flatnonzero(~(self.seen[tags] > before))  # not a number: never seen
        self.seen[tags[rows]] = self.told[tags[rows]] = before
        self._remember(shaped.batch, rows, shaped.batch.which[rows].astype(np.intp))

    def _remember(self, batch: Batch, rows: slice | NDArray[np.intp], which: NDArray[np.intp]) -> None:
        value = batch.value[rows]
        self.value[which], self.quality[which], self.t_ns[which] = value, batch.quality[rows], batch.t_ns[rows]
        if batch.texts:
            for row in np.flatnonzero(self.table.is_text[which] & np.isfinite(value)).tolist():
                self.texts[int(which[row])] = batch.texts[int(value[row])]

    def late(self, now: float, *, running: NDArray[np.bool_]) -> dict[str, str]:
        """The tags that are late, with status and last value, for people; at most `SHOWN` and one row for the others.

        running: (tags,) the server has accepted them; the others have a trouble of their own.
        """
        self.usual *= 0.5 ** ((now - self.forgot) / DAY_S)
        self.forgot = now
        age = now - np.where(np.isnan(self.seen), self.began, self.seen)
        is_known = self.intervals >= ENOUGH
        patience = np.where(is_known, np.maximum(SHORTEST_SILENCE_S, USUALS * self.usual), UNKNOWN_RHYTHM_S)
        late = np.flatnonzero(running & (age > patience) & (is_known | np.isnan(self.seen))).tolist()
        rows = {str(self.table.series[self.table.first[tag]]): self._told(tag, float(age[tag])) for tag in late[:SHOWN]}
        if len(late) > SHOWN:
            rows[MORE] = f"and {len(late) - SHOWN} more tags"
        return rows

    def repeats(self, now: float, *, after_s: float, t_ns: int, source: str, received_ns: int) -> Batch | None:
        """The values that have held for `after_s` since they were recorded or repeated, once more, as of `t_ns`.

        Marked by the info bits of their quality. A Bad value and one that is newer than `t_ns` are not repeated.
        """
        due = np.flatnonzero(now - self.told >= after_s)
        if not len(due):
            return None
        self.told[due] = now
        width = self.table.width[due]
        which = np.repeat(self.table.first[due].astype(np.int64), width) + _within(width)
        which = which[(self.quality[which] < BAD) & (self.t_ns[which] < t_ns) & (self.t_ns[which] > 0)]
        if not len(which):
            return None
        value, is_text = self.value[which], self.table.is_text[which]
        texts = tuple(self.texts[one] for one in which[is_text].tolist())
        value[is_text] = np.arange(len(texts))
        return Batch(
            source=source,
            received_ns=received_ns,
            series=self.table.series,
            which=which.astype(np.uint32),
            t_ns=np.full(len(which), t_ns, dtype=np.int64),
            value=value,
            quality=(self.quality[which] & CODE_BITS) | np.uint32(REPEATED),
            clock=np.full(len(which), Clock.GATEWAY, dtype=np.uint8),
            texts=texts,
        )

    def _told(self, tag: int, age_s: float) -> str:
        """Say how late a tag is, and what its last value was."""
        if np.isnan(self.seen[tag]):
            return f"no value for {age_s:.0f} s since the connection began; check the sensor, or sampling_ms"
        first = int(self.table.first[tag])
        status = ("Good", "Uncertain", "Bad", "Bad")[int(self.quality[first]) >> 30]
        last = self.texts.get(first, "") if self.table.is_text[first] else f"{self.value[first]:.10g}"
        return f"no value for {age_s:.0f} s, usually one within {self.usual[tag]:.0f} s; the last was {last} ({status})"


def _within(width: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, … within each of the widths."""
    starts = np.cumsum(width) - width
    return np.arange(int(width.sum()), dtype=np.int64) - np.repeat(starts, width)
