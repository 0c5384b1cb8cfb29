"""The invariants of the store, one by one; the storm in tests/model holds most of them at once."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import numpy as np
import pytest

from agent.store.clocks import OsClocks
from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed
from agent.store.files import OsFiles
from agent.store.intake import Accepted
from agent.store.journal import Journal
from agent.store.reader import Reader
from agent.store.record import HEADER_BYTES
from agent.store.refusals import Held
from agent.store.retention import bury
from agent.store.room import Shares
from collectors.points import Batch, Gap, Kind, Point, Series, Stream
from tests.agent.store.journals import (
    DIRECTORY,
    batch,
    confirm,
    fill,
    gaps,
    read,
    segments,
    start,
    values,
    write,
)  # fmt: skip
from tests.model import storm
from tests.model.simfs import SimClocks, SimFiles


@pytest.mark.parametrize("seed", range(12))
def test_i1_what_is_acknowledged_is_delivered_or_named(seed: int) -> None:
    """Random work, faults, kills and power cuts: nothing acknowledged is ever nowhere."""
    storm.run(seed)


@pytest.mark.parametrize("seed", range(100, 106))
def test_i1_holds_when_bits_flip(seed: int) -> None:
    """The same on a disk that turns bits over: what is lost is named."""
    storm.run(seed, flips=4)


@pytest.mark.parametrize("seed", range(200, 204))
def test_i1_holds_when_the_quota_drops_data(seed: int) -> None:
    """The same with hardly any room: what is dropped unread is named."""
    storm.run(seed, quota_kb=12)


def test_i2_what_is_read_is_what_was_written() -> None:
    """Values, times and order, from the files as from memory."""
    journal = start(SimFiles())
    write(journal, batch(1, 1.5, -0.0), batch(2, float("inf"), 1e-300))

    assert values(read(journal)) == [1.5, -0.0, float("inf"), 1e-300]
    assert values(Reader(journal, 0).next_in_memory(100) or []) == [1.5, -0.0, float("inf"), 1e-300]


def test_i2_no_file_gets_the_epoch_of_one_that_was_deleted() -> None:
    """An abandoned file is gone without a trace, but its blocks may come back in another one, with records in them."""
    files, epochs = SimFiles(), []
    for _ in range(3):
        journal = start(files)
        files.fault = lambda method, path: errno.EROFS if method == "sync" and path.suffix == ".seg" else None
        journal.stage([batch(1, 1.0)])
        with pytest.raises(Held):
            journal.flush()
        files.fault = lambda method, path: None
        assert segments(files, "telemetry") == []
        epochs.append(journal.place.epochs.last)
        files.kill()

    assert sorted(set(epochs)) == epochs


def test_i3_numbers_rise_over_both_streams_and_restarts() -> None:
    """One sequence: telemetry, records, a restart after a kill."""
    files = SimFiles()
    journal = start(files)
    write(journal, batch(1, 1.0), batch(2, 2.0, stream=Stream.RECORDS), batch(3, 3.0))
    files.kill()
    journal = start(files)
    write(journal, batch(4, 4.0, stream=Stream.RECORDS))

    found = read(journal)

    assert [entry.seq for entry in found] == [1, 2, 3, 4]
    assert values(found) == [1.0, 2.0, 3.0, 4.0]


def test_i4_readers_see_only_what_is_durable() -> None:
    """Nothing is there to be read while the disk refuses to sync."""
    files = SimFiles()
    journal = start(files)
    reader = Reader(journal, 0)
    files.fault = lambda method, path: errno.EROFS if method == "sync" else None
    journal.stage([batch(1, 1.0)])
    with pytest.raises(Held):
        journal.flush()

    assert reader.next_in_memory(10) == []
    assert reader.next_on_disk(10) == []


def test_i4_names_that_a_start_finds_are_synced_before_they_are_used() -> None:
    """A kill before the sync of series.log, a start that believes it, a power cut: the values keep their names."""

    def kill(method: str, path: Path) -> None:
        if method == "sync" and path.name == "series.log":
            raise KeyboardInterrupt

    for seed in range(20):
        files = SimFiles()
        journal = start(files)
        files.fault = kill
        with pytest.raises(KeyboardInterrupt):
            write(journal, batch(1, 1.0))
        files.kill()
        files.fault = lambda method, path: None
        journal = start(files)
        write(journal, batch(2, 2.0))
        journal.close()
        files.crash(random.Random(seed))

        assert values(read(start(files))) == [2.0]


def test_i5_a_durable_place_is_never_ahead_of_the_reader() -> None:
    """Whatever a power cut leaves of two cursor files, the place is one that was confirmed."""
    for seed in range(50):
        files = SimFiles()
        journal = start(files)
        fill(journal, count=5)
        for seq in (1, 2, 3):
            confirm(journal, "sink", seq)
        files.fault = lambda method, path: errno.EIO if method == "sync" and path.suffix in (".0", ".1") else None
        with pytest.raises(OSError, match="fails"):
            confirm(journal, "sink", 4)
        files.fault = lambda method, path: None
        files.crash(random.Random(seed))

        assert start(files).cursor("sink").confirmed.seq in (3, 4)


def test_i5_a_place_outlives_a_power_cut_of_the_next_start() -> None:
    """The start makes the only copy of a place durable once more; a cut in the middle of that loses nothing."""

    def cut(method: str, path: Path) -> None:
        if method == "sync" and path.parent.name == "cursors":
            raise KeyboardInterrupt

    for seed in range(50):
        files = SimFiles()
        journal = start(files)
        fill(journal, count=2)
        journal.cursor("sink").confirmed = Confirmed(2, bytes(3000))
        journal.flush_cursors()
        files.kill()
        files.fault = cut
        with pytest.raises(KeyboardInterrupt):
            start(files)
        files.fault = lambda method, path: None
        files.crash(random.Random(seed))

        assert start(files).cursor("sink").confirmed == (2, bytes(3000), ())


def test_i6_one_value_per_series_and_time() -> None:
    """Equal values are dropped and counted; others move on by a nanosecond, also after a restart."""
    files = SimFiles()
    journal = start(files)
    assert journal.stage([batch(5, 1.0)]) == [Accepted(1, 1, 0)]
    assert journal.stage([batch(5, 1.0)]) == [Accepted(1, 0, 1)]
    assert journal.stage([batch(5, 2.0)]) == [Accepted(2, 1, 0)]
    journal.flush()
    files.kill()
    journal = start(files)

    assert journal.stage([batch(5, 2.0), batch(5, 1.0), batch(5, 3.0)]) == [
        Accepted(2, 0, 1), Accepted(2, 0, 1), Accepted(3, 1, 0),
    ]  # fmt: skip
    journal.flush()

    assert [(p.t_ns, p.value) for e in read(journal) for p in e.batch.points()] == [(5, 1.0), (6, 2.0), (7, 3.0)]


def test_i6_of_a_figure_the_last_one_counts() -> None:
    """A corrected figure keeps its time, after a restart and back to an old value too; equal ones are dropped."""
    files = SimFiles()
    total = Series("p", "", "", "m", "energy_month", "kWh", Kind.WINDOW)
    said = Series("p", "", "", "m", "energy_month_statement", "", Kind.STATEMENT)

    def figures(value: float) -> Batch:
        points = [Point(total, 5, value), Point(said, 5, f"{value} kWh")]
        return Batch.of("carbon", points, received_ns=9, stream=Stream.RECORDS)

    journal = start(files)
    write(journal, figures(1.0), figures(2.0), figures(2.0))
    files.kill()
    journal = start(files)
    write(journal, figures(2.0), figures(1.0))
    found = [(point.t_ns, point.value) for entry in read(journal) for point in entry.batch.points()]

    assert [(5, 1.0), (5, "1.0 kWh"), (5, 2.0), (5, "2.0 kWh"), (5, 1.0), (5, "1.0 kWh")] == found


def test_i6_holds_for_a_series_in_both_streams() -> None:
    """After a restart, values that shared a time are known whichever streams they are in."""
    files = SimFiles()
    journal = start(files)
    write(journal, batch(5, 1.0, stream=Stream.RECORDS), batch(5, 2.0), batch(5, 3.0, stream=Stream.RECORDS))
    files.kill()
    journal = start(files)
    write(journal, batch(5, 4.0), batch(5, 2.0))

    points = [point for entry in read(journal) for point in entry.batch.points()]
    assert [(5, 1.0), (6, 2.0), (7, 3.0), (8, 4.0)] == [(point.t_ns, point.value) for point in points]


def test_i7_a_number_always_means_the_same_bytes() -> None:
    """What is read again after a restart is equal, value by value and time by time."""
    files = SimFiles()
    journal = start(files)
    fill(journal, count=20)
    before = [(entry.seq, list(entry.batch.points()), entry.batch.received_ns) for entry in read(journal)]
    files.kill()

    assert [(e.seq, list(e.batch.points()), e.batch.received_ns) for e in read(start(files))] == before


@pytest.mark.parametrize("offset", range(0, 700, 7))
def test_i8_a_flipped_bit_loses_one_batch_at_most(offset: int) -> None:
    """Wherever it is in a sealed segment; and if a point is lost, a gap says so."""
    files = SimFiles()
    journal = start(files)
    fill(journal, count=10)
    journal.close()
    (path,) = segments(files, "telemetry")
    files.overwrite(path, offset, bytes([files.content(path)[offset] ^ 16]))
    journal = start(files)
    kept = values(read(journal))
    journal.flush()

    assert len(kept) >= 36
    assert sum(points or 0 for _, points in gaps(read(journal))) == 40 - len(kept)


@pytest.mark.parametrize("name", ["store.id", "series.log", "LOCK", "cursors/sink.0", "cursors/sink.1", "reserve"])
@pytest.mark.parametrize("garbage", [b"", b"\0" * 5000, b"RWRC" * 500], ids=["empty", "zeros", "magics"])
def test_i9_it_starts_whatever_a_small_file_holds(name: str, garbage: bytes) -> None:
    """And everything in the log is still there."""
    files = SimFiles()
    journal = start(files)
    fill(journal, count=10)
    confirm(journal, "sink", 3)
    confirm(journal, "sink", 4)
    journal.close()
    path = DIRECTORY / name
    files.unlink(path)
    handle = files.open(path, create=True)
    files.write(handle, [garbage], 0)
    journal = start(files)

    assert len(values(read(journal))) == 40
    assert journal.cursor("sink").confirmed.seq in (0, 3, 4)


@pytest.mark.parametrize("seed", range(30))
def test_i9_it_starts_whatever_a_segment_holds(seed: int) -> None:
    """Random bytes over random places of every file."""
    chance = random.Random(seed)
    files = SimFiles()
    journal = start(files)
    fill(journal, count=80)
    files.kill()
    for path in files.paths():
        files.overwrite(path, chance.randrange(3000), chance.randbytes(chance.randrange(1, 3000)))

    journal = start(files)
    read(journal)
    write(journal, batch(10_000, 7.0))

    assert 7.0 in values(read(journal))


def test_i10_nothing_is_deleted_before_the_place_is_durable() -> None:
    """A confirmed segment stays while the cursor's file cannot be written."""
    files, clocks = SimFiles(), SimClocks()
    journal = start(files, clocks=clocks)
    journal.cursor("sink")
    fill(journal)
    count = len(segments(files, "telemetry"))
    files.fault = lambda method, path: errno.EIO if path.parent.name == "cursors" else None
    with pytest.raises(OSError, match="fails"):
        confirm(journal, "sink", 60)
    clocks.go_on(90_000)
    journal.tend()
    assert len(segments(files, "telemetry")) == count

    files.fault = lambda method, path: None
    journal.tend()
    assert len(segments(files, "telemetry")) == count - 1


def test_i11_the_disk_holds_the_quota_and_one_segment_at_most() -> None:
    """However much is written and nobody reads."""
    files = SimFiles()
    journal = start(files)
    journal.telemetry.quota_bytes = 16 << 10
    for first in range(1, 400, 40):
        fill(journal, first=first, count=40)
        used = sum(len(files.content(path)) for path in segments(files, "telemetry"))

        assert used <= (16 << 10) + (4 << 10)


@pytest.mark.parametrize("quota_mb", [1, 2, 10, 100, 2000])
def test_i11_the_shares_of_any_quota_fit_into_it(quota_mb: int) -> None:
    """Together they are the quota; each stream has room for several of its segments, records most of all."""
    shares = Shares.of(StoreConfig(quota_mb=quota_mb))

    assert shares.telemetry + shares.records + shares.letters + shares.reserve == quota_mb * 1_000_000
    assert shares.telemetry >= 4 * shares.segment
    assert shares.records >= 4 * shares.small_segment
    assert shares.letters >= 2 * shares.small_segment


@pytest.mark.parametrize("is_torn", [True, False])
def test_i12_a_tombstone_that_a_start_finds_says_why_it_was_dropped(is_torn: bool) -> None:
    """A full disk is not called a quota, whether or not the kill came before it was inscribed."""
    files = SimFiles()
    journal = start(files)
    fill(journal)
    dropped = journal.telemetry.closed[0]
    bury(files, dropped, "disk_full")
    if is_torn:
        files.overwrite(dropped.path.with_suffix(".full"), HEADER_BYTES, bytes(20))
    files.kill()

    told = gaps(read(start(files)))
    assert [("disk_full", None if is_torn else dropped.seal.points)] == told


def test_i12_every_dropped_point_is_counted_once_with_a_reason() -> None:
    """What is gone is the sum of what the gaps say, also over a restart."""
    files = SimFiles()
    journal = start(files)
    journal.telemetry.quota_bytes = 16 << 10
    fill(journal, count=400)
    journal.close()
    journal = start(files)
    found = read(journal)

    told = gaps(found)
    assert {reason for reason, _ in told} == {"quota"}
    assert sum(points or 0 for _, points in told) == 1600 - len(values(found)) > 0


def test_i12_what_a_gap_calls_lost_is_not_read_from_memory() -> None:
    """A reader gets each point or its gap, wherever the points are."""
    journal = start(SimFiles())
    journal.telemetry.quota_bytes = 16 << 10
    fill(journal, count=400)
    reader, found = Reader(journal, 0), []
    while reader.seq < journal.durable_seq:
        found += reader.next_in_memory(100) or reader.next_on_disk(100)

    assert sum(points or 0 for _, points in gaps(found)) == 1600 - len(values(found)) > 0


def test_i12_what_was_delivered_is_not_called_lost() -> None:
    """A reader that keeps up has no gaps, whatever the quota."""
    files = SimFiles()
    journal = start(files)
    journal.telemetry.quota_bytes = 16 << 10
    cursor = journal.cursor("sink")
    for first in range(1, 400, 10):
        fill(journal, first=first, count=10)
        cursor.confirmed = cursor.confirmed._replace(seq=journal.durable_seq)

    assert gaps(read(journal)) == []
    assert journal.losses.lost == {}


def test_i12_a_gap_that_is_dropped_unread_is_told_again() -> None:
    """When records themselves are dropped at their quota, the losses that lie in them stay told, points and reason."""
    files = SimFiles()
    journal = start(files)
    journal.records.quota_bytes = 200 << 10
    for number in range(7):
        journal.stage([Gap("opc", number, number + 1, "link_lost", 10)])
    journal.flush()
    rng = np.random.default_rng(1)
    for t_ns in range(1, 4001):
        journal.stage([batch(t_ns, *rng.random(4), stream=Stream.RECORDS)])
        if t_ns % 100 == 0:
            journal.flush()
    files.kill()
    found = read(start(files))

    told = gaps(found)
    assert min(entry.seq for entry in found) > 8, "the segment with the seven gaps is gone"
    assert sum(points or 0 for reason, points in told if reason == "link_lost") == 70
    assert sum(points or 0 for reason, points in told if reason == "quota") >= 16_000 - len(values(found)) > 0


def test_i13_after_a_failed_sync_the_data_goes_to_another_file() -> None:
    """The old file is never synced again, and a power cut loses nothing that was acknowledged."""
    files = SimFiles()
    journal = start(files)
    write(journal, batch(1, 1.0))
    (old,) = segments(files, "telemetry")
    failed: list[Path] = []

    def fault(method: str, path: Path) -> int | None:
        assert not (failed and method == "sync" and path == old), "a file whose sync failed was synced again"
        if method == "sync" and path == old:
            failed.append(path)
            return errno.EIO
        return None

    files.fault = fault
    write(journal, batch(2, 2.0))
    assert len(segments(files, "telemetry")) == 2

    files.fault = lambda method, path: None
    files.crash(random.Random(1))
    assert values(read(start(files))) == [1.0, 2.0]


def test_i14_a_reader_that_comes_back_goes_on_and_a_new_one_sees_everything() -> None:
    """Identity is by name: leaving a sink out for a while, or adding one, orphans nothing."""
    files = SimFiles()
    journal = start(files)
    fill(journal, count=6)
    confirm(journal, "influx", 4)
    journal.close()
    start(files).close()  # an agent without that sink

    journal = start(files)

    assert journal.cursor("influx").confirmed.seq == 4
    assert journal.cursor("other").confirmed.seq == 0


def test_i15_a_commit_writes_little_more_than_its_payload() -> None:
    """One write and one sync for a commit into an open segment: no other file is touched."""
    files = SimFiles()
    journal = start(files, segment_kb=1024)
    fill(journal, count=2)
    files.writes.clear()
    synced: list[Path] = []
    files.fault = lambda method, path: synced.append(path) if method.startswith("sync") else None  # type: ignore[func-returns-value]
    fill(journal, first=10, count=1)

    assert len(files.writes) == 1
    assert files.writes[0][1] < 2 * HEADER_BYTES + 4 * 25 + 40
    assert synced == segments(files, "telemetry")


def test_a_start_with_much_data_is_quick(tmp_path: Path) -> None:
    """Sealed segments are known from their last 176 bytes: a start reads a few MB whatever lies there."""
    config = StoreConfig(segment_mb=1.0)
    journal = Journal(tmp_path, plant="p", config=config, files=OsFiles(), clocks=OsClocks())
    journal.open()
    fill(journal, count=5)
    journal.close()

    clocks = OsClocks()
    began = clocks.monotonic()
    journal = Journal(tmp_path, plant="p", config=config, files=OsFiles(), clocks=clocks)
    journal.open()
    journal.close()

    assert clocks.monotonic() - began < 2.0
