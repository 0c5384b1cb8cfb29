"""The MQTT source: one life is one connection, from CONNECT to SourceLost."""

from __future__ import annotations

import time
from typing import NoReturn

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.decode import Decoder
from collectors.mqtt.intake import Intake
from collectors.mqtt.link import VERSIONS, Link, dial
from collectors.mqtt.topics import Template
from collectors.points import Gap
from collectors.source import Deliver, LastTime, SourceStatus, heartbeat_series


def filters_of(config: MqttConfig) -> list[str]:
    """What to subscribe to, each once."""
    return list(dict.fromkeys(Template(mapping.topic).filter for mapping in config.mappings))


class MqttSource:
    """Everything that the mappings ask for, from one broker."""

    def __init__(self, config: MqttConfig, *, plant: str, last_time: LastTime) -> None:
        self.name = config.name
        self.status = SourceStatus(kind="mqtt", address=config.url)
        self._config = config
        self._client_id = config.client_id_at(plant)
        self._filters = filters_of(config)
        self._decoder = Decoder(config, plant=plant)  # outlives connections: its table of series only grows
        self._versions = VERSIONS[config.protocol]
        # of an earlier connection; at first, the last tick of an earlier agent
        self._last_message_ns = last_time(heartbeat_series(plant))

    async def run(self, deliver: Deliver) -> NoReturn:
        """Connect and hand over until the connection is lost."""
        intake = Intake(self._decoder, deliver, self.status, source=self.name, limit=self._config.receive_maximum)
        link, session_present = await dial(
            self._config, client_id=self._client_id, versions=self._versions, clean=False, on_block=intake.take
        )
        self._versions = (link.version,)
        try:
            await self._subscribe(link)
            if self._last_message_ns and not (session_present and self._config.qos):
                await self._say_gap(deliver, session_present=session_present)
            self._last_message_ns = time.time_ns()
            self.status.connected(version=link.version, session_present=session_present)
            await link.lost
        finally:
            self._last_message_ns = intake.last_message_ns or self._last_message_ns
            intake.close()
            link.close()
        raise AssertionError("a link that is lost says why")

    async def _subscribe(self, link: Link) -> None:
        troubles = await link.subscribe(self._filters, self._config.qos)
        for name in self._filters:
            self.status.troubles.pop(name, None)
        self.status.troubles |= troubles

    async def _say_gap(self, deliver: Deliver, *, session_present: bool) -> None:
        """Say that messages may be missing since the last one: the broker did not keep them for us."""
        now_ns = time.time_ns()
        reason = "link_lost" if session_present else "session_lost"
        await deliver(Gap(self.name, self._last_message_ns, now_ns, reason))
        self.status.gaps += 1
