"""Which message of a subscription comes next, and how many are missing (OPC 10000-4 §5.14.1.1 and §7.26). Pure.

Only messages with data advance the number. A keep-alive names the number that the next message with data will have:
asyncua takes it for one that has come, and then never notices the message that was lost before it.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as Ordered
from dataclasses import dataclass, field

WRAP = 0xFFFF_FFFF  # the number after this one is 1


def missing_and_kept(number: int, missing: int, available: Collection[int]) -> list[int]:
    """Of the `missing` numbers before `number` those that the server still has, oldest first."""
    behind = {one: (number - one) % WRAP for one in available}
    return sorted((one for one, far in behind.items() if 0 < far <= missing), key=lambda one: -behind[one])


class Sequence:
    """The numbers of one subscription, in order of arrival."""

    def __init__(self) -> None:
        self._next = 1

    def were_heard(self, numbers: Ordered[int]) -> list[int]:
        """Those that came already."""
        return [one for one in numbers if self._ahead(one) is None]

    def came(self, number: int) -> int:
        """A message with data came; how many before it are missing. 0 for one that was sent again, or after a reset."""
        missing = self._ahead(number)
        if missing is not None:
            self._next = 1 if number == WRAP else number + 1
        return missing or 0

    def kept_alive(self, number: int) -> int:
        """A keep-alive came; how many messages with data are missing before it."""
        missing = self._ahead(number)
        if missing:
            self._next = number
        return missing or 0

    def _ahead(self, number: int) -> int | None:
        """How far beyond the expected number it is; None for an older one."""
        distance = (number - self._next) % WRAP
        return distance if distance < WRAP // 2 else None


@dataclass(slots=True)
class Talk:
    """How far the messages of one subscription were heard; it outlives a connection that was cut."""

    sequence: Sequence = field(default_factory=Sequence)
    undelivered: set[int] = field(default_factory=set)  # numbers that were missed, or heard and not yet durable
    is_stale: bool = False  # the connection was cut: what is undelivered has to be asked for again
