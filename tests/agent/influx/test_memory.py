"""The memory of qualities: packed, unpacked, carried on, joined where one lane goes on in the stead of another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from agent.influx.lines import Encoder
from agent.influx.memory import UNKNOWN, Memory
from agent.influx.sink import InfluxSink
from collectors.points import BAD, GOOD, Point, Series
from tests.agent.influx.worlds import T, entry

METERS = tuple(Series("p", "", "", f"meter-{number}", "power", "kW") for number in range(4))


def digests(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint32)


def lines(encoder: Encoder, *points: tuple[int, int, int]) -> str:
    """Encode and keep (meter, time, quality)."""
    found = [
        Point(METERS[meter], T + at, math.nan if quality >= BAD else 1.0, quality) for meter, at, quality in points
    ]
    encoded = encoder.encode([entry(1, *found).batch])
    encoder.keep(encoded)
    return encoded.lines.body(range(len(encoded.lines))).decode()


@pytest.mark.parametrize(
    "memory",
    [Memory(), Memory(digests(1, 7)), UNKNOWN, Memory(digests(3), digests(1, 7)), Memory(digests(3), digests())],
    ids=["all good", "some bad", "unknown", "some known", "one known"],
)
def test_packed_and_unpacked(memory: Memory) -> None:
    """Nothing is lost; all Good costs no byte."""
    again = Memory.unpack(memory.pack())

    assert memory.bad.tolist() == again.bad.tolist()
    assert (memory.good is None) == (again.good is None)
    assert (memory.good is None) or memory.good.tolist() == again.good.tolist()  # type: ignore[union-attr]
    assert b"" == Memory().pack()


def test_in_the_middle_the_first_good_value_tells_its_quality() -> None:
    """Once for each series, and again only when something was wrong."""
    encoder = Encoder("raceway", InfluxSink.beginning)

    first, second = lines(encoder, (0, 1, GOOD), (1, 1, BAD)), lines(encoder, (0, 2, GOOD), (1, 2, GOOD), (2, 2, GOOD))

    assert first.count("power_quality=0.0") == 1
    assert second.count("power_quality=0.0") == 2
    assert "meter-0" not in "".join(line for line in second.splitlines() if "_quality" in line)


def test_the_same_after_a_restart_in_the_middle() -> None:
    """What is known is restored, and what is not known stays unknown: the same lines byte for byte."""
    whole = Encoder("raceway", InfluxSink.beginning)
    lines(whole, (0, 1, GOOD), (1, 1, BAD))
    restored = Encoder("raceway", whole.state())
    story: Sequence[tuple[int, int, int]] = ((0, 2, GOOD), (1, 2, GOOD), (3, 2, BAD), (3, 3, GOOD))

    assert lines(whole, *story) == lines(restored, *story)
    assert whole.state() == restored.state()


def test_joined_is_what_one_lane_in_order_would_know() -> None:
    """Series that the newer lane saw are as it says, the others as the older one says."""
    old, new, order = Encoder("raceway"), Encoder("raceway", InfluxSink.beginning), Encoder("raceway")
    before, after = ((0, 1, BAD), (1, 1, BAD), (2, 1, GOOD)), ((0, 2, GOOD), (2, 2, BAD))
    lines(old, *before)
    lines(new, *after)
    lines(order, *before)
    lines(order, *after)

    joined = Memory.unpack(old.state()).joined(Memory.unpack(new.state()))

    assert order.state() == joined.pack()


def test_joined_with_an_unknown_older_one_stays_unknown() -> None:
    """As after a rewind: only what either of them saw is known."""
    older, newer = Memory(digests(1), digests(2)), Memory(digests(2), digests(1, 5))

    joined = older.joined(newer)

    assert joined.good is not None
    assert ([2], [1, 5]) == (joined.bad.tolist(), joined.good.tolist())


def test_a_newer_one_that_knows_all_is_right() -> None:
    """The live lane came first and knew everything before the rewind."""
    newer = Memory(digests(9))

    assert newer is UNKNOWN.joined(newer)
