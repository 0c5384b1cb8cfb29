"""`mqtt-kills`: QoS 1 messages while the agent is killed again and again, and the broker now and then.

`--count` counts kills of `raceway run`, 200 by default, with 5,000 messages for each; the broker is killed once for ten
of them. A tap between both knows what the agent has acknowledged. What a killed broker had in its memory and had not
delivered is the broker's loss: counted, but apart.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory

import numpy as np

from agent.store import inspect
from collectors.points import is_bad
from tests.fakes.mqtt_broker import packet, publish
from tests.fakes.mqtt_tap import Tap
from tests.servers.mosquitto import Mosquitto, free_port
from tests.soak.finding import Finding

MESSAGES_A_KILL = 5_000
KILLS_A_BROKER = 10
CHUNK = 500
MOST_BACKLOG = 20_000
PATIENCE_S = 30.0
LONGEST_LIFE_S = 4.0
FIRST_MS = 1_700_000_000_000

_CONFIG = """\
plant: soak
data_dir: data
sources:
  - kind: mqtt
    name: meters
    url: {url}
    protocol: "5"
    mappings:
      - topic: soak/{{machine}}
        time: {{path: ts}}
        signals: [{{signal: n, path: n}}]
dashboard: {{listen: "127.0.0.1:{port}"}}
log: {{level: error}}
"""


class Publisher(threading.Thread):
    """Publishes every number once, or again until the broker has taken it. `hold` pauses it between two chunks."""

    def __init__(self, port: int, tap: Tap) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._tap = tap
        self.taken = bytearray(len(tap.acknowledged))  # 1 for each number that the broker has taken
        self.count = 0
        self._go, self.paused = threading.Event(), threading.Event()
        self.stopped = False

    def hold(self) -> None:
        """Stop after the chunk that is under way; `paused` says when."""
        self.paused.clear()
        self._go.clear()

    def go(self) -> None:
        """Go on."""
        self._go.set()

    def run(self) -> None:
        """Until all is published, or `stopped`."""
        connection: socket.socket | None = None
        while not self.stopped and self.count < len(self.taken):
            if not self._go.is_set():
                self.paused.set()
                self._go.wait(0.1)
                continue
            if self.count - self._tap.count > MOST_BACKLOG:
                time.sleep(0.01)
                continue
            try:
                connection = connection or self._connect()
                self._publish(connection)
            except OSError:
                connection = None
                time.sleep(0.05)
        self.paused.set()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        connection.sendall(packet(0x10, b"\0\x04MQTT\x04\x02\0\x3c\0\x04fill"))
        _read(connection, 4)
        return connection

    def _publish(self, connection: socket.socket) -> None:
        """One chunk, each message acknowledged by the broker, in order."""
        numbers = range(self.count, min(self.count + CHUNK, len(self.taken)))
        connection.sendall(
            b"".join(
                publish(f"soak/m{n % 20}", b'{"ts":%d,"n":%d}' % (FIRST_MS + n, n), number=n % CHUNK + 1, version=3)
                for n in numbers
            )
        )
        for n in numbers:
            _read(connection, 4)
            self.taken[n] = 1
            self.count = n + 1


def _read(connection: socket.socket, octets: int) -> None:
    while octets:
        got = len(connection.recv(octets))
        if not got:
            raise ConnectionError
        octets -= got


class Course:
    """One broker, one data folder, many agents."""

    def __init__(self, kills: int, folder: Path, broker: Mosquitto, tap: Tap) -> None:
        self._kills = kills
        self._folder = folder
        self._broker = broker
        self._tap = tap
        self._chance = random.Random(kills)
        self._publisher = Publisher(broker.plain_port, tap)
        self._at_risk = np.zeros(len(tap.acknowledged), np.uint8)
        self.broker_kills = 0

    async def run(self) -> None:
        """Kill, and kill, and then let everything arrive."""
        config = self._folder / "plant.yaml"
        config.write_text(_CONFIG.format(url=self._tap.url, port=free_port()))
        self._publisher.start()
        try:
            for kill in range(self._kills):
                agent = await self._agent(config)
                if kill % KILLS_A_BROKER == KILLS_A_BROKER // 2:
                    await self._kill_broker()
                await self._some_messages()
                agent.kill()
                agent.wait(PATIENCE_S)
            agent = await self._agent(config)
            await self._all_messages()
            agent.terminate()
            agent.wait(PATIENCE_S)
        finally:
            self._publisher.stopped = True
            self._publisher.join(PATIENCE_S)
            with suppress(UnboundLocalError):
                agent.kill()

    async def _agent(self, config: Path) -> Popen[bytes]:
        """A new agent that has subscribed."""
        self._tap.subscribed.clear()
        command = [sys.executable, "-c", "from agent.cli import main; main()", "run", str(config)]
        said = self._folder / "agent.err"
        with said.open("wb") as errors:
            agent = await asyncio.to_thread(Popen, command, stdout=DEVNULL, stderr=errors)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._tap.subscribed.wait()
        except TimeoutError:
            agent.kill()
            raise AssertionError(f"the agent has not subscribed; it said: {said.read_text()[-2000:]}") from None
        self._publisher.go()
        return agent

    async def _kill_broker(self) -> None:
        """End it at once; what it had and had not delivered may be gone with it."""
        self._publisher.hold()
        self._tap.subscribed.clear()
        await asyncio.to_thread(self._broker.stop, kill=True)
        await asyncio.to_thread(self._publisher.paused.wait, PATIENCE_S)
        self._at_risk |= _flags(self._publisher.taken) & (_flags(self._tap.acknowledged) ^ 1)
        await asyncio.to_thread(self._broker.start)
        self.broker_kills += 1
        async with asyncio.timeout(PATIENCE_S):
            await self._tap.subscribed.wait()
        self._publisher.go()

    async def _some_messages(self) -> None:
        """Until so many more are acknowledged, or for a moment where none are left to come."""
        target = self._tap.count + self._chance.randrange(2 * MESSAGES_A_KILL)
        await self._tap.reaches(
            min(target, len(self._publisher.taken)), within_s=self._chance.uniform(0.1, LONGEST_LIFE_S)
        )

    async def _all_messages(self) -> None:
        """Until all is acknowledged that the broker may still have, or nothing more comes."""
        while not self._is_whole():
            if not await self._tap.reaches(self._tap.count + 1, within_s=PATIENCE_S / 3):
                return

    def _is_whole(self) -> bool:
        is_settled = _flags(self._tap.acknowledged) | self._at_risk
        return self._publisher.count == len(self._publisher.taken) and bool(is_settled.all())

    def facts(self) -> dict[str, object]:
        """What became of every message."""
        held = np.zeros(len(self._tap.acknowledged), np.uint8)
        for entry in inspect.entries(self._folder / "data" / "log"):
            named = np.array([series.signal == "n" for series in entry.batch.series], np.bool_)
            rows = named[entry.batch.which] & ~is_bad(entry.batch.quality)
            held[entry.batch.value[rows].astype(np.int64)] = 1
        acknowledged, taken = _flags(self._tap.acknowledged), _flags(self._publisher.taken)
        lost = taken & (held ^ 1)
        return {
            "count": self._kills,
            "broker_kills": self.broker_kills,
            "published": int(taken.sum()),
            "acked": int(acknowledged.sum()),
            "acked_lost": int((acknowledged & (held ^ 1)).sum()),
            "missing": int((lost & (self._at_risk ^ 1)).sum()) + len(taken) - int(taken.sum()),
            "broker_lost": int((lost & self._at_risk).sum()),
        }


def _flags(octets: bytearray) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.array(octets, np.uint8)


async def _course(kills: int, folder: Path) -> dict[str, object]:
    lines = ("autosave_interval 1",)
    messages = kills * MESSAGES_A_KILL
    with Mosquitto(folder, persistent=True, max_inflight=1000, lines=lines) as broker:
        async with Tap(broker.port, messages=messages) as tap:
            course = Course(kills, folder, broker, tap)
            await course.run()
            return course.facts()


def soak(count: int | None) -> Finding:
    """200 kills of the agent with 1,000,000 messages, or `count` and 5,000 for each."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="raceway-mqtt-") as folder:
        facts = asyncio.run(_course(count or 200, Path(folder)))
    facts["seconds"] = round(time.monotonic() - began, 1)
    return Finding(facts, not (facts["acked_lost"] or facts["missing"]))
