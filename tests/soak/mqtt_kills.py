"""`mqtt-kills`: QoS 1 messages while the agent is killed again and again, and the broker now and then.

`--count` counts kills of `raceway run`, 200 by default, with 5,000 messages for each; the broker is killed once for ten
of them. A tap between both knows what the agent has acknowledged. What a killed broker had in its memory and had not
delivered is the broker's loss: counted, but apart. Every second broker forgets everything, sessions included, while it
holds messages for an agent that is dead: a loss that is sure, and must be told by a gap record.

Agents are forked from a process that has imported them already, so that most of the run is work and not start.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import threading
import time
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agent.store import inspect
from collectors.points import is_bad
from tests.fakes.mqtt_broker import packet, publish
from tests.fakes.mqtt_tap import Tap
from tests.servers.mosquitto import Mosquitto
from tests.servers.ports import free_port
from tests.soak.finding import Finding

MESSAGES_A_KILL = 5_000
KILLS_A_BROKER = 10
CHUNK = 500
MOST_BACKLOG = 20_000
PATIENCE_S = 30.0
LONGEST_LIFE_S = 4.0
FIRST_MS = 1_700_000_000_000
FORGOTTEN = 1_000  # messages at least that a broker takes before it forgets them

_SERVER = get_context("forkserver")
_SERVER.set_forkserver_preload(["agent.cli", "agent.app", "agent.commands.run", "collectors.mqtt.source"])

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
        self.most = 0  # so many are published for now
        self.gone = 0  # so many are with a broker that is no more
        self._go, self.paused = threading.Event(), threading.Event()
        self.stopped = False

    def hold(self) -> None:
        """Stop after the chunk that is under way; `paused` says when."""
        self.paused.clear()
        self._go.clear()

    def go(self) -> None:
        """Go on."""
        self._go.set()

    def reaches(self, count: int) -> None:
        """Wait until so many are taken, for a while at most."""
        until = time.monotonic() + PATIENCE_S
        while self.count < count and time.monotonic() < until:
            time.sleep(0.01)

    def run(self) -> None:
        """Until all is published, or `stopped`."""
        connection: socket.socket | None = None
        while not self.stopped and self.count < len(self.taken):
            if not self._go.is_set():
                self.paused.set()
                self._go.wait(0.1)
                continue
            if self.count >= self.most or self.count - self._tap.count - self.gone > MOST_BACKLOG:
                time.sleep(0.01)
                continue
            try:
                connection = connection or self._connect()
                self._publish(connection)
            except OSError:
                if connection is not None:
                    connection.close()
                connection = None
                time.sleep(0.05)
        if connection is not None:
            connection.close()
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


def _run_agent(config: Path, said: Path) -> None:
    """`raceway run`, in a process of its own."""
    from agent.cli import main

    errors = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 2)
    main(["run", str(config)])


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
        self._config = folder / "plant.yaml"
        self.broker_kills = 0
        self.forgot_ns: list[int] = []

    async def run(self) -> None:
        """Kill, and kill, and then let everything arrive."""
        self._config.write_text(_CONFIG.format(url=self._tap.url, port=free_port()))
        self._publisher.start()
        agent = await self._agent()
        try:
            for kill in range(self._kills):
                self._publisher.most = (kill + 1) * MESSAGES_A_KILL
                is_brokers, forgets = kill % KILLS_A_BROKER == KILLS_A_BROKER // 2, self.broker_kills % 2 == 0
                if is_brokers and not forgets:
                    await self._kill_broker()
                await self._some_messages()
                agent.kill()
                agent.join(PATIENCE_S)
                if is_brokers and forgets:
                    await self._make_the_broker_forget()
                agent = await self._agent()
            self._publisher.most = len(self._publisher.taken)
            await self._all_messages()
        finally:
            self._publisher.stopped = True
            self._publisher.join(PATIENCE_S)
            agent.terminate()
            agent.join(PATIENCE_S)
            agent.kill()

    async def _agent(self) -> ForkServerProcess:
        """A new agent that has subscribed."""
        self._tap.subscribed.clear()
        said = self._folder / "agent.err"
        agent = _SERVER.Process(target=_run_agent, args=(self._config, said), daemon=True)
        agent.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._tap.subscribed.wait()
        except TimeoutError:
            agent.kill()
            raise AssertionError(f"the agent has not subscribed; it said: {said.read_text()[-2000:]}") from None
        self._publisher.go()
        return agent

    async def _kill_broker(self) -> None:
        """End it at once, while an agent reads; what it had and had not delivered may be gone with it."""
        await self._end_broker()
        await asyncio.to_thread(self._broker.start)
        async with asyncio.timeout(PATIENCE_S):
            await self._tap.subscribed.wait()
        self._publisher.go()

    async def _make_the_broker_forget(self) -> None:
        """End it while it holds messages for a dead agent, and take what it has written: the session is gone too."""
        self._publisher.most = min(self._publisher.most + FORGOTTEN, len(self._publisher.taken))
        await asyncio.to_thread(self._publisher.reaches, self._publisher.most)
        await self._end_broker()
        (self._folder / "mosquitto.db").unlink(missing_ok=True)
        self.forgot_ns.append(time.time_ns())
        await asyncio.to_thread(self._broker.start)

    async def _end_broker(self) -> None:
        """The publisher waits until it is told to go on."""
        self._publisher.hold()
        self._tap.subscribed.clear()
        await asyncio.to_thread(self._broker.stop, kill=True)
        await asyncio.to_thread(self._publisher.paused.wait, PATIENCE_S)
        waiting = _flags(self._tap.acknowledged) ^ 1
        self._at_risk |= _flags(self._publisher.taken) & waiting
        self._publisher.gone = int((self._at_risk & waiting).sum())
        self.broker_kills += 1

    async def _some_messages(self) -> None:
        """Until some of those that are to come are acknowledged."""
        left = self._publisher.most - self._publisher.gone - self._tap.count
        target = self._tap.count + self._chance.randrange(max(left, 1))
        await self._tap.reaches(target, within_s=self._chance.uniform(0.1, LONGEST_LIFE_S))

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
        gaps: list[dict[str, int]] = []
        for entry in inspect.entries(self._folder / "data" / "log"):
            gaps += map(json.loads, entry.batch.texts)
            named = np.array([series.signal == "n" for series in entry.batch.series], np.bool_)
            rows = named[entry.batch.which] & ~is_bad(entry.batch.quality)
            held[entry.batch.value[rows].astype(np.int64)] = 1
        acknowledged, taken = _flags(self._tap.acknowledged), _flags(self._publisher.taken)
        lost = taken & (held ^ 1)
        return {
            "count": self._kills,
            "broker_kills": self.broker_kills,
            "broker_forgot": len(self.forgot_ns),
            "untold": sum(not any(g["from_ns"] <= t_ns <= g["to_ns"] for g in gaps) for t_ns in self.forgot_ns),
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
    return Finding(facts, not (facts["acked_lost"] or facts["missing"] or facts["untold"]))
