"""Software that shares no code with ours: edge nodes of sparkplug-client, the broker aedes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.source import MqttSource
from collectors.mqtt.sparkplug.edge import NO_COMMUNICATION
from collectors.points import Point
from tests.collectors.mqtt.life import FakeLog, config_for, living, never
from tests.servers.mosquitto import Mosquitto, publish
from tests.servers.opcua import Child
from tests.servers.sparkplug_node import aedes, edge_node

NODE = pytest.mark.real("mosquitto", "sparkplug-node")


def host_config(url: str, **settings: Any) -> MqttConfig:
    return MqttConfig.model_validate({"name": "edges", "url": url, "sparkplug": settings})


async def tell(child: Child, what: str, **arguments: Any) -> int:
    return await asyncio.to_thread(child.do, what, **arguments)


def of(points: list[Point], signal: str) -> list[float | str]:
    return [point.value for point in points if point.series.signal == signal]


@NODE
async def test_a_foreign_edge_node_is_read(broker: Mosquitto, log: FakeLog) -> None:
    """Births, data under aliases, both compressions, texts, data sets and templates of another implementation."""
    async with living(MqttSource(host_config(broker.url), plant="p", last_time=never), log):
        with edge_node(broker.url) as edge:
            now_ms = int(time.time() * 1000)
            await tell(edge, "data", value=2.5, time=now_ms)
            await tell(edge, "data", value=3.5, time=now_ms + 1, compress="DEFLATE")
            await tell(edge, "data", value=4.5, time=now_ms + 2, compress="GZIP")
            await log.until(lambda: 4.5 in of(log.points, "Speed"), timeout_s=30)
            assert of(log.points, "Speed") == [1.5, 2.5, 3.5, 4.5]
            assert of(log.points, "Load") == [-5.0]
            assert of(log.points, "程序") == ["外圈磨削"]
            assert of(log.points, "table[0].t") == [-1.0]
            assert of(log.points, "table[1].on") == [0.0]
            assert of(log.points, "motor.rpm") == [1500.0]
            speed = next(point for point in log.points if point.series.signal == "Speed")
            assert (str(speed.series), speed.series.unit) == ("p/g/e/d/Speed", "rpm")
            assert (log.gaps, log.letters) == ([], [])


@NODE
async def test_its_death_is_seen(broker: Mosquitto, log: FakeLog) -> None:
    """A device that says that it is dead, then a node that is killed: their values are stale."""
    async with living(MqttSource(host_config(broker.url), plant="p", last_time=never), log):
        with edge_node(broker.url) as edge:
            await tell(edge, "death")
            await log.until(lambda: any(point.quality == NO_COMMUNICATION for point in log.points), timeout_s=30)
            assert {point.series.machine for point in log.points if point.quality == NO_COMMUNICATION} == {"d"}
        await log.until(
            lambda: any(p.quality == NO_COMMUNICATION and p.series.machine == "e" for p in log.points), timeout_s=30
        )


@NODE
async def test_a_hole_is_seen_and_healed_by_a_primary_host(broker: Mosquitto, log: FakeLog) -> None:
    """A lost message is a gap; the primary host asks once for births, and the node gives them."""
    config = host_config(broker.url, host_id="raceway")
    async with living(MqttSource(config, plant="p", last_time=never), log):
        with edge_node(broker.url) as edge:
            await log.until(lambda: of(log.points, "Speed") == [1.5], timeout_s=30)
            await tell(edge, "skip")
            await tell(edge, "data", value=9.5, time=int(time.time() * 1000))
            await log.until(lambda: of(log.points, "Speed").count(1.5) == 2, timeout_s=30)
            assert len(log.gaps) == 1
            assert await tell(edge, "births") == 2


@NODE
async def test_a_late_primary_host_asks_for_what_it_missed(broker: Mosquitto, log: FakeLog) -> None:
    """A node that was born before we came is asked for its births at its first message."""
    with edge_node(broker.url) as edge:
        async with living(MqttSource(host_config(broker.url, host_id="raceway"), plant="p", last_time=never), log):
            await tell(edge, "data", value=9.5, time=int(time.time() * 1000))
            await log.until(lambda: of(log.points, "Speed") == [1.5], timeout_s=30)
            assert await tell(edge, "births") == 2


@pytest.mark.real("sparkplug-node")
async def test_a_broker_of_another_make(log: FakeLog) -> None:
    """Aedes speaks 3.1.1 only: the agent finds out, reads, and acknowledges."""
    with aedes() as url:
        async with living(MqttSource(config_for(url), plant="p", last_time=never), log) as life:
            port = int(url.rsplit(":", 1)[1])
            readings = [
                (f"plant/l/m{i % 3}/energy", f'{{"ts": {1_700_000_000_000 + i}, "p": {i}}}') for i in range(200)
            ]
            await asyncio.to_thread(publish, port, *readings)
            await log.until(lambda: log.count == 200, timeout_s=30)
            assert life.source.status.state == "connected"
    assert sorted(log.values("active_power")) == [float(i) for i in range(200)]
