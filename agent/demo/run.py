"""The course of the demonstration: start, watch, stop emitting, let everything arrive, count."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.demo.files import INFLUX, MACHINES, METERS, Influx, write_files
from agent.demo.held import Held, in_history
from agent.demo.processes import Agent, SimulatedPlant, Status
from collectors.simulator.ledger import Emitted

ARRIVE_S = 30.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demonstration showed; the fields are those of its JSON object."""

    read: dict[str, int]
    durable: int
    history: int
    delivered: int | None
    dead_lettered: int
    gaps: int
    lost: int
    page: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    def disagreements(self) -> list[str]:
        """What does not add up, for people; empty when every value that was emitted is everywhere."""
        read = sum(self.read.values())
        wrong = [f"{self.lost} of the emitted values are not in the log"] if self.lost else []
        wrong += [f"nothing was read from {name}" for name, points in self.read.items() if not points]
        if self.durable != read:
            wrong.append(f"{read} points were read, but {self.durable} are in the log")
        if self.history != read:
            wrong.append(f"{read} points were read, but the history took in {self.history}")
        if self.delivered is not None and self.delivered + self.dead_lettered != read:
            wrong.append(
                f"{read} points were read, but {self.delivered} delivered and {self.dead_lettered} dead-lettered"
            )
        return wrong


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    directory: Path
    for_s: float | None = None  # until Ctrl-C where there is none
    port: int = 0
    influx: Influx | None = None
    live: Callable[[Status], None] = lambda _: None  # called with what the agent says, about once a second
    say: Say = lambda _: None


async def demonstrate(wish: Wish) -> Outcome:
    """Run the whole chain and count. Raises DidNotWork where a process did not start or died."""
    started = time.monotonic()
    ledger, data = wish.directory / "ledger.jsonl", wish.directory / "data"
    async with interruptible() as stop, contextlib.AsyncExitStack() as stack:
        wish.say("Starting the simulated plant: machines on OPC UA, meters on MQTT.")
        servers = ("--opcua-port", "0", "--mqtt-port", "0")
        plant = await SimulatedPlant.begin(ledger, *servers, log=wish.directory / "simulator.log")
        stack.push_async_callback(plant.end)
        config = write_files(
            wish.directory,
            opcua=plant.addresses["opcua"],
            mqtt=plant.addresses["mqtt"],
            listen=f"127.0.0.1:{wish.port}",
            influx=wish.influx,
        )
        wish.say(f"Starting the agent: raceway run {config}")
        agent = await Agent.begin(config, data=data, log=wish.directory / "agent.log")
        stack.push_async_callback(agent.end)
        page = await agent.page()
        status = await _until(agent, lambda status: _is_listening(status, ledger))
        if not _is_listening(status, ledger):
            raise agent.failure(f"has not read every variable after {ARRIVE_S:.0f} s")
        await plant.say("run")
        wish.say(f"The page: {page}")
        await _watch(plant, agent, wish, stop)
        wish.say("Stopping the plant, and letting everything arrive.")
        if not (await plant.say("pause"))["settled"]:
            raise plant.failure("has meters whose messages the broker does not accept")
        emitted = Emitted.read(ledger)
        status = await _until(agent, lambda status: _is_on_disk(status, emitted))
        points = status["log"]["points"]
        status = await _until(agent, lambda status: _is_everywhere(status, points))
        wish.live(status)
        await agent.end()
    held = Held.read(data / "log", sink=INFLUX)
    return Outcome(
        read={"opcua": status["sources"][MACHINES]["points"], "mqtt": status["sources"][METERS]["points"]},
        durable=held.points,
        history=in_history(data / "history.sqlite"),
        delivered=held.delivered - held.dead_lettered if wish.influx else None,
        dead_lettered=held.dead_lettered,
        gaps=len(held.holes),
        lost=emitted.against(held.values).lost,
        page=page,
        seconds=round(time.monotonic() - started, 1),
    )


def _is_listening(status: Status, ledger: Path) -> bool:
    """Every source is connected, and the first value of every OPC UA variable is in the log."""
    sources = status["sources"]
    return (
        all(source["state"] == "connected" for source in sources.values())
        and sources[MACHINES]["points"] >= len(Emitted.read(ledger).opcua) > 0
    )


def _is_on_disk(status: Status, emitted: Emitted) -> bool:
    """As many values are in the log as were emitted."""
    sources = status["sources"]
    return bool(sources[MACHINES]["points"] >= len(emitted.opcua) and sources[METERS]["points"] >= len(emitted.mqtt))


def _is_everywhere(status: Status, points: int) -> bool:
    """Every sink has taken as many points as the log held; it reads them in order, from a new log's beginning."""
    return all(sink["points"] + sink["dead_letters"] >= points for sink in status["sinks"].values())


async def _until(agent: Agent, condition: Callable[[Status], bool]) -> Status:
    """Wait until the agent's status meets the condition, or for ARRIVE_S; returns its last status."""
    deadline = time.monotonic() + ARRIVE_S
    status = await agent.status()
    while status is None or (not condition(status) and time.monotonic() < deadline):
        await asyncio.sleep(0.2)
        status = await agent.status()
    return status


async def _watch(plant: SimulatedPlant, agent: Agent, wish: Wish, stop: asyncio.Event) -> None:
    """Show the live line until it is time, or until somebody interrupts."""
    deadline = None if wish.for_s is None else time.monotonic() + wish.for_s
    while not stop.is_set() and (deadline is None or time.monotonic() < deadline):
        plant.check()
        if (status := await agent.status()) is not None:
            wish.live(status)
        left_s = 1.0 if deadline is None else max(0.0, min(1.0, deadline - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), left_s)


@contextlib.asynccontextmanager
async def interruptible() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, instead of ending us at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
