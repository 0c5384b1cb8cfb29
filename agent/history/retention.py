"""What the history drops: hours older than their level keeps, and the oldest hours when the file is too large.

Everything before the fact `kept_<width>` (s since 1970 UTC) is gone from a level; it moves only with what is dropped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from itertools import pairwise

import structlog

from agent.history import schema
from agent.history.rollups import NS

logger = structlog.get_logger(__name__)

HOUR_S = schema.WIDTHS_S[-1]
STRIDE_S = 3600  # a longer step of the gateway's clock between two commits is a jump
PACE = 2  # hours that may be dropped in an hour, so that what became old while the agent was away follows
CUT_HOURS = 12  # dropped in one commit because the file is too large


def purge(db: sqlite3.Connection, facts: dict[str, int], *, keep_s: Mapping[int, int], step_s: int) -> None:
    """Drop hours that are older than their level keeps, but not more of them than time has passed.

    step_s: how far the gateway's clock went since the last commit. A clock that is wrong for once says that everything
    is old: a jump drops nothing, and a clock that stays wrong drops two hours each hour.
    """
    if not 0 < step_s <= STRIDE_S:
        return
    facts["due_s"] = min(facts.get("due_s", 0) + PACE * step_s, PACE * HOUR_S)
    now_s = facts["received_ns"] // NS
    while facts["due_s"] >= HOUR_S:
        dropped = [_drop_hour(db, width_s, facts, before_s=now_s - kept_s) for width_s, kept_s in keep_s.items()]
        if not any(dropped):
            return
        facts["due_s"] -= HOUR_S


def cut(db: sqlite3.Connection, facts: dict[str, int], *, quota_bytes: int, was_cut: bool) -> bool:
    """While the file is too large, drop the oldest hour of the finest level that has one; whether it was.

    The pages are used again, so the file stays as large as it became.
    """
    before_s = facts["received_ns"] // NS - HOUR_S
    is_cut = False
    for _ in range(CUT_HOURS):
        if size(db) <= quota_bytes:
            break
        if not any(_drop_hour(db, width_s, facts, before_s=before_s) for width_s in schema.WIDTHS_S):
            break
        is_cut = True
    if is_cut and not was_cut:
        logger.warning("history.shortened", quota_mb=quota_bytes / 1e6)
    return is_cut or was_cut


def size(db: sqlite3.Connection) -> int:
    """Bytes in use, without the journal."""
    pages, free, page = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page)


def _drop_hour(db: sqlite3.Connection, width_s: int, facts: dict[str, int], *, before_s: int) -> bool:
    """Drop the oldest hour of a level if it ended before a time and no coarser window still waits for it."""
    (oldest,) = db.execute(f"SELECT min(place) FROM rollup_{width_s}").fetchone()  # noqa: S608
    if oldest is None:
        return False
    end_s = oldest // schema.BLOCKS // HOUR_S * HOUR_S + HOUR_S
    coarser_s = dict(pairwise(schema.WIDTHS_S)).get(width_s, 0)
    (waiting,) = db.execute("SELECT count(*) FROM stale WHERE width_s = ? AND t_s < ?", (coarser_s, end_s)).fetchone()
    if end_s > before_s or waiting:
        return False
    db.execute(f"DELETE FROM rollup_{width_s} WHERE place < ?", (end_s * schema.BLOCKS,))  # noqa: S608
    facts[f"kept_{width_s}"] = max(end_s, facts.get(f"kept_{width_s}", 0))
    if width_s == HOUR_S:
        db.execute("DELETE FROM text WHERE slot_ns < ?", (end_s * NS,))
    return True
