"""The history file: takes log entries, answers ranges. Blocking; owned by one thread."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agent.history import levels, retention, schema
from agent.history.blocks import SIZE
from agent.history.newest import Newest
from agent.history.opening import is_damage, opened, put_aside
from agent.history.rollups import NS, Numbers, Rows, roll_up, united
from agent.sink import Entry
from collectors.points import Batch, Kind, Point, Series, Times, Values, is_bad
from collectors.texts import legible

LATE_S = 15  # a window is computed this long after its end, by the gateway time of the data
SETTLE_S = 2  # a commit waits so long for the last values of its last window
MOST_ROWS = 150_000  # in memory; 10 MB
EVENTS = 50  # newest ones that the page gets back
TEXT_SLOT_NS = 60 * NS  # a text is kept once a minute, an event always


class Held(NamedTuple):
    """A last known value, and since when a state holds (0: not asked)."""

    point: Point
    since_ns: int


class HistoryFile:
    """One SQLite file, one connection. Every method may raise sqlite3.Error; the next call opens the file anew.

    What was taken is in memory first, rolled up, and is written by the commit that is due: `is_written` says whether
    all of it is. A failed commit forgets nothing, and is tried again by the next `take`.
    """

    def __init__(
        self, path: Path, *, keep_s: Mapping[int, int], quota_bytes: int = 1 << 62, commit_s: float = 0
    ) -> None:
        self._path = path
        self._keep_s = dict(keep_s)
        self._quota_bytes = quota_bytes
        self._commit_ns = int(commit_s * NS)
        self._is_cut = False  # the quota, and not age, decided lately
        self._series: list[Series] = []  # as they are in the file
        self._ids: dict[Series, int] = {}  # place in it; a name that no file can hold has the one that stands for it
        self._table: Sequence[Series] = ()
        self._table_ids: Numbers = np.zeros(0, np.int64)
        self._is_text, self._is_counter, self._is_state = (np.zeros(0, bool) for _ in range(3))  # by series
        self._windows: dict[tuple[int, int], Rows] = {}  # not written yet, by (width_s, t_s)
        self._texts: list[tuple[int, int, int, str]] = []  # not written yet
        self._newest = Newest()
        self.facts: dict[str, int] = {}  # as they are in the file
        self.taken: Counter[str] = Counter()
        self._in_file = 0  # series
        self._db: sqlite3.Connection | None = opened(path)
        try:
            self._restore(self._db)
        except sqlite3.Error as error:
            self.fail(error)
            if not is_damage(error):
                raise
        self._place = (self.facts.get("seq", 0), self.facts.get("received_ns", 0))
        self._learn_kinds()

    def _restore(self, db: sqlite3.Connection) -> None:
        newest = db.execute("SELECT block, held FROM newest").fetchall()
        taken = db.execute("SELECT source, points FROM taken").fetchall()
        facts = db.execute("SELECT name, value FROM fact").fetchall()
        for _, plant, area, line, machine, signal, unit, kind in db.execute("SELECT * FROM series ORDER BY id"):
            self._series.append(Series(plant, area, line, machine, signal, unit, Kind(kind)))
        self._ids = {series: id_ for id_, series in enumerate(self._series)}
        self._in_file = len(self._series)
        self.facts, self.taken = dict(facts), Counter(dict(taken))
        for block, held in newest:
            self._newest.restore(block, held)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def close_whole(self) -> None:
        """Write what is in memory first."""
        if not self.is_written:
            self.write()
        self.close()

    # -- taking ---------------------------------------------------------------------------------------------------

    @property
    def is_written(self) -> bool:
        """Whether all that was taken is on disk."""
        return self._place == (self.facts.get("seq", 0), self.facts.get("received_ns", 0))

    def take(self, entries: Sequence[Entry], *, is_same_log: bool = False) -> int:
        """Take what is new in the entries, and write what is due; how many points were new.

        is_same_log: whether the log is known to be the one that the stored place belongs to.
        """
        fresh = [entry for entry in entries if self._is_new(entry, is_same_log=is_same_log)]
        if fresh:
            self._keep([entry.batch for entry in fresh])
            self._place = (fresh[-1].seq, fresh[-1].batch.received_ns)
        if self._is_due():
            self.write()
        return sum(len(entry.batch) for entry in fresh)

    def write(self) -> None:
        """Write what was taken, with the place in the log, in one transaction."""
        db = self._connection()
        facts = self.facts | dict(zip(("seq", "received_ns"), self._place, strict=True))
        now_s = facts["received_ns"] // NS
        step_s = now_s - self.facts.get("received_ns", facts["received_ns"]) // NS
        try:
            db.execute("BEGIN IMMEDIATE")
            self._write_rows(db)
            levels.fold(db, now_s - LATE_S, is_counter=self._is_counter)
            retention.purge(db, facts, keep_s=self._keep_s, step_s=step_s)
            self._is_cut = retention.cut(db, facts, quota_bytes=self._quota_bytes, was_cut=self._is_cut)
            db.executemany("INSERT OR REPLACE INTO taken VALUES (?, ?)", self.taken.items())
            db.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self.fail(error)
            raise
        self.facts, self._in_file = facts, len(self._series)
        self._windows.clear()
        self._texts.clear()
        self._newest.written()

    def fail(self, error: sqlite3.Error) -> None:
        """Close the file after an error, which undoes what was begun; a damaged one is put aside."""
        self.close()
        if is_damage(error):
            put_aside(self._path, why=str(error))

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = opened(self._path)
            (self._in_file,) = self._db.execute("SELECT count(*) FROM series").fetchone()
            if not self._in_file:  # begun anew
                self._newest.lost()
        return self._db

    def _is_new(self, entry: Entry, *, is_same_log: bool) -> bool:
        """After the place, or from a log that was begun anew: numbered from one, but later than what we have."""
        seq, received_ns = self._place
        return entry.seq > seq or (entry.batch.received_ns > received_ns and not is_same_log)

    def _is_due(self) -> bool:
        """Commits are aligned to the clock of the data: so most windows are written once, when they are complete."""
        before, now = (at - SETTLE_S * NS for at in (self.facts.get("received_ns", 0), self._place[1]))
        is_full = sum(map(len, self._windows.values())) > MOST_ROWS
        is_over = not self._commit_ns or before // self._commit_ns != now // self._commit_ns
        return not self.is_written and (is_over or is_full)

    def _keep(self, batches: Sequence[Batch]) -> None:
        ids: list[Numbers] = []
        for batch in batches:
            self._know(batch.series)
            ids.append(self._table_ids[batch.which])
            is_text = self._is_text[ids[-1]]
            if is_text.any():
                self._keep_texts(batch, ids[-1], np.flatnonzero(is_text & ~np.isnan(batch.value)))
            self.taken[legible(batch.source)] += len(batch)
        series = np.concatenate(ids)
        t_ns, value, quality = (
            np.concatenate([getattr(batch, name) for batch in batches]) for name in ("t_ns", "value", "quality")
        )
        good = np.isfinite(value) & ~is_bad(quality) & ~self._is_text[series]
        if not good.all():
            series, t_ns, value = series[good], t_ns[good], value[good]
        self._newest.take(series, t_ns, value, is_state=self._is_state, received_ns=batches[-1].received_ns)
        for width_s in schema.WIDTHS_S:  # into the finest level that still keeps that time
            since_ns = self.facts.get(f"kept_{width_s}", 0) * NS
            if len(t_ns) and t_ns.min() >= since_ns:
                self._roll(series, t_ns, value, width_s)
                return
            kept = t_ns >= since_ns
            self._roll(series[kept], t_ns[kept], value[kept], width_s)
            series, t_ns, value = series[~kept], t_ns[~kept], value[~kept]

    def _roll(self, series: Numbers, t_ns: Times, value: Values, width_s: int) -> None:
        is_counter = self._is_counter
        for t_s, rows in roll_up(series, t_ns, value, width_s=width_s, is_counter=is_counter).items():
            before = self._windows.get((width_s, t_s))
            self._windows[width_s, t_s] = rows if before is None else united([before, rows], is_counter=is_counter)

    def _keep_texts(self, batch: Batch, ids: Numbers, rows: Numbers) -> None:
        for row in rows.tolist():
            t_ns, text = int(batch.t_ns[row]), legible(batch.texts[int(batch.value[row])])
            is_event = batch.series[batch.which[row]].kind is Kind.EVENT
            slot_ns = t_ns if is_event else t_ns // TEXT_SLOT_NS * TEXT_SLOT_NS
            self._texts.append((slot_ns, int(ids[row]), t_ns, text))

    def _know(self, table: Sequence[Series]) -> None:
        """Give every series of a batch's table its number; the log keeps one table for long."""
        if table is not self._table:
            for series in table:
                if series not in self._ids:
                    self._ids[series] = self._add(series)
            self._table_ids = np.array([self._ids[series] for series in table], np.int64)
            self._table = table
            if len(self._series) > len(self._is_text):
                self._learn_kinds()

    def _add(self, series: Series) -> int:
        s = series
        plant, area, line, machine, signal, unit = map(legible, (s.plant, s.area, s.line, s.machine, s.signal, s.unit))
        kept = Series(plant, area, line, machine, signal, unit, series.kind)
        if kept not in self._ids:
            self._ids[kept] = len(self._series)
            self._series.append(kept)
        return self._ids[kept]

    def _learn_kinds(self) -> None:
        kinds = [series.kind for series in self._series]
        self._is_text = np.array([kind.is_text for kind in kinds], bool)
        self._is_counter = np.array([kind is Kind.COUNTER for kind in kinds], bool)
        self._is_state = np.array([kind is Kind.STATE for kind in kinds], bool)
        self._newest.grow(len(kinds))

    def _write_rows(self, db: sqlite3.Connection) -> None:
        new = enumerate(self._series[self._in_file :], start=self._in_file)
        named = ((id_, s.plant, s.area, s.line, s.machine, s.signal, s.unit, s.kind.value) for id_, s in new)
        db.executemany("INSERT INTO series VALUES (?,?,?,?,?,?,?,?)", named)
        db.executemany(schema.ADD_TEXT, self._texts)
        for (width_s, t_s), rows in sorted(self._windows.items()):
            levels.add(db, width_s, t_s, rows, is_counter=self._is_counter)
        for width_s in schema.WIDTHS_S:
            levels.mark(db, width_s, (t_s for width, t_s in self._windows if width == width_s))
        db.executemany("INSERT OR REPLACE INTO newest VALUES (?, ?)", self._newest.changed())

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self, series: Series, from_s: int, to_s: int, *, width_s: int) -> Values:
        """(7, m) f8: start of window, n, low, high, total, first, last; oldest first, only windows with good points.

        first and last: of counters; elsewhere the low.
        """
        return self.read_all([series], from_s, to_s, width_s=width_s)[0]

    def read_all(self, wanted: Sequence[Series], from_s: int, to_s: int, *, width_s: int) -> list[Values]:
        """The same for several series; it costs little more where they are neighbours."""
        ids = [self._ids.get(series) for series in wanted]
        found = {id_: [np.zeros((7, 0))] for id_ in ids}
        now_s = self.facts.get("received_ns", 0) // NS - LATE_S
        known = sorted(id_ for id_ in found if id_ is not None)
        for width, start, end in schema.pieces(from_s, to_s, width_s=width_s, now_s=now_s):
            for block, group in groupby(known, lambda id_: id_ // SIZE):
                members = list(group)
                slots = [id_ % SIZE for id_ in members]
                rows = levels.read(self._connection(), width, start, end, block=block, slots=slots)
                for id_, held in zip(members, rows, strict=True):
                    found[id_].append(self._with_unwritten(held, id_, width, start, end))
        return [np.concatenate(found[id_], axis=1) for id_ in ids]

    def _with_unwritten(self, held: Rows, id_: int, width_s: int, from_s: int, to_s: int) -> Values:
        """The columns of `read`. held: by the number of the window since `from_s`."""
        parts = [held, *self._unwritten(id_, width_s, from_s, to_s)]
        row = held
        if len(parts) > 1:
            is_counter = np.full((to_s - from_s) // width_s + 1, bool(self._is_counter[id_]))
            row = united(parts, is_counter=is_counter)
        columns = (row.series * width_s + from_s, row.n, row.low, row.high, row.total, row.first, row.last)
        return np.array(columns, np.float64)

    def _unwritten(self, id_: int, width_s: int, from_s: int, to_s: int) -> Iterator[Rows]:
        """The rows of one series that are in memory, by the number of their window since `from_s`."""
        for (width, t_s), rows in self._windows.items():
            at = int(np.searchsorted(rows.series, id_))
            if width == width_s and from_s <= t_s < to_s and at < len(rows) and rows.series[at] == id_:
                row = replace(rows, **{name: getattr(rows, name)[at : at + 1] for name in Rows.__slots__})
                yield replace(row, series=np.array([(t_s - from_s) // width_s]))

    def newest(self) -> list[Held]:
        """The last known value of every series, oldest first; the last events come with it."""
        names, known = self._series, self._newest
        columns = (column[: len(names)].tolist() for column in (known.t_ns, known.value, known.since_ns))
        rows = zip(names, *columns, strict=True)
        found = [Held(Point(series, t_ns, value), since_ns) for series, t_ns, value, since_ns in rows if t_ns]
        db, day_ns = self._connection(), self.facts.get("received_ns", 0) - 86400 * NS
        texts = db.execute(schema.NEWEST_TEXTS, (day_ns,)).fetchall()
        texts += [(*row, 0) for row in db.execute(schema.NEWEST_EVENTS, (EVENTS,))]
        found += [Held(Point(names[id_], t_ns, text), t_ns) for id_, text, t_ns, _ in texts]
        return sorted(found, key=lambda held: held.point.t_ns)

    def size(self) -> int:
        """Bytes in use."""
        return retention.size(self._connection())
