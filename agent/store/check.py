"""What the log refuses at its door: better in the source that made it than in the thread that writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from collectors.points import Batch, Series
from collectors.texts import is_whole

TABLES_KEPT = 64

IsText = NDArray[np.bool_]


class Check:
    """Looks at each batch. Names are looked at once for each table, which is why sources keep the same tuple."""

    def __init__(self) -> None:
        self._tables: dict[int, tuple[Sequence[Series], IsText | None]] = {}

    def __call__(self, batch: Batch) -> None:
        """Raises ValueError for columns that do not belong together, and for names and texts that no file can hold."""
        n = len(batch.t_ns)
        if not n == len(batch.which) == len(batch.value) == len(batch.quality) == len(batch.clock):
            raise ValueError(f"columns of {batch!r} differ in length")
        if n and int(batch.which.max()) >= len(batch.series):
            raise ValueError(f"{batch!r}: `which` points beyond the series table")
        if not is_whole(batch.source):
            raise ValueError(f"the source's name {batch.source!r} holds half a character, which cannot be stored")
        is_text = self._is_text(batch.series)
        if is_text is not None:
            value = batch.value[is_text[batch.which]]
            value = value[~np.isnan(value)]
            if len(value) and not 0 <= value.min() <= value.max() < len(batch.texts):
                raise ValueError(f"{batch!r}: a value points beyond its {len(batch.texts)} texts")
        for text in batch.texts:
            if not is_whole(text):
                raise ValueError(f"the text {text!r} holds half a character, which cannot be stored")

    def _is_text(self, table: Sequence[Series]) -> IsText | None:
        """Which series of a table are texts, None where none is; raises ValueError for names that cannot be stored."""
        known = self._tables.get(id(table))
        if known is not None and known[0] is table:
            return known[1]
        for series in table:
            if not is_whole("/".join((str(series), series.unit))):
                raise ValueError(f"the name {series!r} holds half a character, which cannot be stored")
        mask = np.array([series.kind.is_text for series in table], np.bool_)
        is_text = mask if mask.any() else None
        if isinstance(table, tuple):
            if len(self._tables) >= TABLES_KEPT:
                del self._tables[next(iter(self._tables))]
            self._tables[id(table)] = (table, is_text)
        return is_text
