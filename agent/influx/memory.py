"""What is known of the series' last qualities: the state that a cursor keeps for the sink. Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Digests = NDArray[np.uint32]
"""CRC-32 of series' names, ascending."""

_NONE: Digests = np.zeros(0, dtype=np.uint32)
_PARTIAL = struct.Struct("<BI")


class Memory(NamedTuple):
    """Which series were last seen not Good, and which Good.

    bad: last seen not Good.     good: last seen Good; None where that is every other one.

    Two series that share a digest cost one `_quality` of 0 too many, never one too few.
    """

    bad: Digests = _NONE
    good: Digests | None = None

    @classmethod
    def unpack(cls, raw: bytes) -> Memory:
        """From its packed form."""
        if len(raw) % 4 == 0:
            return cls(np.frombuffer(raw, dtype="<u4"))
        _, count = _PARTIAL.unpack_from(raw)
        known = np.frombuffer(raw, dtype="<u4", offset=_PARTIAL.size)
        return cls(known[count:], known[:count])

    def pack(self) -> bytes:
        """Four bytes for each series that is known; nothing at all where every one is Good."""
        if self.good is None:
            return self.bad.astype("<u4").tobytes()
        head = _PARTIAL.pack(1, len(self.good))
        return head + self.good.astype("<u4").tobytes() + self.bad.astype("<u4").tobytes()

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
        return Memory(kept, None if self.good is None else np.union1d(np.setdiff1d(self.good, bad), good))

    def joined(self, newer: Memory) -> Memory:
        """What both know together; where they differ, the newer one is right."""
        return newer if newer.good is None else self.after(good=newer.good, bad=newer.bad)


UNKNOWN = Memory(good=_NONE)
"""The memory in the middle of the log: the first Good value of every series tells its quality, whatever it was."""
