"""A plant whose log is drained by lanes into a server that may be away, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from agent.backoff import Backoff
from agent.drain import Pace, drain_live_first
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from collectors.points import DeadLetter
from tests.agent.influx.worlds import T, entries_of
from tests.fakes.sim_log import LoopClocks, SimLog
from tests.fakes.virtual_time import run
from tests.model.simfs import SimFiles

PER_S = 100  # points that the plant makes


class Server:
    """What both lanes write to: down or up, and when each number came."""

    def __init__(self) -> None:
        self.trouble: Retry | None = None
        self.poison: int | None = None  # the number at which a sink fails by a defect
        self.came_s: dict[int, float] = {}
        self.twice: list[int] = []
        self.order: list[int] = []
        self.failed_s: list[float] = []

    def take(self, entries: Sequence[Entry]) -> None:
        now_s = asyncio.get_running_loop().time()
        if self.trouble:
            self.failed_s.append(now_s)
            raise self.trouble
        if self.poison in {entry.seq for entry in entries}:
            raise ZeroDivisionError("a defect")
        self.twice += [entry.seq for entry in entries if entry.seq in self.came_s]
        self.order += [entry.seq for entry in entries]
        self.came_s.update((entry.seq, now_s) for entry in entries)


class FakeSink:
    """One lane's sink; its state is the last number, so that a wrong one would be seen."""

    name = "fake"
    beginning = b"?"

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buried = 0
        self.joins: list[tuple[bytes, bytes]] = []

    def restore(self, state: bytes) -> None:
        pass

    def joined(self, older: bytes, newer: bytes) -> bytes:
        self.joins.append((older, newer))
        return newer

    async def write(self, entries: Sequence[Entry]) -> bytes:
        await asyncio.sleep(0.05)
        self.server.take(entries)
        return b"%d" % entries[-1].seq


class Plant:
    """A log that gets one record a second, drained by lanes."""

    def __init__(self, *, most_per_s: float = 2_000, begins_s: float = 0.0) -> None:
        self.server = Server()
        self.status = SinkStatus("fake")
        self.log = SimLog(SimFiles(), LoopClocks(T))
        self.pace = Pace(most_per_s=most_per_s, begin_within_s=begins_s, uniform=lambda least, most: most)
        self.lanes = self.log.lanes("fake")
        self.made: list[float] = [0.0]  # when each number was made
        self.sinks: list[FakeSink] = []
        self.letters: list[DeadLetter] = []

    async def bury(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    def sink(self) -> FakeSink:
        self.sinks.append(FakeSink(self.server))
        return self.sinks[-1]

    async def produce(self) -> None:
        loop, clocks = asyncio.get_running_loop(), LoopClocks(T)
        for entry in entries_of(10_000, points=PER_S):
            self.log.append(replace(entry.batch, received_ns=clocks.wall_ns()))
            self.made.append(loop.time())
            await asyncio.sleep(1.0)

    async def live(self, story: Coroutine[Any, Any, None]) -> None:
        """Drain while the story is told."""
        async with asyncio.TaskGroup() as group:
            others = [
                group.create_task(self.produce()),
                group.create_task(
                    drain_live_first(
                        self.lanes,
                        self.sink,
                        self.status,
                        max_points=300,
                        linger_s=0.0,
                        pace=self.pace,
                        dead_letter=self.bury,
                        backoff=lambda: Backoff(uniform=lambda least, most: most),
                    )
                ),
            ]
            await story
            for task in others:
                task.cancel()

    def lag_s(self, *, after_s: float) -> float:
        """The longest that a record made after a moment had to wait."""
        return max(came - self.made[seq] for seq, came in self.server.came_s.items() if self.made[seq] > after_s)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.1)


def told(plant: Plant, story: Callable[[Plant], Coroutine[Any, Any, None]]) -> list[Any]:
    """Run the story; the events."""

    async def main() -> None:
        with suppress(asyncio.CancelledError):
            await plant.live(story(plant))

    with structlog.testing.capture_logs() as events:
        run(main())
    return events


async def outage(plant: Plant, seconds: float) -> None:
    """The server is away for a while."""
    plant.server.trouble = Retry("away", blocked="refused")
    await asyncio.sleep(seconds)
    plant.server.trouble = None
