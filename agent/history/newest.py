"""The last known value of every series, and since when a state holds: what the page shows before new data comes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import zstandard
from numpy.typing import NDArray

from agent.history.blocks import SIZE
from agent.history.rollups import NS, Numbers
from collectors.points import Times, Values

AHEAD_NS = 300 * NS  # a time further ahead of the gateway's is of a wrong clock, not the newest

_compress = zstandard.ZstdCompressor(level=-1, write_checksum=False).compress


class Newest:
    """Columns by series; t_ns is 0 where nothing is known."""

    def __init__(self) -> None:
        self.value: Values = np.zeros(0)
        self.t_ns: Times = np.zeros(0, np.int64)
        self.since_ns: Times = np.zeros(0, np.int64)
        self._changed: set[int] = set()  # blocks

    def grow(self, size: int) -> None:
        """Have room for so many series, in whole blocks."""
        more = max(-(-size // SIZE) * SIZE - len(self.t_ns), 0)
        self.value = np.append(self.value, np.zeros(more))
        self.t_ns, self.since_ns = (np.append(old, np.zeros(more, np.int64)) for old in (self.t_ns, self.since_ns))

    def take(
        self, series: Numbers, t_ns: Times, value: Values, *, is_state: NDArray[np.bool_], received_ns: int
    ) -> None:
        """Good points, in any order. is_state: by series."""
        self.t_ns[self.t_ns > received_ns + AHEAD_NS] = 0
        self._hold_since(np.flatnonzero(is_state[series]), series, t_ns, value)
        np.maximum.at(self.t_ns, series, t_ns)
        rows = np.flatnonzero(t_ns == self.t_ns[series])
        self.value[series[rows]] = value[rows]
        self._changed.update(np.unique(series[rows] // SIZE).tolist())

    def _hold_since(self, rows: Numbers, series: Numbers, t_ns: Times, value: Values) -> None:
        rows = rows[t_ns[rows] >= self.t_ns[series[rows]]]
        rows = rows[np.lexsort((t_ns[rows], series[rows]))]
        if len(rows):
            of, values = series[rows], value[rows]
            known = np.where(self.t_ns[of] > 0, self.value[of], np.nan)
            begins = np.append(True, of[1:] != of[:-1])
            changes = rows[values != np.where(begins, known, np.append(np.nan, values[:-1]))]
            self.since_ns[series[changes]] = t_ns[changes]  # ascending: the last change stays

    def changed(self) -> Iterator[tuple[int, bytes]]:
        """The blocks that have to be written."""
        for block in sorted(self._changed):
            part = slice(block * SIZE, (block + 1) * SIZE)
            columns = np.stack([each[part].view(np.uint8) for each in (self.value, self.t_ns, self.since_ns)])
            yield block, _compress(columns.reshape(3, SIZE, 8).transpose(0, 2, 1).tobytes())

    def written(self) -> None:
        """What was changed is on disk."""
        self._changed.clear()

    def lost(self) -> None:
        """Nothing is on disk."""
        self._changed.update(range(len(self.t_ns) // SIZE))

    def restore(self, block: int, held: bytes) -> None:
        """A block, as it was written."""
        self.grow((block + 1) * SIZE)
        part = slice(block * SIZE, (block + 1) * SIZE)
        planes = np.frombuffer(zstandard.decompress(held), np.uint8).reshape(3, 8, SIZE)
        raw = np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(3, -1)
        self.value[part] = raw[0].view(np.float64)
        self.t_ns[part], self.since_ns[part] = raw[1].view(np.int64), raw[2].view(np.int64)
