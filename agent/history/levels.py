"""The levels on disk: a row for each window and block of series; coarser windows are computed from finer ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agent.history.blocks import SIZE, pack, pick, thinned, unpack
from agent.history.rollups import Rows, united
from agent.history.schema import BLOCKS, WIDTHS_S

FOLDS = 120  # windows computed in one commit, so that a backfill of days does not make one commit take minutes
AT_ONCE = 32  # blocks of a window that are in memory at once while it is computed; 3 MB


def add(db: sqlite3.Connection, width_s: int, t_s: int, rows: Rows, *, is_counter: NDArray[np.bool_]) -> None:
    """Put rows into a window; a row that is there already becomes the union of both. is_counter: by series."""
    blocks = np.unique(rows.series // SIZE).tolist()
    wanted = set(blocks)
    held = [one for one in _blocks(db, width_s, t_s, blocks[0], blocks[-1] + 1) if one[0] in wanted]
    _put(db, width_s, t_s, united([unpack(held), rows], is_counter=is_counter) if held else rows, is_counter)


def mark(db: sqlite3.Connection, width_s: int, windows_s: Iterable[int]) -> None:
    """Say that windows of a level have changed: the next level has to be computed again."""
    coarser_s = dict(pairwise(WIDTHS_S)).get(width_s)
    if coarser_s is not None:
        changed = {(coarser_s, t_s // coarser_s * coarser_s) for t_s in windows_s}
        db.executemany("INSERT OR IGNORE INTO stale VALUES (?, ?)", changed)


def fold(db: sqlite3.Connection, now_s: int, *, is_counter: NDArray[np.bool_]) -> None:
    """Compute the coarser windows that are over and have changed. is_counter: by series."""
    for finer_s, width_s in pairwise(WIDTHS_S):
        over = db.execute(
            "SELECT t_s FROM stale WHERE width_s = ? AND t_s + width_s <= ? ORDER BY t_s LIMIT ?",
            (width_s, now_s, FOLDS),
        ).fetchall()
        for (t_s,) in over:
            for block in range(0, -(-len(is_counter) // SIZE), AT_ONCE):
                parts = [
                    _later(unpack(found), (finer_t_s - t_s) * 1000)
                    for finer_t_s in range(t_s, t_s + width_s, finer_s)
                    if (found := _blocks(db, finer_s, finer_t_s, block, block + AT_ONCE))
                ]
                if parts:
                    _put(db, width_s, t_s, united(parts, is_counter=is_counter), is_counter)
            db.execute("DELETE FROM stale WHERE width_s = ? AND t_s = ?", (width_s, t_s))
        mark(db, width_s, (t_s for (t_s,) in over))


def read(
    db: sqlite3.Connection, width_s: int, from_s: int, to_s: int, *, block: int, slots: Sequence[int]
) -> list[Rows]:
    """For each slot of a block its rows from `from_s` up to but without `to_s`, by the number of their window."""
    found = db.execute(
        f"WITH RECURSIVE slot(t) AS (SELECT :from_s UNION ALL SELECT t + {width_s} FROM slot"  # noqa: S608
        f" WHERE t + {width_s} < :to_s) SELECT (t - :from_s) / {width_s}, rows"
        f" FROM slot CROSS JOIN rollup_{width_s} ON place = t * {BLOCKS} + :block",
        {"from_s": from_s, "to_s": to_s, "block": block},
    )
    return pick(found.fetchall(), slots)


def _blocks(db: sqlite3.Connection, width_s: int, t_s: int, begin: int, end: int) -> list[tuple[int, bytes]]:
    return db.execute(
        f"SELECT place - :place, rows FROM rollup_{width_s} WHERE place >= :place + :begin AND place < :place + :end",  # noqa: S608
        {"place": t_s * BLOCKS, "begin": begin, "end": end},
    ).fetchall()


def _later(rows: Rows, by_ms: int) -> Rows:
    return replace(rows, first_ms=rows.first_ms + by_ms, last_ms=rows.last_ms + by_ms)


def _put(db: sqlite3.Connection, width_s: int, t_s: int, rows: Rows, is_counter: NDArray[np.bool_]) -> None:
    packed = ((t_s * BLOCKS + block, held) for block, held in pack(thinned(rows, is_counter)))
    db.executemany(f"INSERT OR REPLACE INTO rollup_{width_s} VALUES (?, ?)", packed)  # noqa: S608
