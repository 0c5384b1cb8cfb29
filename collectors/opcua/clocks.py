"""Machines whose clocks cannot be right: said once for each, with both times, and listed until they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.opcua.table import Table
from collectors.points import Batch, Kind, Point, Series, Stream


@dataclass(slots=True)
class WrongClocks:
    """The machines of one source with a wrong clock. Pure: times come in as arguments."""

    source: str
    table: Table
    _said: dict[Series, str] = field(default_factory=dict)  # the machine's record -> what is wrong, for people

    def came(self, tags: NDArray[np.uint32], wrong: Mapping[int, int], received_ns: int) -> Batch | None:
        """Values came, some with times that cannot be true. The records of machines that were right until now.

        wrong: tag -> the time that was said, ns.  The text of a record holds it and the moment of receipt.
        """
        if not wrong and not self._said:
            return None
        for tag in set(tags.tolist()):
            if tag not in wrong:
                self._said.pop(self._record_of(tag), None)
        points: list[Point] = []
        for tag, t_ns in wrong.items():
            record = self._record_of(tag)
            if record not in self._said:
                text = {"said_ns": t_ns, "received_ns": received_ns, "signal": self._series(tag).signal}
                points.append(Point(record, received_ns, orjson.dumps(text).decode()))
            became = "carry the moment of receipt" if self.table.replaces_times else "keep that time"
            self._said[record] = f"its clock says {_text(t_ns)}; its values {became}; set the clock of the machine"
        return Batch.of(self.source, points, received_ns=received_ns, stream=Stream.RECORDS) if points else None

    def troubles(self) -> dict[str, str]:
        """What is wrong, by machine."""
        return {str(record): text for record, text in self._said.items()}

    def _series(self, tag: int) -> Series:
        return self.table.series[int(self.table.first[tag])]

    def _record_of(self, tag: int) -> Series:
        of = self._series(tag)
        return Series(of.plant, of.area, of.line, of.machine, "clock", kind=Kind.EVENT)


def _text(t_ns: int) -> str:
    return f"{datetime.fromtimestamp(t_ns // 10**9, tz=UTC):%Y-%m-%d %H:%M:%S}"
