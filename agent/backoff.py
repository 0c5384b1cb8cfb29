"""How long to wait before trying again: by chance, so that a cluster's gateways do not knock in step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable


class Backoff:
    """Delays below a bound that doubles from `first_s` to `most_s`, each drawn evenly between a fifth of it and it.

    Source: "Exponential Backoff and Jitter", full jitter; but many short delays in a row would be a storm.
    """

    def __init__(
        self, *, first_s: float = 1.0, most_s: float = 60.0, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._uniform = uniform
        self._tries = 0

    def reset(self) -> None:
        """Start again from the shortest delay; called when something worked."""
        self._tries = 0

    def next_s(self) -> float:
        """The next delay, in seconds."""
        bound = min(self._most_s, self._first_s * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return self._uniform(bound / 5, bound)

    async def pause(self, *, at_least_s: float = 0.0) -> None:
        """Wait for the next delay, or longer where the other side asked for it."""
        await asyncio.sleep(max(at_least_s, self.next_s()))
