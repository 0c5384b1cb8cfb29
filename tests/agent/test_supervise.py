"""The loop that keeps sources alive."""

import asyncio
from typing import NamedTuple, NoReturn

import pytest

from agent.backoff import Backoff
from agent.supervise import supervise
from collectors.points import Batch, Delivery, Point, Series
from collectors.source import Deliver, SourceLost, SourceStatus

POWER = Series("plant", "", "", "cnc-1", "power", "kW")


class Accepted(NamedTuple):
    points: int


class Scripted:
    """A source that lives the given lives, one after the other, then stays connected."""

    name = "scripted"

    def __init__(self, *lives: Exception) -> None:
        self.status = SourceStatus(kind="scripted")
        self._lives = list(lives)
        self.started = 0
        self.steady = asyncio.Event()

    async def run(self, deliver: Deliver) -> NoReturn:
        self.started += 1
        await deliver(Batch.of(self.name, [Point(POWER, self.started, 1.0)], received_ns=0))
        if self._lives:
            raise self._lives.pop(0)
        self.status.connected()
        self.steady.set()
        await asyncio.Event().wait()
        raise AssertionError("never reached")


class Recorded(Backoff):
    """A back-off that does not wait, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(uniform=lambda _low, high: high)
        self.asked: list[float] = []

    async def pause(self, *, at_least_s: float = 0.0) -> None:
        self.asked.append(max(at_least_s, self.next_s()))
        await asyncio.sleep(0)


async def accept(_delivery: Delivery) -> Accepted:
    return Accepted(1)


async def until_steady(source: Scripted, backoff: Backoff) -> None:
    task = asyncio.create_task(supervise(source, accept, backoff=backoff))
    await asyncio.wait_for(source.steady.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_lost_source_is_started_again() -> None:
    """Three lost lives are followed by a fourth that stays, and the status ends connected."""
    source = Scripted(SourceLost("cut"), SourceLost("cut"), SourceLost("cut"))

    await until_steady(source, Recorded())

    assert (source.started, source.status.state, source.status.points) == (4, "connected", 4)


async def test_an_unforeseen_fault_is_only_a_lost_life() -> None:
    """A bug in a collector restarts that collector and nothing else."""
    source = Scripted(ZeroDivisionError("oops"))

    await until_steady(source, Recorded())

    assert source.started == 2


async def test_a_source_may_ask_for_a_long_pause() -> None:
    """A refused password is not hammered: the pause is at least what the source asked for."""
    source, backoff = Scripted(SourceLost("wrong password", hold_s=300.0)), Recorded()

    await until_steady(source, backoff)

    assert backoff.asked == [300.0]


async def test_data_starts_the_back_off_anew() -> None:
    """A life that delivered something is followed by the shortest pause again."""
    source, backoff = Scripted(*[SourceLost("cut")] * 5), Recorded()

    await until_steady(source, backoff)

    assert backoff.asked == [1.0] * 5


async def test_the_loss_is_said_for_people() -> None:
    """The status carries the reason and counts the attempts."""
    status = SourceStatus(kind="opcua")
    status.lost("the server does not answer: check its power and the network")
    status.lost("the server does not answer: check its power and the network")

    assert (status.state, status.attempts) == ("lost", 2)
