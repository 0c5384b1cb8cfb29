"""The history file: exactly once, whatever the batching, the order and the moment of death."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.history import schema
from agent.history.blocks import unpack
from agent.history.file import HistoryFile
from agent.history.opening import opened
from agent.history.rollups import NS
from agent.history.schema import BLOCKS, WIDTHS_S, pieces
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
    """All rows by the names of their series, which have other numbers in another order of arrival; and the tables."""
    db = sqlite3.connect(path)
    names = [row[1:] for row in db.execute("SELECT * FROM series ORDER BY id")]
    found: list[object] = []
    for width in WIDTHS_S:
        for place, block in db.execute(f"SELECT place, rows FROM rollup_{width} ORDER BY place"):
            columns = [column.tolist() for column in astuple(unpack([(place % BLOCKS, block)]))]
            rows = sorted((names[row[0]], *row[1:]) for row in zip(*columns, strict=True))
            found.append((width, place // BLOCKS, rows))
    found += [sorted(db.execute(f"SELECT * FROM {table}")) for table in ("text", "taken", "stale")]
    db.close()
    return found


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


HOURS_S = {10: 3 * 3600, 60: 6 * 3600, 900: 12 * 3600, 3600: 24 * 3600}


def lived(path: Path, hours: int, *, quota_bytes: int = 1 << 40, machines: int = 1) -> HistoryFile:
    """A file that was fed every half an hour and keeps hours instead of days."""
    file = HistoryFile(path, keep_s=HOURS_S, quota_bytes=quota_bytes)
    plant = [POWER, *(Series("p", "", "l", f"m{number}", "power", "kW") for number in range(1, machines))]
    noise = np.random.default_rng(1)
    for half in range(2 * hours):
        times = [1800 * half + s for s in range(0, 600, 10)]
        points = [at(s, half + noise.random(), series) for series in plant for s in times]
        file.take([entry(half + 1, points)])
    return file


def hours_kept(file: HistoryFile) -> list[int]:
    """Distinct hours in each level."""
    query = "SELECT count(DISTINCT place / 65536 / 3600) FROM rollup_{}"
    return [file._connection().execute(query.format(width)).fetchone()[0] for width in WIDTHS_S]


def test_data_older_than_the_finest_level_goes_to_a_coarser_one(tmp_path: Path) -> None:
    """A value of ten hours ago is added to its quarter hour without disturbing what is there."""
    file = lived(tmp_path / "h.db", hours=11)
    before = file.read(POWER, START_S + 3600, START_S + 4500, width_s=900)
    file.take([entry(900, [at(3640, 500.0)], at_s=START_S + 11 * 3600)])

    quarter = file.read(POWER, START_S + 3600, START_S + 4500, width_s=900)

    assert (quarter[1] - before[1]).tolist() == [1.0]
    assert quarter[3].tolist() == [500.0]
    assert file.read(POWER, START_S + 3600, START_S + 3700, width_s=10).shape[1] == 0
    file.close()


def test_levels_are_dropped_when_their_time_is_over(tmp_path: Path) -> None:
    """Each level holds its hours, and one or two that are not over."""
    file = lived(tmp_path / "h.db", hours=30)

    assert all(0 <= hours - kept / 3600 <= 2 for hours, kept in zip(hours_kept(file), HOURS_S.values(), strict=True))
    file.close()


def test_a_clock_that_is_wrong_once_costs_nothing(tmp_path: Path) -> None:
    """One batch of ten years ahead: every hour that was known is known after it, and true values are kept."""
    file = lived(tmp_path / "h.db", hours=20)
    before, facts = hours_kept(file), dict(file.facts)
    years_s = 10 * 365 * 86400
    file.take([entry(900, [at(years_s, 1.0)], at_s=START_S + years_s)])
    file.take([entry(901, [at(20 * 3600, 7.0)], at_s=START_S + 20 * 3600 + 1)])

    assert [after >= known for after, known in zip(hours_kept(file), before, strict=True)] == [True] * 4
    assert {name: at_s for name, at_s in file.facts.items() if name.startswith("kept_")} == {
        name: at_s for name, at_s in facts.items() if name.startswith("kept_")
    }
    assert file.read(POWER, START_S + 20 * 3600, START_S + 20 * 3600 + 10, width_s=10)[3].tolist() == [7.0]
    assert [held.point.value for held in file.newest()] == [7.0]
    file.close()


def test_a_clock_that_stays_wrong_costs_two_hours_each_hour(tmp_path: Path) -> None:
    """Ten minutes in a wrong decade drop no more than two hours of each level."""
    file = lived(tmp_path / "h.db", hours=20)
    before, years_s = hours_kept(file), 10 * 365 * 86400
    for minute in range(10):
        file.take([entry(900 + minute, [at(years_s + 60 * minute, 1.0)], at_s=START_S + years_s + 60 * minute)])

    assert [known - after <= 2 for after, known in zip(hours_kept(file), before, strict=True)] == [True] * 4
    file.close()


def test_a_file_that_is_too_large_loses_its_oldest_finest_hours(tmp_path: Path) -> None:
    """The quota is held; the coarser levels stay as long as there is something finer to drop."""
    free = lived(tmp_path / "free.db", hours=3, machines=30)
    quota_bytes = free.size() * 9 // 10
    free_hours = hours_kept(free)
    free.close()
    file = lived(tmp_path / "h.db", hours=3, quota_bytes=quota_bytes, machines=30)

    assert file.size() <= quota_bytes
    assert hours_kept(file)[0] < free_hours[0]
    assert hours_kept(file)[1:] == free_hours[1:]
    file.close()


def test_a_replay_after_the_clock_was_set_back_counts_nothing_twice(tmp_path: Path) -> None:
    """In the same log only the place decides; times say that a log is new only where nothing else is known."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    entries = [entry(1, [at(0, 1.0)], at_s=START_S + 500), entry(2, [at(1, 1.0)], at_s=START_S)]
    file.take(entries)

    assert file.take(entries, is_same_log=True) == 0
    file.close()


def test_a_text_that_no_file_can_hold_is_written_out(tmp_path: Path) -> None:
    """Half a character in a text or a name of an old log does not stop the history."""
    path = tmp_path / "h.db"
    odd = Series("p", "", "l", "m\ud800", "order", "", Kind.TEXT)
    filled(path, [[entry(1, [at(0, "x\ud800y", odd)], source="s\ud800")]])
    db = sqlite3.connect(path)

    assert db.execute("SELECT text, machine, source FROM text, series, taken").fetchall() == [
        ("x\\ud800y", "m\\ud800", "s\\ud800")
    ]
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
    """When the disk refuses, neither the rows nor the place on it move, and the next try writes what was taken."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    file.take([entry(1, [at(0, 1.0)])])
    file._connection().execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.Error):
        file.take([entry(2, [at(1, 2.0)])])

    assert (file.facts["seq"], file.is_written) == (1, False)
    assert content(tmp_path / "h.db") == filled(tmp_path / "one.db", [[entry(1, [at(0, 1.0)])]])

    file.take([entry(2, [at(1, 2.0)])])  # comes again, and is written now

    assert (file.facts["seq"], file.is_written, file.taken["s"]) == (2, True, 2)
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
    """Repeated every second or said once: the state holds since its last change."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S)
    often, once = (Series("p", "", "l", machine, "state", "", Kind.STATE) for machine in ("often", "once"))
    file.take([entry(1, [at(0, 1.0, once), at(1205, 3.0, once)])])
    file.take([entry(2, [at(s, 1.0 if s < 1205 else 3.0, often) for s in range(4000)])])

    since = {held.point.series.machine: held.since_ns / NS - START_S for held in file.newest()}

    assert since == {"once": 1205, "often": 1205}
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


def test_values_wait_in_memory_and_are_shown(tmp_path: Path) -> None:
    """Between two commits nothing is written, and a curve and the newest values have everything all the same."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S, commit_s=60)
    file.take([entry(1, [at(3, 1.0)])])
    file.take([entry(2, [at(11, 2.0), at(12, 4.0)])])
    file.take([entry(3, [at(4, 3.0)], at_s=START_S + 20)])

    rows = file.read(POWER, START_S, START_S + 60, width_s=60)

    assert (file.is_written, file.facts["seq"]) == (False, 1)
    assert rows[[0, 1, 2, 3]].T.tolist() == [[START_S, 2, 1, 3], [START_S + 10, 2, 2, 4]]
    assert [held.point.value for held in file.newest()] == [4.0]
    file.close()


def test_a_commit_is_due_when_its_time_is_over_or_memory_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seconds after the full minute of the data's own clock, or with too many rows."""
    file = HistoryFile(tmp_path / "h.db", keep_s=KEEP_S, commit_s=60)
    written = []
    for seq, second in enumerate([3, 30, 61, 62, 63, 119, 122], start=1):
        file.take([entry(seq, [at(second, 1.0)])])
        written.append(file.is_written)
    monkeypatch.setattr("agent.history.file.MOST_ROWS", 2)
    for second in (130, 140, 150):
        file.take([entry(second, [at(second, 1.0)])])
        written.append(file.is_written)

    assert written == [True, False, False, True, False, False, True, False, False, True]
    file.close()


def test_a_file_of_another_version_is_put_aside(tmp_path: Path) -> None:
    """Its rows have another shape: it is kept under another name, and a new one begins."""
    path = tmp_path / "h.db"
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE rollup_10 (t_s INTEGER); PRAGMA user_version = 1;")
    db.close()

    assert filled(path, [[entry(1, [at(0, 1.0)])]]) == filled(tmp_path / "new.db", [[entry(1, [at(0, 1.0)])]])
    assert (tmp_path / "h.db.unusable").exists()


def test_a_file_that_could_not_be_made_is_made_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that fails half way, as on a full disk, lets go of the file, whoever still holds the error."""
    path, held = tmp_path / "h.db", []
    monkeypatch.setattr(schema, "TABLES", "CREATE TABLE half (x); INSERT INTO half SELECT full_disk();")
    try:
        opened(path)
    except sqlite3.OperationalError as error:
        held.append(error)
    monkeypatch.undo()

    assert held
    opened(path).close()


def test_a_file_that_breaks_while_it_is_used_is_begun_anew_with_what_is_in_memory(tmp_path: Path) -> None:
    """The names of all series and their newest values are in the new file too."""
    path = tmp_path / "h.db"
    file = HistoryFile(path, keep_s=KEEP_S, commit_s=60)
    file.take([entry(1, [at(0, 1.0), at(0, 7.0, ENERGY)])])
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = 11
    file.fail(error)
    file.take([entry(2, [at(70, 2.0)])])
    file.close()

    again = HistoryFile(path, keep_s=KEEP_S)
    assert [(held.point.series.signal, held.point.value) for held in again.newest()] == [
        ("energy", 7.0),
        ("power", 2.0),
    ]
    again.close()
