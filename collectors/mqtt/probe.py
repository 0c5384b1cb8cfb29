"""One try of a broker: listen for a while, and show each value beside the payload that it came from."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.link import VERSIONS, Link, dial
from collectors.mqtt.packets import Block
from collectors.mqtt.reader import Reader, filters_of
from collectors.mqtt.topics import Template
from collectors.points import Batch
from collectors.probe import Probe, TagProbe
from collectors.source import SourceLost

MOST_TAGS = 2000
SHOWN_PAYLOAD = 200


async def probe(config: MqttConfig, *, plant: str, timeout_s: float) -> Probe:
    """Listen under another client id, at QoS 0 and without a session, so that the running agent is not disturbed."""
    listener = _Listener(config, plant=plant)
    result: dict[str, Any] = {"name": config.name, "kind": "mqtt", "address": config.url}
    link, troubles = None, dict[str, str]()
    try:
        link, _ = await dial(
            config,
            client_id=f"{config.client_id_at(plant)}-test-{os.getpid()}",
            versions=VERSIONS[config.protocol],
            clean=True,
            on_block=listener.take,
        )
        troubles = await link.subscribe(filters_of(config), 0)
        await asyncio.wait({link.lost, listener.has_all}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if link.lost.done():
            link.lost.result()
    except SourceLost as lost:
        return Probe(**result, trouble=lost.reason, tags=listener.tags(troubles, timeout_s))
    finally:
        if link is not None:
            link.close()
    facts = {"protocol": "MQTT 5" if link.version == 5 else "MQTT 3.1.1"} | listener.payloads
    return Probe(**result, facts=facts, tags=listener.tags(troubles, timeout_s))


class _Listener:
    """The newest value of each series, and what went wrong on each topic."""

    def __init__(self, config: MqttConfig, *, plant: str) -> None:
        self._reader = Reader(config, plant=plant)
        self._mappings = [(Template(mapping.topic), mapping) for mapping in config.mappings]
        self._missing = {template.filter for template, _ in self._mappings}
        self._is_open = config.sparkplug is not None  # nobody knows how many edge nodes there are
        self._tags: dict[str, TagProbe] = {}
        self._troubles: dict[str, str] = {}
        self.payloads: dict[str, str] = {}  # topic -> the beginning of its newest payload
        self.has_all: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, _link: Link, block: Block) -> None:
        """Decode each message by itself, so that a value is shown with its topic."""
        for row, topic in enumerate(block.messages.topics):
            name = topic.decode("utf-8", "backslashreplace")
            message = block.messages.only([row])
            decoded = self._reader.decode(message, received_ns=time.time_ns())
            for one in decoded:
                self._troubles |= one.troubles
            if len(self._tags) >= MOST_TAGS:
                return
            self.payloads[name] = message.payloads[0][:SHOWN_PAYLOAD].decode("utf-8", "backslashreplace")
            for one in decoded:
                if one.batch is not None:
                    self._show(name, one.batch)
        if not self._missing and not self._is_open and not self.has_all.done():
            self.has_all.set_result(None)

    def _show(self, topic: str, batch: Batch) -> None:
        paths: dict[str, str] = {}
        for template, mapping in self._mappings:
            if template.match(topic) is not None:
                self._missing.discard(template.filter)
                paths |= {signal.signal: signal.path for signal in mapping.signals}
        for point in batch.points():
            series, is_text = point.series, isinstance(point.value, str)
            self._tags[str(series)] = TagProbe(
                tag=str(series),
                address=f"{topic} {paths.get(series.signal, '')}".strip(),
                value=point.value,
                unit=series.unit,
                type="text" if is_text else "number",
                quality=point.quality,
                t_ns=point.t_ns,
                trouble=self._troubles.get(topic, ""),
            )

    def tags(self, refused: dict[str, str], timeout_s: float) -> tuple[TagProbe, ...]:
        """A row for each value, for each message that could not be read, and for each mapping that heard nothing."""
        shown = {tag.address.split(" ")[0] for tag in self._tags.values()}
        unread = [
            TagProbe(topic, topic, trouble=why) for topic, why in self._troubles.items() if why and topic not in shown
        ]
        silent = [
            TagProbe(name, name, trouble=refused.get(name) or f"nothing came within {timeout_s:.0f} s; check the topic")
            for name in sorted(self._missing)
        ]
        return (*self._tags.values(), *unread, *silent)
