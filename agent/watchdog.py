"""Says "alive" to systemd only while values really reach the disk, so that a stuck agent is restarted.

A timer alone would go on ticking beside a dead writer. The heartbeat goes through the log each second, so commits stop
only where something is stuck. What no restart can mend is no reason to withhold: a full disk, a server that is away, a
source that is silent. Those are said on the page, by /readyz and in /metrics.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import structlog

from agent.status import Board
from agent.systemd import notify, watchdog_interval_s

logger = structlog.get_logger(__name__)

STATUS_EVERY_S = 10.0
STALLED_AFTER_S = 40.0  # four times what the log lets a heartbeat wait for company


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the decision is made from, in seconds."""

    loop_lag_s: float  # how late the newest heartbeat was
    commit_age_s: float  # since the log's writer last committed anything
    disk_refuses: bool  # the log says so itself: full, read-only, failed


def stall(vitals: Vitals, *, limit_s: float = STALLED_AFTER_S) -> str:
    """Why the agent makes no progress though it could; empty while it does."""
    if vitals.loop_lag_s > limit_s:
        return f"the event loop was blocked for {vitals.loop_lag_s:.0f} s"
    if vitals.disk_refuses:
        return ""
    if vitals.commit_age_s > limit_s:
        return f"the log has committed nothing for {vitals.commit_age_s:.0f} s, and its disk does not refuse"
    return ""


def summary(board: Board) -> str:
    """The agent in one line, for `systemctl status`."""
    log = board.log()
    connected = sum(status.state == "connected" for status in board.sources.values())
    parts = [
        f"{connected} of {len(board.sources)} sources connected",
        f"{log.get('points', 0)} points durable",
        *(f"{name} {sink.state}, {sink.pending_points} waiting" for name, sink in board.sinks.items()),
    ]
    if log.get("state", "ok") != "ok":
        parts.append(f"disk {log['state']}: {log.get('reason', '')}")
    return "; ".join(parts)


class Watch:
    """Turns the board's counters into ages. Counters and not times are compared: the wall clock may step."""

    def __init__(self, board: Board, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._clock = clock
        self._commits: object = None
        self._commits_changed_s = clock()

    def vitals(self) -> Vitals:
        """Look at the board once; the commit age grows from the last look that saw a new commit."""
        now_s = self._clock()
        log = self._board.log()
        if log.get("commits") != self._commits:
            self._commits, self._commits_changed_s = log.get("commits"), now_s
        return Vitals(
            loop_lag_s=self._board.loop_lag_s,
            commit_age_s=now_s - self._commits_changed_s,
            disk_refuses=log.get("state", "ok") != "ok",
        )


async def keep_watchdog(board: Board, *, tell: Callable[..., bool] = notify) -> NoReturn:
    """Tell systemd the status, and that the agent lives, for as long as it does."""
    watch = Watch(board)
    interval_s = watchdog_interval_s() or STATUS_EVERY_S
    withheld = ""
    while True:
        reason = stall(watch.vitals())
        if reason and not withheld:
            logger.error("watchdog.withheld", reason=reason)
        withheld = reason
        alive = [] if reason else ["WATCHDOG=1"]
        tell(*alive, f"STATUS={reason or summary(board)}")
        await asyncio.sleep(min(interval_s, STATUS_EVERY_S))
