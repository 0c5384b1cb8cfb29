"""Which of several addresses of a machine to use: the first healthy one, else the best of those that answer. Pure.

Each server of a redundant set says by its ServiceLevel how good its values are (OPC 10000-4 §6.6.2.4.2): from 200 on
they are whole, below it another one may have better ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HEALTHY = 200
AWAY = -1


@dataclass(slots=True)
class Addresses:
    """The addresses, in the order in which they are tried, and what is known of them in this round."""

    urls: tuple[str, ...]
    at: int = 0
    _levels: dict[int, int] = field(default_factory=dict)  # by place in `urls`

    @property
    def url(self) -> str:
        """The one to use now."""
        return self.urls[self.at]

    def stays(self, level: int) -> bool:
        """Its server said its ServiceLevel: whether to stay there. If not, `url` is another one afterwards."""
        self._levels[self.at] = level
        if level >= HEALTHY or self._best() == self.at:
            self._levels.clear()  # the next round begins when this one is lost
            return True
        self.at = self._best()
        return False

    def leave(self, level: int = AWAY) -> bool:
        """It cannot be reached, or its level fell: try another one; whether there is one."""
        self._levels[self.at] = level
        if len(self._levels) == len(self.urls) and max(self._levels.values()) == AWAY:
            self._levels.clear()
            self.at = (self.at + 1) % len(self.urls)
        else:
            self.at = self._best()
        return len(self.urls) > 1

    def _best(self) -> int:
        """The next one that was not asked in this round; when all were, the one of the highest level."""
        size = len(self.urls)
        unasked = [place % size for place in range(self.at, self.at + size) if place % size not in self._levels]
        return unasked[0] if unasked else max(self._levels, key=lambda place: (self._levels[place], -place))
