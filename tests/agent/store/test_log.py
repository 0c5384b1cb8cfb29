"""The log as sources and sinks see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.store import Locked
from agent.store.config import StoreConfig
from agent.store.dead_letters import read_letters
from agent.store.intake import Accepted
from agent.store.log import Log
from collectors.points import Batch, DeadLetter, Gap, Kind, Point, Series, Stream, Urgency

SPEED = Series("p", "", "", "lathe", "speed", "rpm")
NAME = Series("p", "", "", "lathe", "program", kind=Kind.TEXT)
QUICK = StoreConfig(linger_s=0.0, segment_mb=1.0)


def batch(*points: Point, stream: Stream = Stream.TELEMETRY, source: str = "opc") -> Batch:
    return Batch.of(source, points, received_ns=77, stream=stream, urgency=Urgency.NOW)


async def read_all(log: Log, name: str) -> list[tuple[int, list[Point]]]:
    cursor, found = log.cursor(name), []
    while cursor.pending()[0]:
        entries = await cursor.read(max_points=100, linger_s=0.0)
        found += [(entry.seq, list(entry.batch.points())) for entry in entries]
        await cursor.commit(entries[-1].seq, b"")
    return found


async def test_what_was_appended_is_read_in_order_over_both_streams(tmp_path: Path) -> None:
    """Telemetry, a text, a gap: one sequence, points equal."""
    first, second = Point(SPEED, 10, 1.5), Point(NAME, 11, "内圈磨削")
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        accepted = [await log.append(batch(first)), await log.append(batch(second, stream=Stream.RECORDS))]
        await log.append(Gap("opc", 1, 2, "link_lost", 5))
        found = await read_all(log, "sink")

    assert accepted == [Accepted(1, 1, 0), Accepted(2, 1, 0)]
    assert [seq for seq, _ in found] == [1, 2, 3]
    assert found[0][1] == [first]
    assert found[1][1] == [second]
    assert found[2][1][0].series.signal == "gap"


async def test_a_reader_goes_on_where_it_confirmed_after_a_restart(tmp_path: Path) -> None:
    """Position and state survive; what was read and not confirmed comes again."""
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        for t in (1, 2, 3):
            await log.append(batch(Point(SPEED, t, float(t))))
        cursor = log.cursor("sink")
        entries = await cursor.read(max_points=3, linger_s=0.0)
        await cursor.commit(entries[0].seq, b"state")

    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        cursor = log.cursor("sink")
        again = await cursor.read(max_points=3, linger_s=0.0)

        assert cursor.state == b"state"
        assert [entry.seq for entry in again] == [2, 3]
        assert cursor.pending() == (2, 77)


async def test_equal_points_are_dropped_and_others_at_the_same_time_move_on(tmp_path: Path) -> None:
    """One value per series and timestamp, also after a restart."""
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        await log.append(batch(Point(SPEED, 5, 1.0)))
        assert await log.append(batch(Point(SPEED, 5, 1.0))) == Accepted(1, 0, 1)
        assert await log.append(batch(Point(SPEED, 5, 2.0))) == Accepted(2, 1, 0)
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        assert await log.append(batch(Point(SPEED, 6, 2.0))) == Accepted(2, 0, 1)
        found = await read_all(log, "sink")

    assert [point for _, points in found for point in points] == [Point(SPEED, 5, 1.0), Point(SPEED, 6, 2.0)]


async def test_two_agents_cannot_open_one_store(tmp_path: Path) -> None:
    """The second one is told what to do."""
    async with Log.open(QUICK, directory=tmp_path, plant="p"):
        with pytest.raises(Locked, match="another agent"):
            async with Log.open(QUICK, directory=tmp_path, plant="p"):
                pass


async def test_a_dead_letter_is_kept_with_its_bytes(tmp_path: Path) -> None:
    """And can be read while the agent runs."""
    letter = DeadLetter("mqtt", 5, "plant/meter", "no such field", b'{"x":', points=1)
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        await log.append(letter)

        assert [kept.letter for kept in read_letters(tmp_path)] == [letter]
