"""A disk that refuses: what an error number means, and how often one may be borne."""

from __future__ import annotations

import errno
from collections import deque

import structlog

from agent.store.clocks import Clocks

logger = structlog.get_logger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)
FAILURES_BORNE = 3
FAILURES_WITHIN_S = 600.0


class Held(Exception):
    """The disk refuses. Nothing is lost, nothing is acknowledged; `flush` may be called again."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


class Refusals:
    """The failures of the last ten minutes; a commit that succeeds forgives them all."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._failures: deque[float] = deque()  # monotonic seconds

    def forgive(self) -> None:
        """The disk takes again."""
        self._failures.clear()

    def bear(self, error: OSError) -> None:
        """Return if another file may be tried; raises Held if not."""
        if error.errno in FULL:
            raise Held("full", f"the disk is full; free some space. ({error})") from error
        if error.errno == errno.EROFS:
            raise Held("read_only", f"the disk has become read-only; see dmesg, check the disk. ({error})") from error
        now = self._clocks.monotonic()
        self._failures.append(now)
        while self._failures[0] < now - FAILURES_WITHIN_S:
            self._failures.popleft()
        logger.error("segment.abandoned", error=str(error), failures=len(self._failures))
        if len(self._failures) >= FAILURES_BORNE:
            raise Held("read_only", f"the disk fails; see dmesg, replace it. ({error})") from error
