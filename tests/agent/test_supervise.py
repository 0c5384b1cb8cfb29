"""The loop that keeps sources alive."""

import asyncio
from typing import NamedTuple, NoReturn

import pytest
import structlog

from agent.backoff import Backoff
from agent.store.writer import StoreFailed
from agent.supervise import supervise
from collectors.points import Batch, DeadLetter, Delivery, Point, Series
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


async def test_a_batch_that_cannot_be_stored_is_a_dead_letter() -> None:
    """The log refuses half a character: the batch is kept whole as a dead letter, and the source goes on."""
    kept: list[Delivery] = []

    async def refuse(delivery: Delivery) -> Accepted:
        if isinstance(delivery, Batch):
            raise ValueError("half a character")
        kept.append(delivery)
        return Accepted(0)

    source = Scripted()
    task = asyncio.create_task(supervise(source, refuse, backoff=Recorded()))
    await asyncio.wait_for(source.steady.wait(), 5)
    task.cancel()

    (letter,) = kept
    assert isinstance(letter, DeadLetter)
    assert ("half a character" in letter.reason, letter.points, b"cnc-1" in letter.payload) == (True, 1, True)
    assert (source.status.dead_letters, source.status.points, source.status.faults) == (1, 0, 0)


@pytest.mark.parametrize("failed", [StoreFailed("a bug"), ExceptionGroup("tasks", [StoreFailed("a bug")])])
async def test_a_log_that_has_failed_ends_the_agent(failed: Exception) -> None:
    """Nothing can be kept any more: the fault goes up, also out of a source's task group."""
    with pytest.raises(type(failed)):
        await asyncio.wait_for(supervise(Scripted(failed), accept, backoff=Recorded()), 5)


async def test_the_traceback_of_a_fault_is_written_once() -> None:
    """A collector that fails at every start fills no journal: repeats are counted."""
    source = Scripted(*[ZeroDivisionError("oops")] * 4)

    with structlog.testing.capture_logs() as events:
        await until_steady(source, Recorded())

    assert [event["event"] for event in events if event.get("exc_info")] == ["source.failed"]
    assert source.status.faults == 4


async def test_what_a_source_says_of_itself_is_no_data() -> None:
    """A batch in the agent's name is kept, and counts neither as the source's points nor as a sign of life."""
    source = Scripted()
    kept: list[Delivery] = []

    async def run(deliver: Deliver) -> NoReturn:
        await deliver(Batch.of("raceway", [Point(POWER, 1, 1.0)], received_ns=0))
        source.steady.set()
        await asyncio.Event().wait()
        raise AssertionError("never reached")

    async def append(delivery: Delivery) -> Accepted:
        kept.append(delivery)
        return Accepted(1)

    source.run = run  # type: ignore[method-assign]
    task = asyncio.create_task(supervise(source, append, backoff=Recorded()))
    await asyncio.wait_for(source.steady.wait(), 10)
    task.cancel()
    await asyncio.wait({task})
    assert (len(kept), source.status.points, source.status.last_data_ns) == (1, 0, 0)


async def test_events_of_a_source_carry_its_name() -> None:
    """Whatever is logged in a source's life says which source."""
    seen: list[object] = []

    class Named(Scripted):
        async def run(self, deliver: Deliver) -> NoReturn:
            seen.append(structlog.contextvars.get_contextvars().get("source"))
            await super().run(deliver)

    await until_steady(Named(), Recorded())

    assert seen == ["scripted"]
