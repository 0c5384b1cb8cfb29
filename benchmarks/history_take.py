"""µs and bytes a value from log entries to committed rows of the local history, and µs into the page's memory.

python -m benchmarks.history_take [--json]
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from agent.dashboard.latest import Latest
from agent.history.config import HistoryConfig
from agent.history.file import HistoryFile
from agent.sink import Entry
from benchmarks.measure import best_us, show
from benchmarks.meter import usage
from collectors.points import Batch, Series

NS = 1_000_000_000
TAKE_S = 5
MINUTES = 3
START_NS = 1_790_000_000 * NS


def take(number: int, table: tuple[Series, ...], *, hz: int) -> list[Entry]:
    """What the history takes at once: five seconds of every series, `hz` times a second, at odd times."""
    n = len(table)
    noise = np.random.default_rng(number)
    zeros = (np.zeros(n, np.uint32), np.zeros(n, np.uint8))
    entries = []
    for tick in range(number * TAKE_S * hz, (number + 1) * TAKE_S * hz):
        t_ns = START_NS + tick * NS // hz
        times = t_ns + noise.integers(0, NS // hz, n)
        which = np.arange(n, dtype=np.uint32)
        batch = Batch("machines", t_ns + NS // hz, table, which, times, noise.normal(100, 10, n), *zeros)
        entries.append(Entry(tick + 1, batch))
    return entries


def taken(*, signals: int, hz: int) -> tuple[float, float]:
    """µs and bytes written a value, commits and coarser windows included; the first minute, with its names, is not."""
    table = tuple(Series("plant", "area", "line", f"m-{i // 20}", f"signal_{i}", "kW") for i in range(signals))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        config = HistoryConfig()
        file = HistoryFile(Path(folder) / "history.sqlite", keep_s=config.keep_s(), commit_s=config.commit_s)
        cost_s, before = 0.0, 0
        for number in range((MINUTES + 1) * 60 // TAKE_S):
            if number == 60 // TAKE_S:
                cost_s, before = 0.0, written()
            entries = take(number, table, hz=hz)
            start_s = time.thread_time()
            file.take(entries)
            cost_s += time.thread_time() - start_s
        values = signals * hz * 60 * MINUTES
        bytes_written = written() - before
        file.close()
    return cost_s / values * 1e6, bytes_written / values


def written() -> int:
    """Bytes that this process caused to go to a device."""
    return usage(os.getpid()).written


def shown_us() -> float:
    """µs a value into the page's memory, 2,000 signals."""
    table = tuple(Series("plant", "area", "line", f"m-{i // 20}", f"signal_{i}", "kW") for i in range(2000))
    latest, entries = Latest(), take(0, table, hz=10)
    return best_us(lambda: asyncio.run(latest.write(entries)), values=2000 * TAKE_S * 10, repeat=5)


def main() -> None:
    """Measure and print."""
    rows: dict[str, float] = {}
    for signals, hz in ((10_000, 1), (2_000, 10), (500, 1)):
        rows[f"history, {signals:,} signals at {hz} Hz, µs a value"], size = taken(signals=signals, hz=hz)
        rows[f"history, {signals:,} signals at {hz} Hz, bytes written a value"] = size
    show(rows | {"page memory, 2,000 signals, µs a value": shown_us()})


if __name__ == "__main__":
    main()
