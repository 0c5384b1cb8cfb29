"""What line protocol needs to know of each series, made once and looked up by number. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.influx import names
from collectors.points import Series

Objects = NDArray[np.object_]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


class SeriesTable:
    """Series in the order of their first appearance, as columns.

    leads: what stands before a value at the start of a line.     follows: the same after another field.
    machine: equal numbers share a line.     is_text: whether values are strings.
    is_replaced: whether the latest of several values at one time counts.     digest: CRC-32 of the identity.
    troubled: InfluxDB cannot have this series; `troubles` says why.
    """

    def __init__(self, measurement: str) -> None:
        self._measurement = names.measurement(measurement)
        self._row: dict[Series, int] = {}
        self._machine: dict[bytes, int] = {}
        self._batch_series: Sequence[Series] = ()
        self._batch_rows: Rows = np.zeros(0, dtype=np.int64)
        self.troubles: dict[int, str] = {}
        self.leads: Objects = np.zeros(0, dtype=object)
        self.follows: Objects = np.zeros(0, dtype=object)
        self.machine: Rows = np.zeros(0, dtype=np.int64)
        self.is_text: Flags = np.zeros(0, dtype=bool)
        self.is_replaced: Flags = np.zeros(0, dtype=bool)
        self.troubled: Flags = np.zeros(0, dtype=bool)
        self.digest: NDArray[np.uint32] = np.zeros(0, dtype=np.uint32)

    def __len__(self) -> int:
        return len(self._row)

    def rows(self, series: Sequence[Series]) -> Rows:
        """The table's row of each series of a batch; new ones are added.

        Costs nothing for the same object as last time, and little for one that has grown at its end.
        """
        if series is self._batch_series:
            return self._batch_rows
        known = len(self._batch_series)
        kept = self._batch_rows if series[:known] == self._batch_series else self._batch_rows[:0]
        new = series[len(kept) :]
        self._add([one for one in dict.fromkeys(new) if one not in self._row])
        self._batch_rows = np.append(kept, np.array([self._row[one] for one in new], dtype=np.int64))
        self._batch_series = series
        return self._batch_rows

    def _add(self, new: list[Series]) -> None:
        if not new:
            return
        first = len(self._row)
        prefixes = [self._prefix(series) for series in new]
        follows = [b",%b=" % names.key(series.signal) for series in new]
        leads = [b"%b %b" % (prefix, follow[1:]) for prefix, follow in zip(prefixes, follows, strict=True)]
        for row, series in enumerate(new, first):
            self._row[series] = row
            if trouble := _trouble(series):
                self.troubles[row] = trouble
        machines = [self._machine.setdefault(prefix, len(self._machine)) for prefix in prefixes]
        self.leads = np.append(self.leads, _objects(leads))
        self.follows = np.append(self.follows, _objects(follows))
        self.machine = np.append(self.machine, np.array(machines, dtype=np.int64))
        self.is_text = np.append(self.is_text, [series.kind.is_text for series in new])
        self.is_replaced = np.append(self.is_replaced, [series.kind.is_replaced for series in new])
        self.troubled = np.append(self.troubled, [row in self.troubles for row in range(first, len(self._row))])
        self.digest = np.append(self.digest, np.array([zlib.crc32(lead) for lead in leads], dtype=np.uint32))

    def _prefix(self, series: Series) -> bytes:
        """Measurement and tags, in a fixed order; the empty ones are left out, for InfluxDB refuses them."""
        parts = ((tag, getattr(series, tag)) for tag in sorted(names.TAGS))
        return self._measurement + b"".join(b",%b=%b" % (tag.encode(), names.key(name)) for tag, name in parts if name)


def _objects(items: list[bytes]) -> Objects:
    column = np.empty(len(items), dtype=object)
    column[:] = items
    return column


def _trouble(series: Series) -> str:
    troubles = (names.trouble_with_tag(getattr(series, tag)) for tag in names.TAGS)
    return names.trouble_with_signal(series.signal) or next(filter(None, troubles), "")
