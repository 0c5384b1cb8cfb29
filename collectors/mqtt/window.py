"""How many messages wait for their acknowledgement, and how many the broker will let wait, pure.

A broker stops sending when its window is full. MQTT 5 tells it our limit, but it may keep to a smaller one of its own,
and 3.1.1 says nothing at all (mosquitto: 20). So the window is learnt: it is at least as large as the most messages
that ever waited.
"""

from __future__ import annotations

USUAL_WINDOW = 20


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
    def is_half_full(self) -> bool:
        """Whether the disk should not linger: the broker may soon have to stop."""
        return self.waiting * 2 >= self._known

    @property
    def is_full(self) -> bool:
        """Whether the broker, as far as we know, now waits for us."""
        return self.waiting >= self._known
