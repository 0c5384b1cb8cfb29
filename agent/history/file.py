"""The history file: takes log entries, answers ranges. Blocking; owned by one thread."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from agent.history import retention, schema
from agent.history.rollups import NS, Numbers, roll_up
from agent.sink import Entry
from collectors.points import Batch, Kind, Point, Series, Values
from collectors.texts import legible

logger = structlog.get_logger(__name__)

AHEAD_S = 300  # rows further ahead are of a wrong clock, not the newest
LATE_S = 15  # a window is computed this long after its end, by the gateway time of the data
FOLDS = 120  # windows computed in one commit, so that a backfill of days does not make one commit take minutes
EVENTS = 50  # newest ones that the page gets back
NEWEST_IN = {10: 3600, 900: 2 * 86400, 3600: 60 * 86400}  # width of rows: how far back they are looked through, s
UNREADABLE = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB
TEXT_SLOT_NS = 60 * NS  # a text is kept once a minute, an event always


class Held(NamedTuple):
    """A last known value, and since when a state holds (0: not asked)."""

    point: Point
    since_ns: int


class HistoryFile:
    """One SQLite file, one connection. Every method may raise sqlite3.Error; then nothing of the call was kept."""

    def __init__(self, path: Path, *, keep_s: Mapping[int, int], quota_bytes: int = 1 << 62) -> None:
        self._keep_s = dict(keep_s)
        self._quota_bytes = quota_bytes
        self._is_cut = False  # the quota, and not age, decided lately
        self._ids: dict[Series, int] = {}
        self._table: Sequence[Series] = ()
        self._table_ids: Numbers = np.zeros(0, np.int64)
        self._table_is_text: NDArray[np.bool_] = np.zeros(0, bool)
        self._db = _opened(path)
        self.facts: dict[str, int] = dict(self._db.execute("SELECT name, value FROM fact"))
        self.taken: Counter[str] = Counter(dict(self._db.execute("SELECT source, points FROM taken")))
        for id_, plant, area, line, machine, signal, unit, kind in self._db.execute("SELECT * FROM series"):
            self._ids[Series(plant, area, line, machine, signal, unit, Kind(kind))] = id_

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # -- taking ---------------------------------------------------------------------------------------------------

    def take(self, entries: Sequence[Entry], *, is_same_log: bool = False) -> int:
        """Keep what is new in the entries, with the place in the log, in one transaction; how many points were new.

        is_same_log: whether the log is known to be the one that the stored place belongs to.
        """
        fresh = [entry for entry in entries if self._is_new(entry, is_same_log=is_same_log)]
        if not fresh:
            return 0
        facts = dict(self.facts)
        facts["seq"] = fresh[-1].seq
        facts["received_ns"] = fresh[-1].batch.received_ns
        step_s = (facts["received_ns"] - self.facts.get("received_ns", facts["received_ns"])) // NS
        taken = self.taken.copy()
        for entry in fresh:
            taken[legible(entry.batch.source)] += len(entry.batch)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._keep([entry.batch for entry in fresh], facts)
            self._fold(facts["received_ns"] // NS - LATE_S)
            retention.purge(self._db, facts, keep_s=self._keep_s, step_s=step_s)
            self._is_cut = retention.cut(self._db, facts, quota_bytes=self._quota_bytes, was_cut=self._is_cut)
            self._db.executemany("INSERT OR REPLACE INTO taken VALUES (?, ?)", taken.items())
            self._db.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise
        self.facts, self.taken = facts, taken
        return sum(len(entry.batch) for entry in fresh)

    def _is_new(self, entry: Entry, *, is_same_log: bool) -> bool:
        """After the stored place, or from a log that was begun anew: numbered from one, but later than what we have."""
        is_later = entry.batch.received_ns > self.facts.get("received_ns", 0)
        return entry.seq > self.facts.get("seq", 0) or (is_later and not is_same_log)

    def _keep(self, batches: Sequence[Batch], facts: dict[str, int]) -> None:
        ids: list[Numbers] = []
        is_number: list[NDArray[np.bool_]] = []
        for batch in batches:
            self._know(batch.series)
            ids.append(self._table_ids[batch.which])
            is_text = self._table_is_text[batch.which]
            is_number.append(~is_text)
            if is_text.any():
                self._keep_texts(batch, ids[-1], np.flatnonzero(is_text & ~np.isnan(batch.value)))
        numbers = np.concatenate(is_number)
        series = np.concatenate(ids)[numbers]
        t_ns = np.concatenate([batch.t_ns for batch in batches])[numbers]
        value = np.concatenate([batch.value for batch in batches])[numbers]
        quality = np.concatenate([batch.quality for batch in batches])[numbers]
        for width_s in schema.WIDTHS_S:  # into the finest level that still keeps that time
            kept = t_ns >= facts.get(f"kept_{width_s}", 0) * NS
            rows = roll_up(series[kept], t_ns[kept], value[kept], quality[kept], width_s=width_s)
            self._db.executemany(schema.add_rows(width_s), rows.tuples())
            self._mark(width_s, set(rows.t_s.tolist()))
            series, t_ns, value, quality = series[~kept], t_ns[~kept], value[~kept], quality[~kept]

    def _keep_texts(self, batch: Batch, ids: Numbers, rows: Numbers) -> None:
        for row in rows.tolist():
            t_ns = int(batch.t_ns[row])
            is_event = batch.series[batch.which[row]].kind is Kind.EVENT
            self._db.execute(
                schema.ADD_TEXT,
                (
                    t_ns if is_event else t_ns // TEXT_SLOT_NS * TEXT_SLOT_NS,
                    int(ids[row]),
                    t_ns,
                    legible(batch.texts[int(batch.value[row])]),
                ),
            )

    def _know(self, table: Sequence[Series]) -> None:
        """Give every series of a batch's table its number in the file; the log keeps one table for long."""
        if table is not self._table:
            new = [series for series in table if series not in self._ids]
            for series in new:
                names = (series.plant, series.area, series.line, series.machine, series.signal, series.unit)
                values = (*map(legible, names), series.kind.value)
                cursor = self._db.execute("INSERT INTO series VALUES (NULL,?,?,?,?,?,?,?)", values)
                self._ids[series] = cursor.lastrowid or 0
            self._table_ids = np.array([self._ids[series] for series in table], np.int64)
            self._table_is_text = np.array([series.kind.is_text for series in table], bool)
            self._table = table

    # -- coarser levels -----------------------------------------------------------------------------

    def _mark(self, width_s: int, windows_s: set[int]) -> None:
        """Say that windows of a level have changed: the next level has to be computed again."""
        coarser_s = dict(pairwise(schema.WIDTHS_S)).get(width_s)
        if coarser_s is not None:
            changed = {(coarser_s, t_s // coarser_s * coarser_s) for t_s in windows_s}
            self._db.executemany("INSERT OR IGNORE INTO stale VALUES (?, ?)", changed)

    def _fold(self, now_s: int) -> None:
        """Compute the coarser windows that are over and have changed."""
        for finer_s, width_s in pairwise(schema.WIDTHS_S):
            over = self._db.execute(
                "SELECT t_s FROM stale WHERE width_s = ? AND t_s + width_s <= ? ORDER BY t_s LIMIT ?",
                (width_s, now_s, FOLDS),
            ).fetchall()
            for (t_s,) in over:
                self._db.execute(f"DELETE FROM rollup_{width_s} WHERE t_s = ?", (t_s,))  # noqa: S608
                self._db.execute(schema.fold(width_s, finer_s), {"t_s": t_s})
                self._db.execute("DELETE FROM stale WHERE width_s = ? AND t_s = ?", (width_s, t_s))
            self._mark(width_s, {t_s for (t_s,) in over})

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self, series: Series, from_s: int, to_s: int, *, width_s: int) -> Values:
        """(7, m) f8: start of window, n, low, high, total, first, last; oldest first, only windows with good points."""
        rows: list[tuple[float, ...]] = []
        id_ = self._ids.get(series)
        if id_ is not None:
            now_s = self.facts.get("received_ns", 0) // NS - LATE_S
            for width, start, end in schema.pieces(from_s, to_s, width_s=width_s, now_s=now_s):
                rows += self._db.execute(schema.read_rows(width), {"series": id_, "from_s": start, "to_s": end})
        return np.array(rows, np.float64).reshape(-1, 7).T

    def newest(self) -> list[Held]:
        """The last known value of every series, oldest first: what the page shows before new data comes.

        Looked for in the last hour, then in coarser rows up to two months back. Since when a state holds is as exact
        as the rows; the last events come with it.
        """
        now_s = self.facts.get("received_ns", 0) // NS
        by_id = {id_: series for series, id_ in self._ids.items()}
        found: dict[int, Held] = {}
        for width_s, back_s in NEWEST_IN.items():
            for id_, value, t_ns, _ in self._db.execute(
                schema.newest_rows(width_s), {"from_s": now_s - back_s, "to_s": now_s + AHEAD_S}
            ):
                found.setdefault(id_, Held(Point(by_id[id_], t_ns, value), 0))
        for id_, held in found.items():
            if held.point.series.kind is Kind.STATE:
                found[id_] = held._replace(since_ns=self._since_ns(held.point))
        day_ns = (now_s - 86400) * NS
        texts = self._db.execute(schema.NEWEST_TEXTS, (day_ns,)).fetchall()
        texts += [(*row, 0) for row in self._db.execute(schema.NEWEST_EVENTS, (EVENTS,))]
        held_texts = [Held(Point(by_id[id_], t_ns, text), t_ns) for id_, text, t_ns, _ in texts]
        return sorted([*found.values(), *held_texts], key=lambda held: held.point.t_ns)

    def _since_ns(self, state: Point) -> int:
        """When a state took its value, by the rows of a day: coarse ones first, then fine ones where they changed."""
        start_s, end_s = state.t_ns // NS - 86400, state.t_ns // NS + 1
        since_s = end_s
        for width_s in (900, 10):
            t_s, _, low, high, _, _, last = self.read(state.series, start_s, end_s, width_s=width_s)
            others = np.flatnonzero((low != state.value) | (high != state.value))
            held = int(others[-1]) + (last[others[-1]] != state.value) if len(others) else 0
            since_s = int(t_s[held]) if held < len(t_s) else end_s
            start_s = int(t_s[others[-1]]) if len(others) else start_s
        return min(since_s * NS, state.t_ns)

    def size(self) -> int:
        """Bytes in use, without the write-ahead log."""
        return retention.size(self._db)


def _opened(path: Path) -> sqlite3.Connection:
    """Open or make the file; one that is damaged, or of another version, is put aside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in UNREADABLE:
            raise
        put_aside(path, why=str(error))
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.executescript(schema.PRAGMAS)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN; {schema.TABLES} PRAGMA user_version = {schema.VERSION}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def put_aside(path: Path, *, why: str) -> None:
    """Rename a file that cannot be used, with its write-ahead log, and say so; an older one put aside is replaced."""
    for suffix in ("", "-wal"):
        file = Path(f"{path}{suffix}")
        if file.exists():
            file.replace(Path(f"{path}.unusable{suffix}"))
    logger.error("history.put_aside", path=str(path), kept_as=f"{path}.unusable", reason=why)
