"""`raceway run`, killed again and again while a real broker brings it messages that nobody else keeps."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from agent.demo.processes import Agent
from agent.store import inspect
from tests.servers.mosquitto import Mosquitto

MESSAGES_PER_S = 200
SETTLE_S = 60.0
_CONFIG = """\
plant: kills
data_dir: data
store: {{linger_s: 0.05, segment_mb: 0.1}}
sources:
  - kind: mqtt
    name: meters
    url: {url}
    mappings:
      - topic: "plant/{{line}}/{{machine}}/energy"
        time: {{path: ts, format: epoch_ms}}
        signals: [{{signal: number, path: n, unit: "1"}}]
dashboard: {{listen: "127.0.0.1:0"}}
"""


@dataclass(slots=True)
class Toll:
    """What the kills cost."""

    kills: int = 0
    acked: int = 0  # messages that the broker took
    lost: int = 0
    starts_s: list[float] = field(default_factory=list)  # until the log was open and the page served


class Publisher:
    """Numbers at a steady rate; `sent` are those that the broker has taken."""

    def __init__(self, broker: Mosquitto) -> None:
        self.sent: set[int] = set()
        self._ids: dict[int, int] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(10_000)
        self._client.on_publish = lambda _client, _data, mid, _code, _properties: self.sent.add(self._ids[mid])
        self._client.connect("127.0.0.1", broker.plain_port)
        self._number = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for _ in range(MESSAGES_PER_S // 20):
                self._number += 1
                text = json.dumps({"ts": 1_790_000_000_000 + self._number, "n": self._number})
                info = self._client.publish("plant/line-1/meter-1/energy", text, qos=1)
                self._ids[info.mid] = self._number
            self.loop()
            await asyncio.sleep(0.05)

    def loop(self) -> None:
        """Let paho send and hear, without a thread."""
        self._client.loop(0.001)

    async def settle(self) -> set[int]:
        """Everything published was taken; returns it."""
        until = time.monotonic() + SETTLE_S
        while len(self.sent) < self._number and time.monotonic() < until:
            self.loop()
            await asyncio.sleep(0.005)
        self._client.disconnect()
        return self.sent


@contextmanager
def _broker() -> Iterator[tuple[Path, Mosquitto]]:
    with (
        tempfile.TemporaryDirectory(prefix="raceway-agent-kills-") as folder,
        Mosquitto(Path(folder), persistent=True, max_inflight=0) as broker,
    ):
        (Path(folder) / "plant.yaml").write_text(_CONFIG.format(url=broker.url), encoding="utf-8")
        yield Path(folder), broker


def kill_agents(kills: int, *, seed: int = 1) -> Toll:
    """That many lives of the agent, each ended in the middle of its work; then one that may finish."""
    with _broker() as (folder, broker):
        return asyncio.run(_kill_agents(kills, folder, broker, random.Random(seed)))


async def _kill_agents(kills: int, folder: Path, broker: Mosquitto, chance: random.Random) -> Toll:
    toll = Toll()
    agent = await _start(folder, toll)
    await _subscribed(agent)
    publisher = Publisher(broker)
    publishing = asyncio.create_task(publisher.run())
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.05, 1.0))
        await agent.end(SIGKILL)
        toll.kills += 1
        agent = await _start(folder, toll)
    publishing.cancel()
    sent = await publisher.settle()
    until = time.monotonic() + SETTLE_S
    while sent - await asyncio.to_thread(_kept, folder) and time.monotonic() < until:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.5)
    await agent.end()
    toll.acked, toll.lost = len(sent), len(sent - _kept(folder))
    return toll


async def _start(folder: Path, toll: Toll) -> Agent:
    began = time.monotonic()
    agent = await Agent.begin(folder / "plant.yaml", data=folder / "data", log=folder / "agent.log")
    await agent.page()
    toll.starts_s.append(time.monotonic() - began)
    return agent


async def _subscribed(agent: Agent) -> None:
    """Return when the agent has its session at the broker: before that nobody keeps messages for it."""
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        status = await agent.status()
        if status and status["sources"]["meters"]["state"] == "connected":
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the agent did not reach the broker")


def _kept(folder: Path) -> set[int]:
    points = (p for entry in inspect.entries(folder / "data" / "log") for p in entry.batch.points())
    return {int(point.value) for point in points if point.series.signal == "number"}
