"""What the agent says of itself at the broker, pure: its status, retained, and the will that replaces it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.plans import Publication
from collectors.mqtt.topics import fill
from collectors.source import SourceStatus

SHOWN_TROUBLES = 5


class Announcer:
    """Makes the messages of one source; both are retained, so that whoever comes later knows."""

    def __init__(self, config: MqttConfig, *, plant: str, topic: str) -> None:
        self._topic = fill(topic, {"plant": _level(plant), "source": _level(config.name)})
        settings = config.model_dump_json().encode()  # names files of secrets, not what is in them
        self._facts = {
            "plant": plant,
            "source": config.name,
            "version": metadata.version("raceway"),
            "config": hashlib.sha256(settings).hexdigest()[:16],
        }

    def online(self, status: SourceStatus, *, now_ns: int) -> Publication:
        """The agent lives, and how its source is."""
        health = {
            "state": "troubled" if status.troubles else "online",
            "broker": status.address,
            "messages": status.messages,
            "points": status.points,
            "dead_letters": status.dead_letters,
            "gaps": status.gaps,
            "troubles": dict(list(status.troubles.items())[:SHOWN_TROUBLES]),
        }
        return self._message(health, now_ns)

    def offline(self, *, now_ns: int) -> Publication:
        """The agent is gone: said by itself when it stops, by the broker when it is killed."""
        return self._message({"state": "offline"}, now_ns)

    def _message(self, facts: Mapping[str, object], now_ns: int) -> Publication:
        body = {**self._facts, **facts, "time_ms": now_ns // 10**6}
        return Publication(self._topic, json.dumps(body, ensure_ascii=False).encode())


class HostState:
    """The STATE of a Sparkplug primary host (specification 3.0, chapter 5.16)."""

    def __init__(self, topic: str, *, now_ns: int) -> None:
        """now_ns: the time of this connection; birth and will carry the same one, so that nodes match them."""
        self._topic = topic
        self._time_ms = now_ns // 10**6

    @property
    def online(self) -> Publication:
        """The host is there."""
        return self._message(online=True)

    @property
    def offline(self) -> Publication:
        """The host is gone."""
        return self._message(online=False)

    def _message(self, *, online: bool) -> Publication:
        return Publication(self._topic, json.dumps({"online": online, "timestamp": self._time_ms}).encode())


def _level(name: str) -> str:
    """A name as one level of a topic."""
    return "".join("-" if character in "/+#\0" else character for character in name)
