"""The backlog stands back for the live lane, and begins at once where no outage was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.sink import Entry
from tests.agent.drain.plants import PER_S, Plant, outage, told


def hold_up(plant: Plant, seconds: float) -> None:
    """The live lane's next write takes so long."""
    live = plant.sinks[0]
    usual = live.write

    async def slow(entries: Sequence[Entry]) -> bytes:
        live.write = usual  # type: ignore[method-assign]
        await asyncio.sleep(seconds)
        return await usual(entries)

    live.write = slow  # type: ignore[method-assign]


def test_a_late_write_has_the_server_to_itself() -> None:
    """From 2.5 s on that new values wait for the server, nothing of the backlog is sent until they are taken."""
    plant = Plant(most_per_s=5 * PER_S)
    held_s = 0.0

    async def story(plant: Plant) -> None:
        nonlocal held_s
        await outage(plant, 600)
        await plant.until(lambda: len(plant.lanes) == 2)
        await asyncio.sleep(20)
        hold_up(plant, 20)
        held_s = asyncio.get_running_loop().time()
        await plant.until(lambda: len(plant.lanes) == 1)

    told(plant, story)
    backlog_s = [came for seq, came in plant.server.came_s.items() if plant.made[seq] < 600]

    assert [came for came in backlog_s if held_s < came < held_s + 2]
    assert [] == [came for came in backlog_s if held_s + 5 < came < held_s + 20]
    assert [] == plant.server.twice


def test_a_delay_without_an_outage_is_made_good_at_once() -> None:
    """A server that only took long is not spared: what waited for it follows without a pause or a slow beginning."""
    plant = Plant(begins_s=40.0)
    split_s = 0.0

    async def story(plant: Plant) -> None:
        nonlocal split_s
        await asyncio.sleep(10)
        hold_up(plant, 30)
        await plant.until(lambda: len(plant.lanes) == 2)
        split_s = asyncio.get_running_loop().time()
        await plant.until(lambda: len(plant.lanes) == 1)

    told(plant, story)
    waited_s = [came for seq, came in plant.server.came_s.items() if 11 < plant.made[seq] < split_s - 1]

    assert max(waited_s) - split_s <= 3.0
