"""HistorySink: a reader of the log that can be killed at any moment."""

import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.history.config import HistoryConfig
from agent.history.file import HistoryFile
from agent.history.sink import HistorySink, Patient
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from collectors.points import Batch, Clock, Kind, Point, Series

START_S = 1_750_000_000 // 86400 * 86400
NS = 1_000_000_000
POWER = Series("p", "", "l", "m", "power", "kW")
ENERGY = Series("p", "", "l", "m", "energy", "kWh", Kind.COUNTER)

WRITER = """
import itertools, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_sink import entry
from agent.history.config import HistoryConfig
from agent.history.file import HistoryFile
file = HistoryFile(Path(sys.argv[1]), keep_s=HistoryConfig().keep_s())
for seq in itertools.count(int(sys.argv[2]), 3):
    file.take([entry(seq), entry(seq + 1), entry(seq + 2)])
    print(seq + 2, flush=True)
"""


def entry(seq: int) -> Entry:
    """The log's entry number seq: always the same two points."""
    t_ns = (START_S + 7 * seq) * NS
    points = [Point(POWER, t_ns, float(seq % 13), clock=Clock.SOURCE), Point(ENERGY, t_ns, float(seq))]
    return Entry(seq, Batch.of("meters", points, received_ns=t_ns))


def sink(path: Path) -> HistorySink:
    return HistorySink(path, HistoryConfig(), status=SinkStatus("history"))


async def test_what_was_written_can_be_read(tmp_path: Path) -> None:
    """Low, mean and high of ten seconds come back."""
    async with sink(tmp_path / "h.db") as history:
        await history.write([entry(1), entry(2)])

        rows = await history.read(POWER, START_S, START_S + 60, width_s=10)

    assert rows.tolist() == [[START_S, START_S + 10], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]


class Log:
    """A place in a log of two points an entry, committed only when it is told to."""

    state = b""

    def __init__(self) -> None:
        self.read_seq = self.seq = 0

    async def read(self, *, max_points: int, linger_s: float) -> list[Entry]:
        self.read_seq += 1
        return [entry(self.read_seq)]

    async def commit(self, seq: int, state: bytes) -> None:
        self.seq, self.state = seq, state

    def pending(self) -> tuple[int, int]:
        return 2 * (10 - self.seq), 1


async def test_the_place_moves_with_what_is_on_disk_and_what_is_in_memory_does_not_wait() -> None:
    """Two reads in memory, a third that is written: then the place moves, once."""
    log = Log()
    place = Patient(log)
    seen = []
    for state in (b"", b"", b"same"):
        (read,) = await place.read(max_points=9, linger_s=0)
        await place.commit(read.seq, state)
        seen.append((log.seq, place.pending()[0]))

    assert seen == [(0, 18), (0, 16), (3, 14)]


async def test_points_are_counted_by_source_over_restarts(tmp_path: Path) -> None:
    """The count goes on where it was."""
    async with sink(tmp_path / "h.db") as history:
        await history.write([entry(1)])
    async with sink(tmp_path / "h.db") as history:
        before = dict(history.points)
        await history.write([entry(1), entry(2)])

        assert (before, dict(history.points)) == ({"meters": 2}, {"meters": 4})


async def test_energy_of_the_day_is_the_rise_of_the_counter(tmp_path: Path) -> None:
    """A thousand entries raise the counter from 0 to 999; a signal nobody knows has no rise."""
    async with sink(tmp_path / "h.db") as history:
        await history.write([entry(seq) for seq in range(1, 1001)])

        rises = await history.risen([ENERGY, Series("p", "", "", "x", "y")], START_S, START_S + 86400)

    assert rises == [999.0, None]


async def test_a_file_that_cannot_be_opened_is_waited_for(tmp_path: Path) -> None:
    """A folder in the place of the file: the sink says so and keeps its place; questions have no answer."""
    (tmp_path / "h.db").mkdir()
    async with sink(tmp_path / "h.db") as history:
        assert history.status.state == "blocked"
        with pytest.raises(Retry, match="cannot be written") as refused:
            await history.write([entry(1)])
        rows = await history.read(POWER, START_S, START_S + 60, width_s=10)
        rises = await history.risen([ENERGY], START_S, START_S + 60)

        assert (refused.value.blocked, rows.shape, rises) == ("disk", (4, 0), [None])

        (tmp_path / "h.db").rmdir()
        await history.write([entry(1)])

        assert dict(history.points) == {"meters": 2}


async def test_a_file_with_damaged_pages_is_put_aside(tmp_path: Path) -> None:
    """A good header and rubbish behind it: it is kept under another name, and history begins anew."""
    path = tmp_path / "h.db"
    async with sink(path) as history:
        await history.write([entry(seq) for seq in range(1, 2000)])
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    async with sink(path) as history:
        await history.write([entry(2000)])

        assert dict(history.points) == {"meters": 2}
    assert (tmp_path / "h.db.unusable").exists()


def test_killed_again_and_again_it_holds_what_it_would_hold_anyway(tmp_path: Path) -> None:
    """SIGKILL in the middle of commits, and every time the log begins again well before the place that was reached."""
    here = str(Path(__file__).parent)
    reached = 0
    for commits in (1, 5, 2, 9):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "killed.db"), str(max(1, reached - 7)), here]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in itertools.islice(process.stdout, commits):
                reached = int(line)
            process.kill()
    killed = _content(tmp_path / "killed.db")

    file = HistoryFile(tmp_path / "whole.db", keep_s=HistoryConfig().keep_s())
    file.take([entry(seq) for seq in range(1, killed["seq"] + 1)])
    file.close()

    assert killed["seq"] >= reached
    assert killed["rows"] == _content(tmp_path / "whole.db")["rows"]


def _content(path: Path) -> dict[str, object]:
    db = sqlite3.connect(path)
    seq = db.execute("SELECT value FROM fact WHERE name = 'seq'").fetchone()[0]
    rows = [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("rollup_10", "newest", "taken")]
    db.close()
    return {"seq": seq, "rows": rows}


async def test_twenty_thousand_points_a_second_take_little_of_a_core(tmp_path: Path) -> None:
    """2,000 signals at 10 Hz for five seconds are taken in well under a second; the benchmark has the figure."""
    table = tuple(Series("p", "", "l", f"m{i // 20}", f"s{i}", "kW") for i in range(2000))
    which = np.arange(2000, dtype=np.uint32)
    entries = []
    for tick in range(50):
        t_ns = START_S * NS + tick * NS // 10
        columns = (np.full(2000, t_ns), np.random.default_rng(tick).normal(size=2000))
        zeros = (np.zeros(2000, np.uint32), np.zeros(2000, np.uint8))
        entries.append(Entry(tick + 1, Batch("s", t_ns, table, which, *columns, *zeros)))
    async with sink(tmp_path / "h.db") as history:
        await history.write(entries)

        assert dict(history.points) == {"s": 100_000}
