"""The source against amqtt, a broker in Python that speaks 3.1.1 only."""

from __future__ import annotations

import asyncio

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from collectors.mqtt.source import MqttSource
from tests.collectors.mqtt.life import FakeLog, config_for, living, never
from tests.servers.ports import free_port

broker_module = pytest.importorskip("amqtt.broker")
TOPIC = "plant/line-1/meter-1/energy"


@pytest.mark.filterwarnings("default")
async def test_falls_back_to_3_1_1(log: FakeLog) -> None:
    """A broker that knows no MQTT 5 is read in 3.1.1, without a word in the configuration."""
    port = free_port()
    broker = broker_module.Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        source = MqttSource(config_for(f"mqtt://127.0.0.1:{port}"), plant="p", last_time=never)
        async with living(source, log):
            await asyncio.to_thread(_publish, port)
            await log.until(lambda: len(log.points) == 20)
        assert log.values("active_power") == [float(number) for number in range(10)]
    finally:
        await broker.shutdown()


def _publish(port: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for number in range(10):
        client.publish(TOPIC, f'{{"p": {number}, "e": 1}}', qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()
