"""How fast to send what waited: a budget of points a second that shrinks when the server has enough. Pure but for
chance, which is given.
"""

from __future__ import annotations

import random
from collections.abc import Callable

_LEAST_SHARE = 1 / 64
_STEPS = 32  # of equal size from nothing to the most


class Pace:
    """Points a second: halved by each sign of trouble, and by small steps up to `most_per_s` again.

    Source: additive increase, multiplicative decrease, as TCP does it; 429 and 503 are the signs.
    """

    def __init__(
        self,
        *,
        most_per_s: float,
        begin_within_s: float = 0.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.per_s = self._most_per_s = most_per_s
        self._begin_within_s = begin_within_s
        self._uniform = uniform
        self._free_at = 0.0  # seconds of the caller's clock at which everything taken so far is paid

    def begin_s(self) -> float:
        """How long to wait before the first of it: by chance, so that a cluster's gateways do not begin together."""
        return self._uniform(0.0, self._begin_within_s)

    def take_s(self, points: int, now_s: float) -> float:
        """Spend points; how long to wait before they may go, in seconds."""
        wait_s = max(0.0, self._free_at - now_s)
        self._free_at = now_s + wait_s + points / self.per_s
        return wait_s

    def slower(self) -> None:
        """The server has enough."""
        self.per_s = max(self._most_per_s * _LEAST_SHARE, self.per_s / 2)

    def faster(self) -> None:
        """The server took it."""
        self.per_s = min(self._most_per_s, self.per_s + self._most_per_s / _STEPS)
