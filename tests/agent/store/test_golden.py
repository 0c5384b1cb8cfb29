"""Stores that earlier versions wrote are read for ever: tests/golden holds one of every format version."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from agent.store import inspect
from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed
from agent.store.dead_letters import read_letters
from agent.store.journal import Journal
from agent.store.reader import Reader
from collectors.points import BAD, Batch, DeadLetter, Gap, Kind, Point, Series, Stream

GOLDEN = Path(__file__).parents[2] / "golden"
POWER = Series("轴承一厂", "磨削", "line-1", "grinder-3", "active_power", "kW")
PROGRAM = Series("轴承一厂", "磨削", "line-1", "grinder-3", "program", kind=Kind.TEXT)
POINTS = [
    [Point(POWER, 1_790_000_000_000_000_000 + number, 1.5 * number) for number in range(100)],
    [Point(PROGRAM, 1_790_000_001_000_000_000, "内圈 6204"), Point(POWER, 1_790_000_002_000_000_000, 3.0, BAD)],
    [Point(POWER, 1_790_000_003_000_000_000, -0.0)],
]
LETTER = DeadLetter("meters", 5, "plant/line-1/meter", "no such field", b'{"x":', 1)


def opened(directory: Path) -> Journal:
    """A store with its files in a folder."""
    journal = Journal(directory, plant="轴承一厂", config=StoreConfig(segment_mb=0.01))
    journal.open()
    return journal


def make(directory: Path) -> None:
    """Write a store of this version: `python -m tests.agent.store.test_golden FOLDER`, once for a version."""
    journal = opened(directory)
    for points, stream in zip(POINTS, (Stream.TELEMETRY, Stream.RECORDS, Stream.TELEMETRY), strict=True):
        journal.stage([Batch.of("machines", points, received_ns=7, stream=stream)])
        journal.flush()
    journal.stage([Gap("machines", 1, 2, "link_lost", 5), LETTER])
    journal.flush()
    journal.cursor("influx").confirmed = Confirmed(2, b"its state")
    journal.close()
    for name in ("LOCK", "reserve"):
        directory.joinpath(name).unlink()


@pytest.mark.parametrize("version", sorted(path.name for path in GOLDEN.iterdir()))
def test_a_store_of_every_version_is_read(version: str, tmp_path: Path) -> None:
    """Points, texts, qualities, the gap, the dead letter, the reader's place and state; and it takes new data."""
    directory = tmp_path / "log"
    shutil.copytree(GOLDEN / version, directory)
    assert inspect.verify(directory).flaws == []
    journal = opened(directory)
    reader = Reader(journal, 0)
    entries = reader.next_on_disk(1000)
    place = journal.cursor("influx").confirmed
    journal.stage([Batch.of("machines", [Point(POWER, 1_790_000_004_000_000_000, 1.0)], received_ns=8)])
    journal.flush()

    assert [list(entry.batch.points()) for entry in entries[:3]] == POINTS
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert '"link_lost"' in str(next(iter(entries[3].batch.points())).value)
    assert [kept.letter for kept in read_letters(directory)] == [LETTER]
    assert (place.seq, place.state) == (2, b"its state")
    assert journal.durable_seq == 5
    journal.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
