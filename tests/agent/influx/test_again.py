"""Figures of which the latest counts: written again at the same time, whatever lane they come through."""

from __future__ import annotations

import pytest

from agent.influx.lines import Encoder
from agent.influx.memory import UNKNOWN, Memory
from collectors.points import GOOD, UNCERTAIN, Kind, Point, Series
from tests.agent.influx.worlds import T, entry
from tests.fakes.influx_database import Database, FieldValue

HOUR = Series("p", "", "", "meter-1", "energy_hour", "kWh", Kind.WINDOW)
STATEMENT = Series("p", "", "", "meter-1", "statement", kind=Kind.STATEMENT)


class Lane:
    """An encoder over a database, and its state."""

    def __init__(self, database: Database, state: bytes = b"") -> None:
        self.database = database
        self.encoder = Encoder("raceway", state)

    def write(self, *points: tuple[float | str, int]) -> bytes:
        """(value, quality) of one window, one after the other; the state after it."""
        found = [Point(STATEMENT if isinstance(value, str) else HOUR, T, value, code) for value, code in points]
        due, encoded = self.encoder.due(), self.encoder.encode([entry(1, *found).batch])
        for lines in (due, encoded.lines):
            assert 204 == self.database.write(lines.body(range(len(lines))))[0]
        self.encoder.keep(encoded)
        return self.encoder.state()


def held(database: Database) -> dict[str, FieldValue]:
    return {key.field: value for key, value in database.points.items()}


@pytest.mark.parametrize("value", [2.5, 'a "text", with = signs\nand lines'], ids=["number", "text"])
def test_the_latest_of_one_read_is_written(value: float | str) -> None:
    """One line holds no field twice, and nothing is kept where everything is in turn."""
    database = Database()
    first: float | str = 1.0 if isinstance(value, float) else "other"

    state = Lane(database).write((first, UNCERTAIN), (value, GOOD))

    assert [value, 0.0] == [*held(database).values()]
    assert (b"", set()) == (state, database.rewritten)


def test_a_correction_takes_the_quality_with_it() -> None:
    """A value that was doubtful and is corrected is no longer called doubtful, though another window came between."""
    database = Database()
    lane = Lane(database)

    lane.write((1.0, UNCERTAIN))
    lane.write(("between", GOOD))
    lane.write((2.0, GOOD))

    assert (2.0, 0.0) == (held(database)["energy_hour"], held(database)["energy_hour_quality"])


def test_the_newest_counts_whichever_lane_wrote_last() -> None:
    """The live lane wrote the correction before the backlog wrote what it corrects: it is told again after the join."""
    database = Database()
    live = Lane(database, UNKNOWN.pack()).write((2.0, GOOD))
    backlog = Lane(database).write((1.0, UNCERTAIN))
    overwritten = held(database)["energy_hour"]

    joined = Memory.unpack(backlog).joined(Memory.unpack(live)).pack()
    state = Lane(database, joined).write(("any other", GOOD))

    assert (1.0, 2.0, 0.0) == (overwritten, held(database)["energy_hour"], held(database)["energy_hour_quality"])
    assert not Memory.unpack(state).again


def test_what_is_told_again_survives_a_restart_and_three_lanes() -> None:
    """The state packs and unpacks; of several lanes the later one's figure counts."""
    database = Database()
    second = Lane(database, UNKNOWN.pack()).write((2.0, GOOD))
    third = Lane(database, UNKNOWN.pack()).write((3.0, GOOD), ("新", GOOD))
    first = Lane(database).write((1.0, GOOD))

    joined = Memory.unpack(first).joined(Memory.unpack(second)).pack()
    joined = Memory.unpack(joined).joined(Memory.unpack(third)).pack()
    Lane(database, joined).write(("last", GOOD))

    assert (3.0, "last") == (held(database)["energy_hour"], held(database)["statement"])
    assert [Memory.unpack(joined).pack()] == [joined]
