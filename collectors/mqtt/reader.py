"""Messages to those who understand them: mappings, or the Sparkplug host."""

from __future__ import annotations

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.decode import Decoder
from collectors.mqtt.outcome import Decoded
from collectors.mqtt.packets import Messages
from collectors.mqtt.topics import Template


def filters_of(config: MqttConfig) -> list[str]:
    """What to subscribe to, each once."""
    hosts = [] if config.sparkplug is None else config.sparkplug.filters
    return list(dict.fromkeys([*(Template(mapping.topic).filter for mapping in config.mappings), *hosts]))


class Reader:
    """Everything that a source reads; it outlives connections, since series, aliases and births do."""

    def __init__(self, config: MqttConfig, *, plant: str) -> None:
        self._decoder = Decoder(config, plant=plant)
        self._host = None
        if config.sparkplug is not None:
            from collectors.mqtt.sparkplug.host import Host  # protobuf is not free: only where it is used

            self._host = Host(config.sparkplug, source=config.name, plant=plant)

    def reconnected(self) -> None:
        """The connection is new: what was not acknowledged comes again."""
        if self._host is not None:
            self._host.reconnected()

    def decode(self, messages: Messages, *, received_ns: int) -> list[Decoded]:
        """What the messages held, from each who had one to read."""
        if self._host is None:
            return [self._decoder.decode(messages, received_ns=received_ns)]
        ours = [topic.startswith(b"spBv1.0/") for topic in messages.topics]
        for_host = [row for row, is_ours in enumerate(ours) if is_ours]
        others = [row for row, is_ours in enumerate(ours) if not is_ours]
        decoded = []
        if for_host:
            decoded.append(self._host.decode(messages.only(for_host), received_ns=received_ns))
        if others or not for_host:
            decoded.append(self._decoder.decode(messages.only(others), received_ns=received_ns))
        return decoded
