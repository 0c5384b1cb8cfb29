"""Which number stands for which series, for the life of the store. No file is touched here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from collectors.points import Indexes, Series

MAPPINGS_KEPT = 64
_LOST = Series("", "", "", "", "")


class Catalogue:
    """All series the store has ever seen, in the order of their ids.

    `series` is the same tuple until a new one appears; batches that are read back carry it. An id whose declaration
    was lost twice is a hole, not `is_known`, and no other series ever gets it.
    """

    def __init__(self) -> None:
        self.series: tuple[Series, ...] = ()
        self.is_text: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.is_replaced: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.is_known: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._ids: dict[Series, int] = {}
        self._mappings: dict[int, tuple[tuple[Series, ...], Indexes]] = {}

    def __len__(self) -> int:
        return len(self.series)

    def ids(self, table: Sequence[Series]) -> Indexes:
        """The ids of a batch's series table, in its order; series that are new get the next ones.

        Cached by the identity of the table, which is why sources keep the same tuple from batch to batch.
        """
        cached = self._mappings.get(id(table))
        if cached is not None and cached[0] is table:
            return cached[1]
        new = [series for series in dict.fromkeys(table) if series not in self._ids]
        self.learn(enumerate(new, start=len(self)))
        mapping = np.array([self._ids[series] for series in table], dtype=np.uint32)
        if isinstance(table, tuple):
            if len(self._mappings) >= MAPPINGS_KEPT:
                del self._mappings[next(iter(self._mappings))]
            self._mappings[id(table)] = (table, mapping)
        return mapping

    def find(self, series: Series) -> int | None:
        """The id of one series; None if the store has never seen it."""
        return self._ids.get(series)

    def learn(self, declared: Iterable[tuple[int, Series]]) -> None:
        """Take over ids that are given already; what is known already stays as it is."""
        known = list(self.series)
        for number, series in declared:
            known.extend([_LOST] * (number + 1 - len(known)))
            if known[number] is _LOST and series not in self._ids:
                known[number] = series
                self._ids[series] = number
        if known != list(self.series):
            self._publish(known)

    def skip_to(self, count: int) -> None:
        """Never give an id below `count`: the store knew that many, even if some declarations are lost."""
        if count > len(self):
            self._publish([*self.series, *[_LOST] * (count - len(self))])

    def declared(self, ids: Iterable[int]) -> list[tuple[int, Series]]:
        """What a SERIES record says of these ids."""
        return [(number, self.series[number]) for number in ids]

    def holds(self, ids: Indexes) -> bool:
        """Whether every one of them stands for a known series."""
        return len(ids) == 0 or (int(ids.max()) < len(self) and bool(self.is_known[ids].all()))

    def _publish(self, known: list[Series]) -> None:
        """The masks first: a reader that sees a new tuple finds them at least as long."""
        self.is_text = np.array([series.kind.is_text for series in known], dtype=np.bool_)
        self.is_replaced = np.array([series.kind.is_replaced for series in known], dtype=np.bool_)
        self.is_known = np.array([series is not _LOST for series in known], dtype=np.bool_)
        self.series = tuple(known)
