"""The course of the demonstration: start, watch, stop emitting, let everything arrive, count."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
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
    wait: Say = lambda _: None  # called with what it waits for, as long as it does
    any_port: bool = False  # take any other port where this one is taken


async def demonstrate(wish: Wish) -> Outcome:
    """Run the whole chain and count. Raises DidNotWork where a process did not start or died."""
    started = time.monotonic()
    ledger, data = wish.directory / "ledger.jsonl", wish.directory / "data"
    async with interruptible() as stop, contextlib.AsyncExitStack() as stack:
        wish.say("Starting the simulated plant: machines on OPC UA, meters on MQTT.")
        servers = ("--opcua-port", "0", "--mqtt-port", "0")
        plant = await SimulatedPlant.begin(ledger, *servers, log=wish.directory / "simulator.log")
        stack.push_async_exit(plant.leave)
        agent, page = await _agent(plant, wish, wish.port, stack)
        if not page and wish.port and wish.any_port:  # somebody was faster
            await agent.end()
            shutil.rmtree(data)
            agent, page = await _agent(plant, wish, 0, stack)
        if not page:
            raise agent.failure(f"cannot serve its page at port {wish.port}; another program has it")
        status = await _until(agent, wish, lambda status: _unheard(status, ledger))
        if missing := _unheard(status, ledger):
            raise agent.failure(f"has not read every variable after {ARRIVE_S:.0f} s: {missing}")
        await plant.say("run")
        wish.say(f"The page: {page}")
        await _watch(plant, agent, wish, stop)
        wish.say("Stopping the plant, and letting everything arrive. Ctrl-C ends it at once.")
        if not (await plant.say("pause"))["settled"]:
            raise plant.failure("has meters whose messages the broker does not accept")
        emitted = Emitted.read(ledger)
        status = await _until(agent, wish, lambda status: _not_on_disk(status, emitted))
        points = status["log"]["points"]
        status = await _until(agent, wish, lambda status: _not_everywhere(status, points))
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


async def _agent(plant: SimulatedPlant, wish: Wish, port: int, stack: contextlib.AsyncExitStack) -> tuple[Agent, str]:
    """A running agent that `stack` ends, and its page; "" where it cannot have the port."""
    config = write_files(
        wish.directory,
        opcua=plant.addresses["opcua"],
        mqtt=plant.addresses["mqtt"],
        listen=f"127.0.0.1:{port}",
        influx=wish.influx,
    )
    wish.say(f"Starting the agent: raceway run {config}")
    agent = await Agent.begin(config, data=wish.directory / "data", log=wish.directory / "agent.log")
    stack.push_async_exit(agent.leave)
    return agent, await agent.page(any_port=port == 0)


def _unheard(status: Status, ledger: Path) -> str:
    """What is missing until every source is connected and each OPC UA variable's first value is in the log."""
    sources = status["sources"]
    away = [name for name, source in sources.items() if source["state"] != "connected"]
    if away:
        return f"the connection of {', '.join(away)}"
    wanted = len(Emitted.read(ledger).opcua)
    return "" if sources[MACHINES]["points"] >= wanted > 0 else f"the first value of {wanted} variables"


def _not_on_disk(status: Status, emitted: Emitted) -> str:
    """What is missing until as many values are in the log as were emitted."""
    wanted = {MACHINES: len(emitted.opcua), METERS: len(emitted.mqtt)}
    short = {name: count - status["sources"][name]["points"] for name, count in wanted.items()}
    return " and ".join(f"{count:,} values of {name}" for name, count in short.items() if count > 0)


def _not_everywhere(status: Status, points: int) -> str:
    """What is missing until every sink has taken as many points as the log held; it reads them in order."""
    short = {name: points - sink["points"] - sink["dead_letters"] for name, sink in status["sinks"].items()}
    return " and ".join(f"{name} to take {count:,} more points" for name, count in short.items() if count > 0)


async def _until(agent: Agent, wish: Wish, missing: Callable[[Status], str]) -> Status:
    """Wait until nothing is missing, or for ARRIVE_S, and say what is; returns the agent's last status."""
    deadline = time.monotonic() + ARRIVE_S
    status = await agent.status()
    while status is None or ((what := missing(status)) and time.monotonic() < deadline):
        if status is not None:
            wish.wait(f"waiting for {what}, {max(0, deadline - time.monotonic()):.0f} s at most")
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
    """An event that SIGINT and SIGTERM set, instead of ending us at once; the second one cancels what runs inside."""
    stop = asyncio.Event()
    loop, inside = asyncio.get_running_loop(), asyncio.current_task()
    assert inside

    def interrupt() -> None:
        if stop.is_set():
            inside.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
