"""The plant as a process of its own: ``python -m collectors.simulator --ledger FILE``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import orjson

from collectors.simulator.ledger import Ledger
from collectors.simulator.opcua_server import PlantServer
from collectors.simulator.plant import Plant, Readings
from collectors.simulator.publisher import Publisher


class Simulator:
    """Steps the plant `rate_hz` times a second and shows it on whichever of the two protocols is there."""

    def __init__(
        self, plant: Plant, server: PlantServer | None, publisher: Publisher | None, *, rate_hz: float
    ) -> None:
        self._plant, self._server, self._publisher = plant, server, publisher
        self._period_s = 1.0 / rate_hz
        self.running = asyncio.Event()
        self._between_steps = asyncio.Lock()
        self._steps = 0
        self.opcua_values = self.mqtt_values = 0

    async def run(self) -> None:
        """Emit for ever, while `running` is set; after a pause or a freeze it goes on without catching up."""
        while True:
            await self.running.wait()
            async with self._between_steps:
                self._steps += 1
                await self._emit(self._plant.step(self._steps * self._period_s))
            await asyncio.sleep(self._period_s)

    async def pause(self) -> bool:
        """Stop emitting; returns whether everything emitted has been accepted."""
        self.running.clear()
        async with self._between_steps:
            return await self._publisher.settled(within_s=10.0) if self._publisher else True

    async def _emit(self, readings: Readings) -> None:
        if self._server:
            self.opcua_values += await self._server.show(readings.machines)
        if self._publisher:
            for meter in self._plant.meters:
                self.mqtt_values += self._publisher.publish(meter, readings.meters[meter.topic])


@contextlib.asynccontextmanager
async def opened(
    opcua_port: int | None, mqtt_port: int | None, mqtt_url: str | None, ledger_path: Path, seed: int, rate_hz: float
) -> AsyncIterator[tuple[Simulator, dict[str, Any]]]:
    """Start the servers; yields the simulator, still paused, and the addresses."""
    plant = Plant(seed)
    first = plant.step(0.0)
    addresses: dict[str, Any] = {}
    server = publisher = None
    async with contextlib.AsyncExitStack() as stack:
        ledger = stack.enter_context(Ledger(ledger_path))
        if opcua_port is not None:
            server = await stack.enter_async_context(
                PlantServer(plant.machines, port=opcua_port or free_port(), ledger=ledger)
            )
            await server.open(first.machines)
            addresses["opcua"] = server.url
        if mqtt_url is None and mqtt_port is not None:
            from collectors.simulator.broker import LoopbackBroker  # needs the `demo` extra

            mqtt_url = (await stack.enter_async_context(LoopbackBroker(port=mqtt_port))).url
        if mqtt_url is not None:
            publisher = stack.enter_context(Publisher(mqtt_url, ledger=ledger))
            addresses["mqtt"] = mqtt_url
        yield Simulator(plant, server, publisher, rate_hz=rate_hz), addresses


async def serve(*, paused: bool, **options: Any) -> None:
    """Run until SIGTERM or SIGINT, obeying the lines of standard input where it was started paused."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(**options) as (simulator, addresses):
        tasks = [asyncio.create_task(simulator.run(), name="plant"), asyncio.create_task(stop.wait(), name="stop")]
        if paused:
            tasks.append(asyncio.create_task(obey(simulator), name="commands"))
        else:
            simulator.running.set()
        say({**addresses, "pid": os.getpid()})
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()


async def obey(simulator: Simulator) -> None:
    """Take `run` and `pause` from standard input, one a line, and answer each with a JSON line.

    Ends with the input, and the simulator with it: whoever started it is gone.
    """
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with contextlib.closing(transport):
        while line := await reader.readline():
            say(await answer(simulator, line.strip()))


async def answer(simulator: Simulator, command: bytes) -> dict[str, Any]:
    """Do what a command says; returns the answer."""
    settled = True
    match command:
        case b"run":
            simulator.running.set()
        case b"pause":
            settled = await simulator.pause()
        case _:
            return {"error": f"unknown command {command.decode(errors='replace')!r}: say run or pause"}
    return {
        "running": simulator.running.is_set(),
        "settled": settled,
        "opcua_values": simulator.opcua_values,
        "mqtt_values": simulator.mqtt_values,
    }


def say(line: dict[str, Any]) -> None:
    """One JSON line on standard output, at once."""
    print(orjson.dumps(line).decode(), flush=True)


def free_port() -> int:
    """A port of 127.0.0.1 that is free now: asyncua tells its clients the port it was given, so 0 would not do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@click.command()
@click.option(
    "--ledger",
    "ledger_path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File that gets every value emitted; an existing one is continued.",
)
@click.option("--opcua-port", type=int, help="Serve the machines on this port; 0 takes a free one.")
@click.option("--mqtt-port", type=int, help="Run a broker for the meters on this port; 0 takes a free one.")
@click.option("--mqtt-url", help="Publish the meters to this broker instead, mqtt://host:port.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same plant.")
@click.option("--rate", "rate_hz", type=float, default=1.0, show_default=True, help="Steps a second.")
@click.option("--paused", is_flag=True, help="Wait for `run` on standard input; `pause` stops again.")
def main(**options: Any) -> None:
    """Simulate a small bearing plant: OPC UA machines and MQTT meters on loopback.

    Prints one JSON line with the addresses when it is ready. SIGTERM ends it.
    """
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    asyncio.run(serve(**options))


if __name__ == "__main__":
    main()
