"""A sink that fails by its own defect: when to give up on what it fails at, and which entry that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agent.sink import Entry, Retry, Sink


class Patience(NamedTuple):
    """How often, and over how many seconds, a sink may fail at the same entries before one of them is looked for."""

    times: int
    at_least_s: float


PATIENCE = Patience(times=5, at_least_s=60.0)


class Defects:
    """The defects that one try to write some entries has met."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._times = 0
        self._began_s = 0.0
        self.is_hopeless = False

    def note(self, now_s: float) -> bool:
        """One more; whether it is the first, which belongs in the journal."""
        self._began_s = self._began_s if self._times else now_s
        self._times += 1
        self.is_hopeless = self._times >= self._patience.times and now_s - self._began_s >= self._patience.at_least_s
        return self._times == 1


async def divided(sink: Sink, entries: Sequence[Entry], state: bytes) -> tuple[bytes, list[Entry]] | None:
    """Write by halves: the state after it, and the entries alone at which the sink fails by a defect.

    None where they are not to blame: the sink fails at each one of several, or holds everything (Retry) meanwhile.
    Nothing is lost by it, for a sink may be given entries again.
    """
    hopeless: list[Entry] = []
    waiting = [entries]
    while waiting:
        part = waiting.pop()
        try:
            state = await sink.write(part)
        except Retry:
            return None
        except Exception:
            half = len(part) // 2
            if half:
                waiting += [part[half:], part[:half]]  # the first half is next
            else:
                hopeless += part
    return None if len(hopeless) == len(entries) > 1 else (state, hopeless)
