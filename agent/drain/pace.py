"""How fast to send what waited: as fast as the server takes it, slower after a sign of trouble. Pure but for chance,
which is given.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

FIRST_PER_S = 20_000.0  # after an outage of the server
LEAST_PER_S = 1_000.0
_REGAIN_S = 60.0  # from nothing to the limit by small steps, so 30 s from a half


class Pace:
    """Points a second: doubled by each answer, halved by each trouble.

    The pace at which trouble came is the limit: from a half of it on, small steps lead there, and beyond it the pace
    doubles again, for the trouble may be over.
    Source: TCP's slow start, additive increase and multiplicative decrease; 429, 503 and time-outs are the signs.
    """

    def __init__(
        self,
        *,
        most_per_s: float = math.inf,
        begin_within_s: float = 0.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.per_s = self._most_per_s = most_per_s
        self._begin_within_s = begin_within_s
        self._uniform = uniform
        self._limit_per_s = 0.0
        self._taken_per_s = math.inf  # by the last answer
        self._is_troubled = False
        self._free_at = 0.0  # seconds of the caller's clock at which everything taken so far is paid

    def begin_s(self) -> float:
        """How long to wait after an outage of the server: by chance, so that a cluster's gateways do not begin
        together; and begin slowly.
        """
        self.per_s = min(self._most_per_s, FIRST_PER_S)
        return self._uniform(0.0, self._begin_within_s)

    def take_s(self, points: int, now_s: float) -> float:
        """Spend points; how long to wait before they may go, in seconds."""
        wait_s = max(0.0, self._free_at - now_s)
        self._free_at = now_s + wait_s + points / self.per_s
        return wait_s

    def slower(self) -> None:
        """The server has enough. Refusals in a row are one trouble."""
        if not self._is_troubled:
            self._is_troubled = True
            self._limit_per_s = min(self.per_s, self._taken_per_s)
            self._set(max(LEAST_PER_S, self._limit_per_s / 2))

    def faster(self, points: int, took_s: float) -> None:
        """The server took points within so many seconds."""
        self._is_troubled = False
        self._taken_per_s = points / max(took_s, 1e-9)
        half = self._limit_per_s / 2
        if self.per_s < half:
            self._set(min(2 * self.per_s, half))
        elif self.per_s < self._limit_per_s:
            self._set(self.per_s + self._limit_per_s * (points / self.per_s) / _REGAIN_S)
        else:
            self._set(2 * self.per_s)

    def _set(self, per_s: float) -> None:
        self.per_s = min(self._most_per_s, per_s)
