"""The tables of the history file."""

from __future__ import annotations

WIDTHS_S = (10, 60, 900, 3600)
"""The levels, finest first; each is a multiple of the one before."""

VERSION = 2

PRAGMAS = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = PERSIST;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = 1048576;
PRAGMA cache_size = -2048;
"""

BLOCKS = 1 << 16  # a row's place is t_s * BLOCKS + block: by window, and the blocks of a window side by side

TABLES = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, plant TEXT, area TEXT, line TEXT, machine TEXT, signal TEXT, unit TEXT, kind TEXT
);
CREATE TABLE IF NOT EXISTS newest (block INTEGER PRIMARY KEY, held BLOB);
CREATE TABLE IF NOT EXISTS text (
    slot_ns INTEGER, series INTEGER, t_ns INTEGER, text TEXT, PRIMARY KEY (slot_ns, series)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stale (width_s INTEGER, t_s INTEGER, PRIMARY KEY (width_s, t_s)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (source TEXT PRIMARY KEY, points INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
""" + "".join(
    f"CREATE TABLE IF NOT EXISTS rollup_{width} (place INTEGER PRIMARY KEY, rows BLOB);" for width in WIDTHS_S
)

ADD_TEXT = """
INSERT INTO text (slot_ns, series, t_ns, text) VALUES (?, ?, ?, ?) ON CONFLICT (slot_ns, series)
DO UPDATE SET t_ns = excluded.t_ns, text = excluded.text WHERE excluded.t_ns >= t_ns
"""

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
