"""The tables of the history file, and the one place where two rows of a window become one."""

from __future__ import annotations

WIDTHS_S = (10, 60, 900, 3600)
"""The levels, finest first; each is a multiple of the one before."""

VERSION = 1

PRAGMAS = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = 8388608;
PRAGMA cache_size = -4096;
"""

COLUMNS = "t_s, series, n, bad_n, low, high, total, first, last, first_ns, last_ns"

_ROLLUP = """
CREATE TABLE IF NOT EXISTS rollup_{width} (
    t_s INTEGER, series INTEGER, n INTEGER, bad_n INTEGER, low REAL, high REAL, total REAL, first REAL, last REAL,
    first_ns INTEGER, last_ns INTEGER, PRIMARY KEY (t_s, series)
) WITHOUT ROWID;
"""

TABLES = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, plant TEXT, area TEXT, line TEXT, machine TEXT, signal TEXT, unit TEXT, kind TEXT
);
CREATE TABLE IF NOT EXISTS text (
    slot_ns INTEGER, series INTEGER, t_ns INTEGER, text TEXT, PRIMARY KEY (slot_ns, series)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stale (width_s INTEGER, t_s INTEGER, PRIMARY KEY (width_s, t_s)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (source TEXT PRIMARY KEY, points INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
""" + "".join(_ROLLUP.format(width=width) for width in WIDTHS_S)

_MERGE = """
ON CONFLICT (t_s, series) DO UPDATE SET
    first = CASE WHEN excluded.n > 0 AND (n = 0 OR excluded.first_ns < first_ns) THEN excluded.first ELSE first END,
    first_ns = CASE WHEN excluded.n > 0 AND (n = 0 OR excluded.first_ns < first_ns) THEN excluded.first_ns
        ELSE first_ns END,
    last = CASE WHEN excluded.n > 0 AND (n = 0 OR excluded.last_ns >= last_ns) THEN excluded.last ELSE last END,
    last_ns = CASE WHEN excluded.n > 0 AND (n = 0 OR excluded.last_ns >= last_ns) THEN excluded.last_ns
        ELSE last_ns END,
    low = min(ifnull(low, excluded.low), ifnull(excluded.low, low)),
    high = max(ifnull(high, excluded.high), ifnull(excluded.high, high)),
    total = total + excluded.total, n = n + excluded.n, bad_n = bad_n + excluded.bad_n
"""

ADD_TEXT = """
INSERT INTO text (slot_ns, series, t_ns, text) VALUES (?, ?, ?, ?) ON CONFLICT (slot_ns, series)
DO UPDATE SET t_ns = excluded.t_ns, text = excluded.text WHERE excluded.t_ns >= t_ns
"""


def add_rows(width_s: int) -> str:
    """Put rows into a level; a row that is there already becomes the union of both."""
    return f"INSERT INTO rollup_{width_s} ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?) {_MERGE}"  # noqa: S608


def fold(width_s: int, finer_s: int) -> str:
    """Compute the window (:t_s) of one level from the rows of the finer one."""
    rest = COLUMNS.removeprefix("t_s, ")
    return (
        f"INSERT INTO rollup_{width_s} ({COLUMNS}) SELECT :t_s, {rest} FROM rollup_{finer_s}"  # noqa: S608
        f" WHERE t_s >= :t_s AND t_s < :t_s + {width_s} ORDER BY t_s {_MERGE}"
    )


def read_rows(width_s: int) -> str:
    """The rows of one series (:series) of a level from :from_s up to but without :to_s: one seek for each window."""
    return (
        f"WITH RECURSIVE slot(t) AS (SELECT :from_s UNION ALL SELECT t + {width_s} FROM slot"  # noqa: S608
        f" WHERE t + {width_s} < :to_s) SELECT t_s, n, low, high, total, first, last"
        f" FROM slot CROSS JOIN rollup_{width_s} AS r ON r.t_s = slot.t AND r.series = :series WHERE n > 0"
    )


def newest_rows(width_s: int) -> str:
    """The last good row of each series from :from_s to :to_s: series, value, its time."""
    return (
        f"SELECT series, last, last_ns, max(t_s) FROM rollup_{width_s}"  # noqa: S608
        " WHERE t_s >= :from_s AND t_s <= :to_s AND n > 0 GROUP BY series"
    )


NEWEST_TEXTS = """
SELECT series, text, t_ns, max(slot_ns) FROM text WHERE slot_ns >= ?
AND series NOT IN (SELECT id FROM series WHERE kind = 'event') GROUP BY series
"""

NEWEST_EVENTS = """
SELECT series, text, t_ns FROM text WHERE series IN (SELECT id FROM series WHERE kind = 'event')
ORDER BY slot_ns DESC LIMIT ?
"""


def pieces(from_s: int, to_s: int, *, width_s: int, now_s: int) -> list[tuple[int, int, int]]:
    """Which level answers which part of a range: (width_s, from_s, to_s), oldest first.

    A level is complete up to the start of its current window; the finer ones answer for the rest.
    """
    parts: list[tuple[int, int, int]] = []
    start = from_s // width_s * width_s
    for width in reversed([w for w in WIDTHS_S if w <= width_s]):
        end = to_s if width == WIDTHS_S[0] else min(to_s, now_s // width * width)
        if start < end:
            parts.append((width, start, end))
            start = end
    return parts
