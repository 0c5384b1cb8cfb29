"""After an outage: the newest at once, the rest oldest first and not too fast, everything once, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from agent.drain import Pace
from agent.sink import Retry
from tests.agent.drain.plants import PER_S, Plant, outage, told


@pytest.fixture
def plant() -> Plant:
    return Plant()


def test_without_trouble_there_is_one_lane(plant: Plant) -> None:
    """Everything goes in order, and nothing is split."""

    async def story(plant: Plant) -> None:
        await asyncio.sleep(100)

    told(plant, story)

    assert sorted(plant.server.order) == plant.server.order
    assert (1, 2) == (len(plant.lanes), len(plant.sinks))


def test_the_newest_first_after_an_outage(plant: Plant) -> None:
    """Once the server is back, new records wait seconds, while those of the outage come oldest first beside them."""

    async def story(plant: Plant) -> None:
        await asyncio.sleep(10)
        await outage(plant, 300)
        await asyncio.sleep(90)  # the longest back-off, and a while

    told(plant, story)
    back = plant.server.order[plant.server.order.index(12) :]
    waited = [seq for seq in back if plant.made[seq] < 310]

    assert plant.lag_s(after_s=372) <= 5.0
    assert plant.server.twice == []
    assert sorted(waited) == waited


def test_all_comes_once_and_the_lanes_are_one_again(plant: Plant) -> None:
    """The backlog ends where the live lane began; the state of both is joined once, and points are counted once."""

    async def story(plant: Plant) -> None:
        await outage(plant, 300)
        await asyncio.sleep(61)
        await plant.until(lambda: len(plant.lanes) == 1)

    events = told(plant, story)
    count = len(plant.server.came_s)

    assert [] == plant.server.twice
    assert set(range(1, count + 1)) == set(plant.server.came_s)
    assert count * PER_S == plant.status.points
    assert [1] == [len(sink.joins) for sink in plant.sinks if sink.joins]
    assert ["sink.blocked", "sink.delivering"] == [event["event"] for event in events]


def test_the_live_lane_is_not_slowed_by_the_pace() -> None:
    """A backlog at five times the live rate: records made meanwhile come within five seconds."""
    plant = Plant(most_per_s=5 * PER_S)

    async def story(plant: Plant) -> None:
        await outage(plant, 600)
        await plant.until(lambda: len(plant.lanes) == 2)
        await plant.until(lambda: len(plant.lanes) == 1)

    told(plant, story)
    replay = [came for seq, came in plant.server.came_s.items() if plant.made[seq] < 600]

    assert plant.lag_s(after_s=max(660.0, min(replay))) <= 5.0
    assert max(replay) - min(replay) >= 600 / 5 * 0.9


def test_the_backlog_begins_by_chance() -> None:
    """Nothing of it is sent before the moment that was drawn."""
    plant = Plant(begins_s=40.0)
    split_s = 0.0

    async def story(plant: Plant) -> None:
        nonlocal split_s
        await outage(plant, 300)
        await plant.until(lambda: len(plant.lanes) == 2)
        split_s = asyncio.get_running_loop().time()
        await plant.until(lambda: len(plant.lanes) == 1)

    told(plant, story)
    later = sorted(came for seq, came in plant.server.came_s.items() if plant.made[seq] < 290 and came > split_s + 1)

    assert later[0] - split_s >= 39.0


def test_a_second_outage_makes_a_third_lane(plant: Plant) -> None:
    """The live lane falls behind once more while the backlog is not done: again the newest first, and nothing twice."""
    plant.pace = Pace(most_per_s=3 * PER_S)
    most = 0

    async def story(plant: Plant) -> None:
        nonlocal most
        await outage(plant, 600)
        await plant.until(lambda: len(plant.lanes) == 2)
        await asyncio.sleep(30)
        await outage(plant, 100)
        await plant.until(lambda: len(plant.lanes) == 3)
        await plant.until(lambda: len(plant.lanes) == 1)

    told(plant, story)

    assert [] == plant.server.twice
    assert set(range(1, len(plant.server.came_s) + 1)) == set(plant.server.came_s)


def test_a_server_that_is_down_is_asked_once(plant: Plant) -> None:
    """While the live lane is refused, the backlog does not try: a second at least between tries, on average."""
    plant.pace = Pace(most_per_s=PER_S)

    async def story(plant: Plant) -> None:
        await outage(plant, 300)
        await plant.until(lambda: len(plant.lanes) == 2)
        plant.server.failed_s.clear()
        await outage(plant, 300)

    told(plant, story)
    tries = plant.server.failed_s

    assert len(tries) >= 5
    assert len(tries) - 2 <= tries[-1] - tries[0]


def test_a_server_that_is_busy_slows_the_backlog(plant: Plant) -> None:
    """Asked to wait, both lanes wait, and the backlog goes on at a fraction of its pace."""

    async def story(plant: Plant) -> None:
        await outage(plant, 300)
        await plant.until(lambda: len(plant.lanes) == 2)
        plant.server.trouble = Retry("busy", blocked="throttled", after_s=3.0)
        await asyncio.sleep(10)
        plant.server.trouble = None

    told(plant, story)

    assert plant.pace.per_s <= 1_000


def test_a_defect_at_one_record_holds_the_others_for_minutes_only() -> None:
    """The record is dead-lettered with the reason and counted, all others arrive once."""
    plant = Plant()
    plant.server.poison = 5

    async def story(plant: Plant) -> None:
        await plant.until(lambda: bool(plant.letters) and plant.lanes.pending()[0] <= PER_S)

    told(plant, story)

    assert [letter.points for letter in plant.letters] == [plant.status.dead_letters] == [PER_S]
    assert (5 in plant.server.came_s, 4 in plant.server.came_s, 6 in plant.server.came_s) == (False, True, True)
