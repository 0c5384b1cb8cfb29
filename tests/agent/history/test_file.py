"""The history file: exactly once, whatever the batching, the order and the moment of death."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.history.file import HistoryFile
from agent.history.rollups import NS
from agent.history.schema import WIDTHS_S, pieces
from agent.sink import Entry
from collectors.points import BAD, Batch, Kind, Point, Series

KEEP_S = {10: 2 * 86400, 60: 14 * 86400, 900: 100 * 86400, 3600: 400 * 86400}
START_S = 1_750_000_000 // 3600 * 3600
POWER = Series("p", "", "l", "m", "power", "kW")
ENERGY = Series("p", "", "l", "m", "energy", "kWh", Kind.COUNTER)
ORDER = Series("p", "", "l", "m", "order", "", Kind.TEXT)


def entry(seq: int, points: Sequence[Point], *, at_s: float | None = None, source: str = "s") -> Entry:
    newest_ns = max(point.t_ns for point in points)
    return Entry(seq, Batch.of(source, points, received_ns=newest_ns if at_s is None else int(at_s * NS)))


def at(second: float, value: float | str, series: Series = POWER, quality: int = 0) -> Point:
    return Point(series, int((START_S + second) * NS), value, quality)


def content(path: Path) -> list[object]:
    db = sqlite3.connect(path)
    rolled = [f"SELECT * FROM rollup_{width} JOIN series ON id = series" for width in WIDTHS_S]
    others = [f"SELECT * FROM {table}" for table in ("text", "taken", "stale")]
    rows = [sorted(row[:1] + row[2:11] + row[13:] for row in db.execute(query)) for query in rolled]
    rows += [sorted(db.execute(query)) for query in others]
    db.close()
    return rows


def filled(path: Path, groups: Sequence[Sequence[Entry]], *, reopen: bool = False) -> list[object]:
    file = HistoryFile(path, keep_s=KEEP_S)
    for group in groups:
        file.take(group)
        if reopen:
            file.close()
            file = HistoryFile(path, keep_s=KEEP_S)
    file.close()
    return content(path)


minutes = st.lists(
    st.tuples(
        st.integers(0, 4000), st.integers(-9, 9), st.sampled_from([POWER, ENERGY]), st.sampled_from([0, 0, 0, BAD])
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: (row[0], row[2]),
)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minutes, st.lists(st.integers(1, 5), min_size=40, max_size=40), st.booleans())
def test_batching_order_and_restarts_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int, Series, int]],
    sizes: list[int],
    reopen: bool,
) -> None:
    """Any grouping, any order of arrival, with the file opened anew each time: the same tables as all at once."""
    tmp = tmp_path_factory.mktemp("history")
    entries = [entry(i + 1, [at(s, v, series, q)]) for i, (s, v, series, q) in enumerate(rows)]
    tick = [[entry(100 + i, [at(20_000 + i, 1.0)])] for i in range(4)]  # the log goes on: every window gets over
    groups, rest = [], entries
    for size in sizes:
        groups, rest = [*groups, rest[:size]], rest[size:]
    ordered = [
        entry(i + 1, [at(s, v, series, q)]) for i, (s, v, series, q) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]

    pieced = filled(tmp / "pieces.db", [*(group for group in groups if group), *tick], reopen=reopen)

    assert pieced == filled(tmp / "whole.db", [ordered, *tick])


def test_entries_seen_before_are_ignored(tmp_path: Path) -> None:
    """The same entries again, as after a restart with an older cursor, change nothing."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    entries = [entry(7, [at(0, 1.0), at(1, 2.0)]), entry(8, [at(2, 3.0)])]

    taken = [file.take(entries), file.take(entries), file.take([*entries, entry(9, [at(3, 4.0)])])]

    assert (taken, file.taken["s"]) == ([3, 0, 1], 4)
    file.close()


def test_a_log_begun_anew_is_taken(tmp_path: Path) -> None:
    """Entries numbered from one again, but received later than all before, are new."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    file.take([entry(500, [at(0, 1.0)])])

    assert file.take([entry(1, [at(60, 2.0)])]) == 1
    file.close()


def test_late_data_changes_its_window_at_every_level(tmp_path: Path) -> None:
    """A value that arrives hours late is in its ten seconds, its minute, its quarter and its hour."""
    path = tmp_path / "h.db"
    file = HistoryFile(path, keep_s=KEEP_S)
    file.take([entry(1, [at(0, 1.0)]), entry(2, [at(9000, 1.0)])])
    file.take([entry(3, [at(5, 7.0)], at_s=START_S + 9001)])

    tops = [file.read(POWER, START_S, START_S + 10, width_s=width)[3].tolist() for width in WIDTHS_S]

    assert tops == [[7.0]] * 4
    file.close()


def test_data_older_than_the_finest_level_goes_to_a_coarser_one(tmp_path: Path) -> None:
    """A value of last month is added to its quarter hour without disturbing what is there."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    month_s = 30 * 86400
    file.take([entry(1, [at(0, 1.0)])])
    file.take([entry(2, [at(20, 3.0)])])
    file.take([entry(3, [at(month_s, 1.0)])])
    file.take([entry(4, [at(40, 5.0)], at_s=START_S + month_s + 1)])

    quarter = file.read(POWER, START_S, START_S + 900, width_s=900)

    assert (quarter[1].tolist(), quarter[3].tolist()) == ([3.0], [5.0])
    assert file.read(POWER, START_S, START_S + 60, width_s=10).shape[1] == 0
    file.close()


def test_levels_are_dropped_when_their_time_is_over(tmp_path: Path) -> None:
    """After three days the ten seconds of the first day are gone, the minutes are there."""
    path = tmp_path / "h.db"
    groups = [[entry(i + 1, [at(i * 86400 / 2, float(i))])] for i in range(8)]
    filled(path, groups)
    db = sqlite3.connect(path)

    counts = [db.execute(f"SELECT count(*) FROM rollup_{width}").fetchone()[0] for width in WIDTHS_S]

    assert counts == [5, 7, 7, 7]
    db.close()


def test_a_bad_window_becomes_good_with_a_good_value(tmp_path: Path) -> None:
    """A bad value first and a good one in the next commit: one row with both counted."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    file.take([entry(1, [at(0, 1.0, quality=BAD)])])
    file.take([entry(2, [at(1, 4.0)])])

    assert file.read(POWER, START_S, START_S + 10, width_s=10)[1:4].tolist() == [[1.0], [4.0], [4.0]]
    file.close()


def test_texts_are_kept_once_a_minute(tmp_path: Path) -> None:
    """Of a text that is sent every second, the last of each minute is kept."""
    path = tmp_path / "h.db"
    filled(
        path,
        [[entry(1, [at(0, "A", ORDER), at(30, "B", ORDER)])], [entry(2, [at(20, "X", ORDER), at(60, "C", ORDER)])]],
    )
    db = sqlite3.connect(path)

    assert [text for (text,) in db.execute("SELECT text FROM text ORDER BY slot_ns")] == ["B", "C"]
    db.close()


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    """A file of rubbish does not stop the agent: it is kept under another name, and a new one begins."""
    path = tmp_path / "h.db"
    path.write_bytes(b"rubbish" * 1000)

    file = HistoryFile(path, keep_s=KEEP_S)

    assert file.take([entry(1, [at(0, 1.0)])]) == 1
    assert (tmp_path / "h.db.unusable").read_bytes().startswith(b"rubbish")
    file.close()


def test_a_failed_commit_keeps_nothing(tmp_path: Path) -> None:
    """When the disk refuses, neither the rows nor the place move."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    file.take([entry(1, [at(0, 1.0)])])
    file._db.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.Error):
        file.take([entry(2, [at(1, 2.0)])])
    file._db.execute("PRAGMA query_only = OFF")

    assert (file.facts["seq"], file.taken["s"]) == (1, 1)
    assert file.take([entry(2, [at(1, 2.0)])]) == 1
    file.close()


def test_the_last_known_values_are_found_again(tmp_path: Path) -> None:
    """Of the last minutes, of yesterday and of last month, with texts and events, oldest first."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    gap = Series("p", "", "", "s", "gap", "", Kind.EVENT)
    month_s = 30 * 86400
    old = Series("p", "", "l", "m", "old", "")
    file.take([entry(1, [at(0, 1.0, old)])])
    file.take([entry(2, [at(month_s - 50_000, 2.0, ENERGY), at(month_s - 40_000, "lost", gap)])])
    file.take([entry(3, [at(month_s, 3.0), at(month_s, "B", ORDER)])])

    found = [(held.point.series.signal, held.point.value) for held in file.newest()]

    assert found == [("old", 1.0), ("energy", 2.0), ("gap", "lost"), ("power", 3.0), ("order", "B")]
    file.close()


def test_since_when_a_state_holds(tmp_path: Path) -> None:
    """Repeated every second or said once: the state holds since its last change, to the window of ten seconds."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    often, once = (Series("p", "", "l", machine, "state", "", Kind.STATE) for machine in ("often", "once"))
    file.take([entry(1, [at(0, 1.0, once), at(1205, 3.0, once)])])
    file.take([entry(2, [at(s, 1.0 if s < 1205 else 3.0, often) for s in range(4000)])])

    since = {held.point.series.machine: held.since_ns / NS - START_S for held in file.newest()}

    assert 1195 <= since["once"] <= 1205
    assert 1195 <= since["often"] <= 1210
    file.close()


def test_a_range_is_answered_by_the_coarsest_complete_levels() -> None:
    """Hours where they are over, then quarters, minutes and ten seconds up to now."""
    now_s = 3600 * 10 + 900 + 120 + 35

    assert pieces(0, now_s + 10, width_s=3600, now_s=now_s) == [
        (3600, 0, 36000),
        (900, 36000, 36900),
        (60, 36900, 37020),
        (10, 37020, now_s + 10),
    ]


def test_a_range_of_the_finest_level_is_one_piece() -> None:
    """Ten seconds are answered by ten seconds."""
    assert pieces(5, 95, width_s=10, now_s=60) == [(10, 0, 95)]


def test_mean_follows_from_total_and_count(tmp_path: Path) -> None:
    """Total / n is the mean of the good values."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    file.take([entry(1, [at(s, float(s)) for s in range(60)]), entry(2, [at(120, 0.0)])])

    row = file.read(POWER, START_S, START_S + 60, width_s=60)

    assert np.allclose(row[4] / row[1], [29.5])
    file.close()
