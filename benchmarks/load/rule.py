"""The load's rule: which value every node has at every tick, so that a sink can check what arrived. Pure.

Values come from one table of noise that does not compress and never repeats for a node within a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kinds = Literal["doubles", "mixed"]
MACHINE_SIGNALS = 20
"""Variables of one machine: node i is signal i % 20 of machine i // 20."""
_NOISE = 1 << 20
_NODE_STEP, _TICK_STEP = 7919, 104_729  # odd, so that the walk through the table is long


@cache
def noise(decimals: int | None = None) -> NDArray[np.float64]:
    """The table: normally distributed around 100, with all their digits or rounded."""
    table = np.random.default_rng(7).normal(100.0, 10.0, _NOISE)
    return table if decimals is None else np.round(table, decimals)


@dataclass(frozen=True, slots=True)
class Rule:
    """`nodes` variables that change every `period_ns`, the first time at `start_ns`."""

    nodes: int
    period_ns: int
    start_ns: int
    kinds: Kinds = "doubles"

    def values(self, tick: int) -> NDArray[np.float64]:
        """(nodes,) what every node has at this tick."""
        return self.expected(np.arange(self.nodes), np.full(self.nodes, tick))

    def expected(self, node: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.float64]:
        """What these nodes have at these ticks, as the double that a database keeps."""
        value: NDArray[np.float64] = noise()[(node * _NODE_STEP + tick * _TICK_STEP) % _NOISE]
        if self.kinds == "mixed":
            kind = node % 4
            value = np.where(kind == 1, value.astype(np.float32), value)
            value = np.where(kind == 2, np.trunc(value * 1000), value)
            value = np.where(kind == 3, value > 100, value)
        return value

    def ticks(self, t_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The ticks that these times belong to, and whether they are exactly times of the rule."""
        tick, rest = np.divmod(t_ns - self.start_ns, self.period_ns)
        return tick, (rest == 0) & (tick >= 0)
