"""What the agent's data folder holds after it has stopped: read back, not remembered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent.demo.files import MACHINES, METERS
from agent.history.config import HistoryConfig
from agent.history.file import HistoryFile
from agent.store import inspect
from collectors.points import Batch, Stream
from collectors.simulator.ledger import Emission, Value

PLANT = (MACHINES, METERS)


class Hole(NamedTuple):
    """A gap record: its source, its interval, and why."""

    source: str
    from_ns: int
    to_ns: int
    reason: str


@dataclass(slots=True)
class Held:
    """The plant's values in the log, and the counts around them."""

    values: dict[Emission, Value] = field(default_factory=dict)
    points: int = 0
    delivered: int = 0  # points that the sink asked about has confirmed, dead letters among them
    dead_lettered: int = 0
    holes: list[Hole] = field(default_factory=list)

    @classmethod
    def read(cls, log: Path, *, sink: str = "") -> Held:
        """Read the log of a stopped agent. sink: whose confirmations to count."""
        held = cls()
        confirmed = inspect.cursors(log).get(sink, 0)
        for seq, batch in inspect.entries(log):
            if batch.stream == Stream.RECORDS:
                held._take_records(batch)
            elif batch.source in PLANT:
                held._take(batch)
                held.delivered += len(batch) if seq <= confirmed else 0
        held.dead_lettered = sum(letter.points for letter in inspect.dead_letters(log))
        return held

    def _take(self, batch: Batch) -> None:
        self.points += len(batch)
        for point in batch.points():
            self.values[Emission(point.series.machine, point.series.signal, point.t_ns)] = point.value

    def _take_records(self, batch: Batch) -> None:
        for point in batch.points():
            if point.series.signal == "gap":
                gap = json.loads(str(point.value))
                self.holes.append(Hole(point.series.machine, gap["from_ns"], gap["to_ns"], gap["reason"]))


def in_history(path: Path) -> int:
    """How many points of the plant the local history has taken in."""
    history = HistoryFile(path, keep_s=HistoryConfig().keep_s())
    try:
        return sum(history.taken[source] for source in PLANT)
    finally:
        history.close()
