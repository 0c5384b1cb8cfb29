"""What a server declares about the configured variables, as far as it was asked. Pure.

It holds until the server is started anew. `declared` asks for it; `shape` uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from collectors.opcua.structures import Structure
from collectors.points import Values

Names = Mapping[int, str]


@dataclass(slots=True)
class Facts:
    """By tag: the unit, the range, the names of the numbers of an enumeration. And the types of structures.

    low, high: (tags,) in the server's own unit, NaN where the server names none.
    """

    low: Values
    high: Values
    units: dict[int, str] = field(default_factory=dict)  # "" where the server was asked and names none
    names: dict[int, Names] = field(default_factory=dict)
    structures: dict[tuple[int, object], Structure] = field(default_factory=dict)
    troubles: dict[int, str] = field(default_factory=dict)  # why the values of a tag cannot be read, for people
    asked: set[int] = field(default_factory=set)
    has_ranges: bool = False
    of: str = ""  # the start of the server that said so

    @classmethod
    def none(cls, tags: int) -> Facts:
        """Nothing is known of so many tags."""
        return cls(low=np.full(tags, np.nan), high=np.full(tags, np.nan))

    def limit(self, tag: int, low: float, high: float) -> None:
        """Take a range, unless it is none: servers say 0..0, swapped or infinite ones where they know nothing."""
        if np.isfinite(low) and np.isfinite(high) and low < high:
            self.low[tag], self.high[tag] = low, high
            self.has_ranges = True

    def forget(self, tag: int) -> None:
        """What is declared of a tag may have changed: a node that went away can come back as another one."""
        self.asked.discard(tag)
        self.low[tag] = self.high[tag] = np.nan
        for known in (self.units, self.names, self.troubles):
            known.pop(tag, None)
