"""µs a value from log entries to committed rows of the local history, and into the page's memory.

python -m benchmarks.history_take [--json]
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

import numpy as np

from agent.dashboard.latest import Latest
from agent.history.config import HistoryConfig
from agent.history.file import HistoryFile
from agent.sink import Entry
from benchmarks.measure import best_us, show
from collectors.points import Batch, Series

NS = 1_000_000_000
COMMIT_S = 5
START_NS = 1_790_000_000 * NS


def commit(number: int, table: tuple[Series, ...], *, hz: int) -> list[Entry]:
    """What one commit of five seconds holds: every series, `hz` times a second."""
    n = len(table)
    columns = (np.random.default_rng(number).normal(100, 10, n), np.zeros(n, np.uint32), np.zeros(n, np.uint8))
    entries = []
    for tick in range(number * COMMIT_S * hz, (number + 1) * COMMIT_S * hz):
        t_ns = START_NS + tick * NS // hz
        which = np.arange(n, dtype=np.uint32)
        entries.append(Entry(tick + 1, Batch("machines", t_ns, table, which, np.full(n, t_ns), *columns)))
    return entries


def taken_us(*, signals: int, hz: int) -> float:
    """µs a value over a minute of data, commits and coarser windows included."""
    table = tuple(Series("plant", "area", "line", f"m-{i // 20}", f"signal_{i}", "kW") for i in range(signals))
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        file = HistoryFile(Path(folder) / "history.sqlite", keep_s=HistoryConfig().keep_s())

        def minute() -> None:
            for number in itertools.islice(numbers, 60 // COMMIT_S):
                file.take(commit(number, table, hz=hz))

        cost = best_us(minute, values=signals * hz * 60, repeat=3)
        file.close()
    return cost


def shown_us() -> float:
    """µs a value into the page's memory, 2,000 signals."""
    table = tuple(Series("plant", "area", "line", f"m-{i // 20}", f"signal_{i}", "kW") for i in range(2000))
    latest, entries = Latest(), commit(0, table, hz=10)
    return best_us(lambda: asyncio.run(latest.write(entries)), values=2000 * COMMIT_S * 10, repeat=5)


def main() -> None:
    """Measure and print."""
    show(
        {
            "history, 2,000 signals at 10 Hz, µs a value": taken_us(signals=2000, hz=10),
            "history, 500 signals at 1 Hz, µs a value": taken_us(signals=500, hz=1),
            "page memory, 2,000 signals, µs a value": shown_us(),
        }
    )


if __name__ == "__main__":
    main()
