"""Time as a source."""

import asyncio

import pytest

from agent.heartbeat import Heartbeat
from agent.status import Board
from collectors.points import Batch, Delivery, Point, Series, Urgency

RSS = Series("plant", "", "", "raceway", "rss", "MB")


async def run_until(
    heartbeat: Heartbeat, batches: list[Batch], wanted: int, *, slow: asyncio.Event | None = None
) -> None:
    """Let it tick until `wanted` points were delivered."""
    enough = asyncio.Event()

    async def deliver(delivery: Delivery) -> None:
        assert isinstance(delivery, Batch)
        batches.append(delivery)
        if sum(len(batch) for batch in batches) >= wanted:
            enough.set()
        if slow is not None:
            await slow.wait()

    task = asyncio.create_task(heartbeat.run(deliver))
    await asyncio.wait_for(enough.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_ticks_reach_the_log_as_points_of_the_agent() -> None:
    """Each tick is one point of the signal `up`, stamped by the gateway, and may wait for other data."""
    batches: list[Batch] = []

    await run_until(Heartbeat(Board(plant="plant"), list, interval_s=0.01), batches, 3)

    first = next(iter(batches[0].points()))
    assert (first.series.machine, first.series.signal, batches[0].urgency) == ("raceway", "up", Urgency.IDLE)


async def test_the_agents_own_measurements_go_through_the_log() -> None:
    """With the first tick, and each tenth, come the measurements of the agent itself."""
    batches: list[Batch] = []

    await run_until(Heartbeat(Board(), lambda: [Point(RSS, 1, 63.0)], interval_s=0.01), batches, 2)

    assert RSS in batches[0].series


async def test_ticks_wait_for_a_slow_disk_and_travel_together() -> None:
    """While one delivery is on its way the ticks add up, none is lost, and only one delivery waits."""
    batches: list[Batch] = []
    disk = asyncio.Event()
    heartbeat = Heartbeat(Board(), list, interval_s=0.01)
    asyncio.get_running_loop().call_later(0.1, disk.set)

    await run_until(heartbeat, batches, 5, slow=disk)

    assert len(batches[0]) == 1
    assert len(batches[1]) >= 4
