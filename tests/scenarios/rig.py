"""The whole chain on real servers, with handles to break each part: machines, meters, broker, agent, database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Self

from agent.demo.files import Influx, write_files
from agent.demo.held import Held
from agent.demo.processes import Agent, SimulatedPlant
from collectors.simulator.__main__ import free_port
from collectors.simulator.ledger import Emission, Emitted, Value
from tests.servers.influxdb import BUCKET, ORG, RealInfluxDB, real_influxdb
from tests.servers.mosquitto import Mosquitto


@dataclass(slots=True)
class Rig:
    """Machines and meters are two processes, so that one can be frozen while the other goes on."""

    directory: Path
    influx: RealInfluxDB
    broker: Mosquitto
    config: Path
    opcua_port: int
    machines: SimulatedPlant = field(init=False)
    meters: SimulatedPlant = field(init=False)
    agent: Agent = field(init=False)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, directory: Path) -> AsyncIterator[Self]:
        """Everything is running and connected, and the plant emits."""
        async with contextlib.AsyncExitStack() as stack:
            influx = stack.enter_context(real_influxdb())
            broker = stack.enter_context(Mosquitto(directory, persistent=True))
            opcua_port = free_port()
            config = write_files(
                directory,
                opcua=f"opc.tcp://127.0.0.1:{opcua_port}/raceway/plant",
                mqtt=broker.url,
                listen="127.0.0.1:0",
                influx=Influx(influx.url, ORG, BUCKET, influx.token_file()),
            )
            rig = cls(directory, influx, broker, config, opcua_port)
            stack.push_async_callback(rig._end)
            await rig.start_machines()
            rig.meters = await SimulatedPlant.begin(
                directory / "meters.jsonl", "--mqtt-url", broker.url, log=directory / "simulator.log"
            )
            await rig.start_agent()
            await rig.settled(lambda: len(rig.in_influx()) > 0, within_s=30)
            for plant in (rig.machines, rig.meters):
                await plant.say("run")
            yield rig

    async def start_machines(self) -> None:
        """Start the OPC UA server on its port; it remembers its history from the ledger."""
        port, log = str(self.opcua_port), self.directory / "simulator.log"
        self.machines = await SimulatedPlant.begin(self.directory / "machines.jsonl", "--opcua-port", port, log=log)

    async def pause(self) -> None:
        """The plant emits nothing more, and the broker has taken everything."""
        for plant in (self.machines, self.meters):
            assert (await plant.say("pause"))["settled"]

    async def restart_machines(self) -> None:
        """End the OPC UA server as an operator would, and start it again."""
        self.machines.check()
        await self.machines.end()
        await self.start_machines()
        await self.machines.say("run")

    async def freeze_machines(self, for_s: float) -> None:
        """SIGSTOP: the server's TCP connections stand, nothing answers; then it goes on."""
        self.machines.signal(SIGSTOP)
        await asyncio.sleep(for_s)
        self.machines.signal(SIGCONT)

    async def start_agent(self) -> None:
        """`raceway run`; returns when it serves its page."""
        self.agent = await Agent.begin(self.config, data=self.directory / "data", log=self.directory / "agent.log")
        await self.agent.page()

    async def kill_agent(self, down_s: float = 1.0) -> None:
        """SIGKILL in the middle of whatever it does, then a new one."""
        await self.agent.end(SIGKILL)
        await asyncio.sleep(down_s)
        await self.start_agent()

    async def restart_broker(self, down_s: float = 1.0) -> None:
        """SIGTERM, so that mosquitto writes its sessions to disk, and a new start on the same folder."""
        await asyncio.to_thread(self.broker.stop)
        await asyncio.sleep(down_s)
        await asyncio.to_thread(self.broker.start)

    async def influx_away(self, for_s: float) -> None:
        """No InfluxDB for a while."""
        await asyncio.to_thread(self.influx.stop)
        await asyncio.sleep(for_s)
        await asyncio.to_thread(self.influx.start)

    def emitted(self) -> Emitted:
        """What the ledgers say, so far."""
        return Emitted.read(self.directory / "machines.jsonl", self.directory / "meters.jsonl")

    def in_influx(self) -> dict[Emission, Value]:
        """The plant's values in InfluxDB; what the agent says of itself and marks of quality are left out."""
        return {
            Emission(machine, name, t_ns): value
            for (machine, name, t_ns), value in self.influx.points().items()
            if machine not in ("", "raceway", "machines", "meters") and not name.endswith("_quality")
        }

    def held(self) -> Held:
        """What the log of the stopped agent holds."""
        return Held.read(self.directory / "data" / "log")

    async def settled(self, condition: Callable[[], bool], *, within_s: float) -> bool:
        """Wait until the condition, asked in a thread once a second, holds; returns whether it did."""
        deadline = time.monotonic() + within_s
        while not (holds := await asyncio.to_thread(condition)) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(1.0)
        return holds

    async def _end(self) -> None:
        for name in ("agent", "meters", "machines"):
            if (child := getattr(self, name, None)) is not None:
                child.signal(SIGCONT)
                await child.end()
