"""How long a start takes with 1 GB of unread data.

python -m benchmarks.store_start [--json]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from agent import telemetry
from agent.store.config import StoreConfig
from agent.store.journal import Journal
from benchmarks.measure import show
from collectors.points import Batch, Series

BYTES = 1_000_000_000
ROWS = 32_000
SERIES = tuple(Series("plant", "area", "line", f"cnc-{number}", "temperature", "°C") for number in range(100))


def opened(directory: Path) -> Journal:
    """A store with the shipped settings."""
    journal = Journal(directory, plant="plant", config=StoreConfig())
    journal.open()
    return journal


def fill(journal: Journal) -> int:
    """Fill it with values that do not compress; returns the points. The last segment is left growing."""
    row = np.random.default_rng(1).random(ROWS)
    which, zeros = np.arange(ROWS, dtype=np.uint32) % len(SERIES), np.zeros(ROWS, np.uint32)
    points = 0
    while journal.bytes_on_disk() < BYTES:
        times = points + np.arange(ROWS)
        journal.stage([Batch("bench", 1, SERIES, which, times, row, zeros, zeros.astype(np.uint8))])
        journal.flush()
        points += ROWS
    return points


def main() -> None:
    """Measure in a folder below the current one, as after a kill: nothing was closed."""
    telemetry.configure(level="error")
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        journal = opened(Path(folder))
        fill(journal)
        journal.files.close(journal._lock)
        began = time.perf_counter()
        journal = opened(Path(folder))
        seconds = time.perf_counter() - began
        show({"s until a store of 1 GB is open": seconds, "GB on disk": journal.bytes_on_disk() / 1e9})


if __name__ == "__main__":
    main()
