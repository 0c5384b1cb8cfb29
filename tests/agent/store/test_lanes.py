"""Lanes: the newest first, the rest oldest first, and nothing left out or read twice, whatever falls between."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed, Lane, Slot
from agent.store.lanes import MOST_LANES, Cursor, Lanes
from agent.store.log import Log
from collectors.points import Batch, Point, Series, Urgency

SPEED = Series("p", "", "", "lathe", "speed", "rpm")
QUICK = StoreConfig(linger_s=0.0, segment_mb=1.0)
STORE = bytes(range(16))


async def produce(log: Log, first: int, last: int) -> None:
    """One record of one point for each number."""
    for number in range(first, last + 1):
        point = Point(SPEED, number, float(number))
        await log.append(Batch.of("opc", [point], received_ns=1_000 + number, urgency=Urgency.NOW))


async def take(lane: Cursor, most: int = 1) -> list[int]:
    """Read and confirm up to `most` records; their numbers."""
    entries = await lane.read(max_points=most, linger_s=0.0)
    if entries:
        await lane.commit(entries[-1].seq, lane.state)
    return [entry.seq for entry in entries]


async def rest(lanes: Lanes) -> list[int]:
    """Everything that is left, oldest lane first."""
    found: list[int] = []
    while lanes.pending()[0]:
        if taken := await take(lanes.oldest, 10):
            found += taken
        else:
            lanes.join(b"joined")
    return found


async def test_the_newest_first_then_the_oldest(tmp_path: Path) -> None:
    """A live lane begins with what comes next; the first lane ends there, and the live one takes over."""
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        await produce(log, 1, 5)
        lanes = log.lanes("influx")
        assert [1] == await take(lanes.oldest)
        lanes.split(b"fresh")
        await produce(log, 6, 8)

        assert [6, 7] == await take(lanes.live, 2)
        assert (5, 1_002) == lanes.pending()
        assert [2, 3, 4, 5] == await take(lanes.oldest, 10)
        assert [] == await lanes.oldest.read(max_points=10, linger_s=0.0)
        assert lanes.oldest.is_over
        lanes.join(b"joined")

        assert (1, b"joined", 7) == (len(lanes), lanes.live.state, lanes.live.seq)
        assert [8] == await take(lanes.live, 10)
        assert (0, 0) == lanes.pending()


async def test_lanes_survive_a_restart(tmp_path: Path) -> None:
    """What each lane confirmed, and its state, are where they were; a reader in order starts after the first lane."""
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        await produce(log, 1, 4)
        lanes = log.lanes("influx")
        await lanes.oldest.read(max_points=2, linger_s=0.0)
        await lanes.oldest.commit(2, b"old")
        lanes.split(b"fresh")
        await produce(log, 5, 7)
        entries = await lanes.live.read(max_points=2, linger_s=0.0)
        await lanes.live.commit(entries[-1].seq, b"new")

    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        lanes = log.lanes("influx")
        assert [(2, b"old"), (6, b"new")] == [(lane.seq, lane.state) for lane in (lanes.oldest, lanes.live)]
        assert 3 == lanes.pending()[0]
        in_order = log.cursor("influx")
        assert 5 == in_order.pending()[0]
        assert [3, 4, 5, 6, 7] == await take(in_order, 10)


async def test_a_lane_that_is_forgotten_is_read_again(tmp_path: Path) -> None:
    """More splits than lanes: the one that has done least is given up, and its numbers come again."""
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        await produce(log, 1, 2)
        lanes = log.lanes("influx")
        seen: list[int] = []
        for number in range(MOST_LANES + 3):
            lanes.split(b"fresh")
            await produce(log, 3 + 2 * number, 4 + 2 * number)
            seen += await take(lanes.live, 1)
        pending = lanes.pending()[0]
        seen += (left := await rest(lanes))

    assert pending == len(left)
    assert set(range(1, 2 * MOST_LANES + 9)) == set(seen)


@pytest.mark.parametrize("seed", range(40))
async def test_any_order_of_splits_restarts_and_reads_leaves_nothing_out(tmp_path: Path, seed: int) -> None:
    """Every number is read at least once, `pending` counts what is left, and each lane's numbers rise."""
    chance = random.Random(seed)
    seen: set[int] = set()
    last = 0
    for _ in range(3):
        async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
            lanes = log.lanes("influx")
            for _ in range(30):
                match chance.choice(["produce", "oldest", "live", "split", "join"]):
                    case "produce":
                        await produce(log, last + 1, last + 3)
                        last += 3
                    case "split":
                        lanes.split(b"fresh")
                    case "join" if len(lanes) > 1 and not await lanes.oldest.read(max_points=0, linger_s=0.0):
                        lanes.join(b"")
                    case "join" if len(lanes) > 1:
                        break  # read and not confirmed: as after a kill, it comes again
                    case "oldest" if len(lanes) > 1:
                        seen.update(await take(lanes.oldest, chance.randint(1, 9)))
                    case "live" if lanes.live.seq < last:
                        seen.update(await take(lanes.live, chance.randint(1, 9)))
                    case _:
                        pass
                assert last - len(seen) <= lanes.pending()[0] <= last
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        lanes = log.lanes("influx")
        seen.update(await rest(lanes))

    assert set(range(1, last + 1)) == seen


def test_a_place_of_several_lanes_is_packed_and_read_back() -> None:
    """Version 2 holds a state for each lane, empty ones too, larger than a block too."""
    confirmed = Confirmed(7, b"old", (Lane(9, 9, b""), Lane(20, 30, b"x" * 5_000)))

    assert Slot(3, STORE, confirmed) == Slot.unpack(Slot(3, STORE, confirmed).pack())


def test_a_place_in_order_keeps_its_first_format() -> None:
    """Byte for byte what version 1 wrote, which is read for ever."""
    written = bytes.fromhex(
        "52574355 900818de 01000000 01000000 03000000 00000000 0500000000000000 000102030405060708090a0b0c0d0e0f"
        "0000000000000000 2a00000000000000 616263"
    )
    confirmed = Confirmed(42, b"abc")

    assert written == Slot(5, STORE, confirmed).pack()[: len(written)]
    assert Slot(5, STORE, confirmed) == Slot.unpack(written)
