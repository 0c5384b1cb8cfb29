"""The meters' way to the broker: a real MQTT client, QoS 1, that keeps what is not acknowledged and sends it again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from collectors.simulator.ledger import Ledger
from collectors.simulator.meters import MEDIA, Meter


class Publisher:
    """Publishes readings of the meters with the time in `ts`, milliseconds since 1970, and says so in the ledger."""

    def __init__(self, url: str, *, ledger: Ledger) -> None:
        self._address = urlsplit(url)
        self._ledger = ledger
        self._waiting: dict[int, tuple[str, int]] = {}  # message id -> topic, t_ns
        self._settled = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._last_ms = 0
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="raceway-meters", clean_session=False, protocol=paho.MQTTv311
        )
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(0.2, 2.0)  # type: ignore[arg-type]
        client.on_publish = self._on_publish
        self._client = client

    def __enter__(self) -> Self:
        self._client.connect_async(self._address.hostname or "127.0.0.1", self._address.port or 1883, keepalive=10)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, meter: Meter, reading: Mapping[str, float]) -> int:
        """Send one payload; returns how many values it holds."""
        self._last_ms = ms = max(time.time_ns() // 1_000_000, self._last_ms)
        t_ns = ms * 1_000_000
        signals = {key.signal: reading[key.path] for key in MEDIA[meter.medium]}
        self._ledger.published(meter.topic, meter.name, t_ns, signals)
        sent = self._client.publish(meter.topic, orjson.dumps({"ts": ms, **reading}), qos=1)
        self._waiting[sent.mid] = meter.topic, t_ns
        self._settled.clear()
        return len(signals)

    async def settled(self, *, within_s: float) -> bool:
        """Wait until the broker has accepted everything; False where it has not in time."""
        if not self._waiting:
            return True
        try:
            async with asyncio.timeout(within_s):
                await self._settled.wait()
        except TimeoutError:
            return False
        return True

    def _on_publish(self, _client: object, _userdata: object, mid: int, *_: object) -> None:
        # In paho's thread. `publish` has not returned yet where the broker is quick; the loop runs this after it.
        self._loop.call_soon_threadsafe(self._accepted, mid)

    def _accepted(self, mid: int) -> None:
        topic, t_ns = self._waiting.pop(mid)
        self._ledger.accepted(topic, t_ns)
        if not self._waiting:
            self._settled.set()
