"""Journals over a simulated disk, and short ways to fill and read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson

from agent.sink import Entry
from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed
from agent.store.journal import Journal
from agent.store.reader import Reader
from collectors.points import Batch, Series, Stream, Values
from tests.model.simfs import SimClocks, SimFiles

DIRECTORY = Path("/store")
SERIES = tuple(Series("p", "", "", "lathe", f"signal-{number}") for number in range(4))


def start(files: SimFiles, *, segment_kb: int = 4, clocks: SimClocks | None = None) -> Journal:
    """An open journal; small segments, so that a few batches fill one."""
    config = StoreConfig(segment_mb=segment_kb / 1024)
    journal = Journal(DIRECTORY, plant="p", config=config, files=files, clocks=clocks or SimClocks())
    journal.open()
    return journal


def batch(t_ns: int, *values: float, stream: Stream = Stream.TELEMETRY) -> Batch:
    """One value for each of the first series, all at one time."""
    n = len(values)
    which, zeros = np.arange(n, dtype=np.uint32), np.zeros(n, np.uint32)
    times = np.full(n, t_ns, np.int64)
    return Batch("s", t_ns, SERIES, which, times, np.array(values), zeros, zeros.astype(np.uint8), stream=stream)


def wide(number: int, row: Values, *, stream: Stream = Stream.TELEMETRY) -> Batch:
    """Many values, round and round over the series, each at a time of its own."""
    which, zeros = np.arange(len(row), dtype=np.uint32) % len(SERIES), np.zeros(len(row), np.uint32)
    times = number * 1_000_000 + np.arange(len(row))
    return Batch("s", number, SERIES, which, times, row, zeros, zeros.astype(np.uint8), stream=stream)


def write(journal: Journal, *batches: Batch) -> None:
    """Each in a commit of its own."""
    for each in batches:
        journal.stage([each])
        journal.flush()


def fill(journal: Journal, *, first: int = 1, count: int = 60) -> None:
    """Batches of four points that do not compress well, from time `first` on."""
    rng = np.random.default_rng(first)
    for t_ns in range(first, first + count):
        write(journal, batch(t_ns, *rng.random(4)))


def read(journal: Journal, *, after: int = 0) -> list[Entry]:
    """Everything after a number, from the files."""
    reader, found = Reader(journal, after), []
    while reader.seq < journal.durable_seq:
        found += reader.next_on_disk(10_000) or reader.next_in_memory(10_000) or []
    return found


def confirm(journal: Journal, name: str, seq: int) -> None:
    """A reader confirms, durably."""
    journal.cursor(name).confirmed = Confirmed(seq, b"")
    journal.flush_cursors()


def values(entries: list[Entry]) -> list[float]:
    """All numbers, without the gaps."""
    return [p.value for entry in entries for p in entry.batch.points() if p.series.signal != "gap"]  # type: ignore[misc]


def gaps(entries: list[Entry]) -> list[tuple[str, int | None]]:
    """Reason and points of every gap."""
    points = [p for entry in entries for p in entry.batch.points() if p.series.signal == "gap"]
    return [(said["reason"], said["points"]) for said in (orjson.loads(str(p.value)) for p in points)]


def segments(files: SimFiles, stream: str) -> list[Path]:
    """The segments of a stream, oldest first."""
    return [path for path in files.paths() if path.parent == DIRECTORY / stream]
