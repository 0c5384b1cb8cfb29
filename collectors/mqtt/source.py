"""The MQTT source: one life is one connection, from CONNECT to SourceLost."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from collectors.mqtt.announce import Announcer, HostState
from collectors.mqtt.config import MqttConfig
from collectors.mqtt.intake import Intake, stands, stands_series
from collectors.mqtt.link import VERSIONS, Link, dial
from collectors.mqtt.plans import Publication
from collectors.mqtt.reader import Reader, filters_of
from collectors.points import Gap, Urgency
from collectors.source import Deliver, LastTime, SourceLost, SourceStatus, heartbeat_series

ANNOUNCE_S = 30.0
"""How often the agent's status is published; a changed state is said at once the next time."""


KEPT = "the broker kept the messages that its queue for us holds; those come late, more than that is missing"
QUICK_S = 5.0
QUICK_LIVES = 5
CROWDED_HOLD_S = 60.0


def _this_machine() -> str:
    """Tells this gateway from another one that runs a copy of its configuration: they must not share a session."""
    try:
        name = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        name = ""
    return hashlib.sha256((name or socket.gethostname()).encode()).hexdigest()[:8]


class _Voice(NamedTuple):
    """What is said of ourselves over one connection."""

    hello: Callable[[], Publication]
    goodbye: Publication  # also the will


class MqttSource:
    """Everything that the mappings ask for, from one broker or, where it cannot be reached, from the next."""

    def __init__(self, config: MqttConfig, *, plant: str, last_time: LastTime) -> None:
        self.name = config.name
        self.status = SourceStatus(kind="mqtt", address=config.url)
        self._config = config
        self._client_id = config.client_id or f"{config.client_id_at(plant)}-{_this_machine()}"
        self._filters = filters_of(config)
        self._reader = Reader(config, plant=plant)
        self._announcer = None if config.announce is None else Announcer(config, plant=plant, topic=config.announce)
        self._broker = 0  # of the list, which to try next
        self._versions = dict.fromkeys(config.urls, VERSIONS[config.protocol])
        self._plant = plant
        # of an earlier connection; at first, of an earlier agent's, or its last tick where it never had one
        self._last_message_ns = last_time(stands_series(plant, config.name)) or last_time(heartbeat_series(plant))
        self._quick_lives = 0  # in a row, that ended just after they had begun

    async def run(self, deliver: Deliver) -> NoReturn:
        """Connect and hand over until the connection is lost."""
        limit = self._config.receive_maximum
        intake = Intake(self._reader, deliver, self.status, plant=self._plant, source=self.name, limit=limit)
        voice = self._voice()
        link, session_present = await self._dial(intake, voice)
        began, whole_ns = time.monotonic(), 0
        try:
            await self._subscribe(link)
            self.status.connected(version=link.version, session_present=session_present)
            if self._last_message_ns:
                await _durable(link, self._say_gap(deliver, session_present=session_present))
            whole_ns = time.time_ns()
            await _durable(link, deliver(stands(self._plant, self.name, now_ns=whole_ns, urgency=Urgency.NOW)))
            while voice is not None and not link.lost.done():
                link.publish(voice.hello(), qos=1, retain=True)
                await asyncio.wait({link.lost}, timeout=ANNOUNCE_S)
            await link.lost
        except SourceLost as lost:
            self._check_crowd(began, lost)
            raise
        finally:
            if whole_ns:  # else what is missing before it is not said yet
                self._last_message_ns = intake.whole_until_ns or whole_ns
            intake.close()
            if voice is not None:
                link.publish(voice.goodbye, qos=1, retain=True)
            link.close()
        raise AssertionError("a link that is lost says why")

    def _check_crowd(self, began: float, lost: SourceLost) -> None:
        """Two clients with one id throw each other out without a word from the broker: stop fighting, and say it."""
        self._quick_lives = self._quick_lives + 1 if time.monotonic() - began < QUICK_S else 0
        if self._quick_lives >= QUICK_LIVES:
            raise SourceLost(
                f"{self.status.address}: connected {self._quick_lives} times and was cut off at once each time. Is "
                f"another agent using the client id {self._client_id}? Give one of them another client_id. "
                f"(last: {lost.reason})",
                hold_s=CROWDED_HOLD_S,
            ) from lost

    async def _dial(self, intake: Intake, voice: _Voice | None) -> tuple[Link, bool]:
        """A connection to the broker whose turn it is; after a failure it is the next one's."""
        config = self._config.at(self._config.urls[self._broker])
        self.status.address = config.url
        try:
            link, session_present = await dial(
                config,
                client_id=self._client_id,
                versions=self._versions[config.url],
                clean=False,
                on_block=intake.take,
                will=None if voice is None else voice.goodbye,
            )
        except SourceLost:
            self._broker = (self._broker + 1) % len(self._config.urls)
            raise
        self._broker = 0
        self._versions[config.url] = (link.version,)
        return link, session_present

    def _voice(self) -> _Voice | None:
        """What we say of ourselves, where the operator wants it."""
        now_ns = time.time_ns()
        if self._announcer is not None:
            announcer = self._announcer
            return _Voice(
                lambda: announcer.online(self.status, now_ns=time.time_ns()), announcer.offline(now_ns=now_ns)
            )
        host = self._config.sparkplug
        if host is not None and host.host_id is not None:
            state = HostState(host.state_topic, now_ns=now_ns)
            return _Voice(lambda: state.online, state.offline)
        return None

    async def _subscribe(self, link: Link) -> None:
        troubles = await link.subscribe(self._filters, self._config.qos)
        for name in self._filters:
            self.status.troubles.pop(name, None)
        self.status.troubles |= troubles

    async def _say_gap(self, deliver: Deliver, *, session_present: bool) -> None:
        """Say that messages may be missing since the last one. A broker that kept our session kept only what its own
        queue holds (1,000 messages at mosquitto's defaults), and never says that it threw some away.
        """
        reason = "link_lost" if session_present else "session_lost"
        detail = KEPT if session_present and self._config.qos else "the broker kept nothing for us"
        await deliver(Gap(self.name, self._last_message_ns, time.time_ns(), reason, detail=detail))
        self.status.gaps += 1


async def _durable(link: Link, delivery: Coroutine[Any, Any, None]) -> None:
    """Wait for the disk as long as the connection lives. Raises SourceLost."""
    task = asyncio.create_task(delivery, name="mqtt: say what is missing")
    try:
        await asyncio.wait({task, link.lost}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            link.lost.result()
        task.result()
    finally:
        task.cancel()
