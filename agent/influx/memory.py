"""What is known of the series' last qualities, and what was told out of turn: the state that a cursor keeps. Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.influx.again import Told, latest, pack, unpack

Digests = NDArray[np.uint32]
"""CRC-32 of series' names, ascending."""

_NONE: Digests = np.zeros(0, dtype=np.uint32)
_PARTIAL, _WITH_TOLD = struct.Struct("<BI"), struct.Struct("<BiI")


class Memory(NamedTuple):
    """Which series were last seen not Good, and which Good.

    bad: last seen not Good.     good: last seen Good; None where that is every other one.
    again: what was told out of turn and is to be told again.

    Two series that share a digest cost one `_quality` of 0 too many, never one too few.
    """

    bad: Digests = _NONE
    good: Digests | None = None
    again: tuple[Told, ...] = ()

    @classmethod
    def unpack(cls, raw: bytes) -> Memory:
        """From its packed form."""
        if len(raw) % 4 == 0:
            return cls(np.frombuffer(raw, dtype="<u4"))
        if raw[0] == 2:
            _, good, bad = _WITH_TOLD.unpack_from(raw)
            known = np.frombuffer(raw, dtype="<u4", offset=_WITH_TOLD.size, count=max(good, 0) + bad)
            told = unpack(raw[_WITH_TOLD.size + known.nbytes :])
            return cls(known[max(good, 0) :], None if good < 0 else known[:good], told)
        _, count = _PARTIAL.unpack_from(raw)
        known = np.frombuffer(raw, dtype="<u4", offset=_PARTIAL.size)
        return cls(known[count:], known[:count])

    def pack(self) -> bytes:
        """Four bytes for each series that is known; nothing at all where every one is Good."""
        known = (_NONE if self.good is None else self.good).astype("<u4").tobytes() + self.bad.astype("<u4").tobytes()
        if self.again:
            head = _WITH_TOLD.pack(2, -1 if self.good is None else len(self.good), len(self.bad))
            return head + known + pack(self.again)
        return known if self.good is None else _PARTIAL.pack(1, len(self.good)) + known

    def is_good(self, digests: Digests) -> NDArray[np.bool_]:
        """Of which series no quality needs to be told while it stays Good."""
        if self.good is not None:
            return np.isin(digests, self.good)
        return np.isin(digests, self.bad, invert=True) if len(self.bad) else np.ones(len(digests), dtype=np.bool_)

    def after(self, *, good: Digests, bad: Digests) -> Memory:
        """The memory after these were seen."""
        if self.good is None and not len(self.bad) and not len(bad):
            return self  # all is well, and nothing needs sorting
        kept = np.union1d(np.setdiff1d(self.bad, good), bad)
        return self._replace(
            bad=kept, good=None if self.good is None else np.union1d(np.setdiff1d(self.good, bad), good)
        )

    def having_told(self, told: tuple[Told, ...]) -> Memory:
        """The memory after these were told: in turn, after all that was to be told again; or out of turn."""
        if self.good is None:
            return self._replace(again=()) if self.again else self
        return self._replace(again=latest((*self.again, *told))) if told else self

    def joined(self, newer: Memory) -> Memory:
        """What both know together; where they differ, the newer one is right."""
        known = newer if newer.good is None else self.after(good=newer.good, bad=newer.bad)
        told = latest((*self.again, *newer.again))
        return known._replace(again=told) if told else known


UNKNOWN = Memory(good=_NONE)
"""The memory in the middle of the log: the first Good value of every series tells its quality, whatever it was."""
