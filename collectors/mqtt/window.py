"""How many messages wait for their acknowledgement, and how many the broker will let wait, pure.

A broker stops sending when its window is full. MQTT 5 tells it our limit, but it may keep to a smaller one of its own,
and 3.1.1 says nothing at all (mosquitto: 20). So the window is learnt: it is at least as large as the most messages
that ever waited.
"""

from __future__ import annotations

USUAL_WINDOW = 20
LONGEST_REST_S = 0.1
"""Pause after a read that found little: a wake-up costs more than its messages."""


class Window:
    """Counts messages of QoS 1 and 2 between arrival and acknowledgement."""

    def __init__(self, limit: int) -> None:
        """limit: the receive-maximum that we gave the broker."""
        self._limit = limit
        self._known = min(USUAL_WINDOW, limit)
        self.waiting = 0

    def arrived(self, count: int) -> None:
        """So many came."""
        self.waiting += count
        self._known = min(self._limit, max(self._known, self.waiting))

    def acknowledged(self, count: int) -> None:
        """So many were acknowledged."""
        self.waiting -= count

    @property
    def is_urgent(self) -> bool:
        """Whether the disk should not linger, because the broker may soon have to stop.

        Where our own limit is the window, from half of it on, so that disk and network work at the same time. Where a
        smaller one is all that we have seen, not before it is full: only what comes beyond shows that it is larger.
        """
        return self.waiting >= (self._limit / 2 if self._known == self._limit else self._known)

    @property
    def is_full(self) -> bool:
        """Whether the broker, as far as we know, now waits for us."""
        return self.waiting >= self._known

    def rest_s(self, count: int, elapsed_s: float) -> float:
        """How long not to read after so many came in that time: while half of what the broker may still send comes."""
        room = max(self._known - self.waiting, 0)
        return min(LONGEST_REST_S, elapsed_s * room / (2 * count)) if count else LONGEST_REST_S
