"""What `raceway test` shows of a broker."""

from __future__ import annotations

import asyncio

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.probe import probe
from collectors.mqtt.sparkplug.messages import Payload
from tests.collectors.mqtt.life import config_for
from tests.fakes.mqtt_broker import CONNECT, PUBACK, SUBSCRIBE, FakeBroker, publish, suback

TOPIC = "plant/line-1/meter-1/energy"


async def test_values_beside_their_payload() -> None:
    """Each signal with value, unit and time, and the payload that it came from."""
    reading = b'{"ts": 1700000000000, "p": "1.5", "e": 10}'
    retained = lambda _body: suback(0) + publish(TOPIC, reading, qos=0, retain=True)  # noqa: E731
    async with FakeBroker({SUBSCRIBE: retained}) as broker:
        found = await probe(config_for(broker.url), plant="p", timeout_s=5)
    assert found.is_well
    assert found.facts == {"protocol": "MQTT 5", TOPIC: reading.decode()}
    power, energy = found.tags
    assert (power.tag, power.address, power.value, power.unit) == (
        "p/line-1/meter-1/active_power",
        f"{TOPIC} p",
        1.5,
        "kW",
    )
    assert (energy.value, energy.t_ns) == (10.0, 1_700_000_000_000_000_000)
    assert broker.acks(PUBACK) == []


async def test_edge_nodes_are_listened_to_until_the_end() -> None:
    """With Sparkplug B nobody knows how many nodes there are: the time is used up, and every node is shown."""
    birth = Payload(metrics=[{"name": "Load", "int_value": 1}]).SerializeToString()
    births = [publish(f"spBv1.0/g/NBIRTH/{edge}", birth, qos=0) for edge in ("e1", "e2")]
    answer = lambda _body: suback(*[0] * 6) + births[0] + births[1]  # noqa: E731
    async with FakeBroker({SUBSCRIBE: answer}) as broker:
        config = MqttConfig.model_validate({"name": "m", "url": broker.url, "sparkplug": {}})
        found = await probe(config, plant="p", timeout_s=0.5)
    assert [(tag.tag, tag.value) for tag in found.tags] == [("p/g/e1/e1/Load", 1.0), ("p/g/e2/e2/Load", 1.0)]
    assert found.is_well


async def test_silence_and_garbage_are_shown() -> None:
    """A topic that brings nothing, and one that brings what does not fit, are rows with a trouble."""
    mappings = [
        {"topic": "a/{machine}", "signals": [{"signal": "x", "path": "x"}]},
        {"topic": "b/{machine}", "signals": [{"signal": "x", "path": "x"}]},
    ]
    answer = lambda _body: suback(0, 0) + publish("a/m", b"garbage", qos=0)  # noqa: E731
    async with FakeBroker({SUBSCRIBE: answer}) as broker:
        found = await probe(config_for(broker.url, mappings=mappings), plant="p", timeout_s=0.3)
    troubles = {tag.tag: tag.trouble for tag in found.tags}
    assert "not JSON" in troubles["a/m"]
    assert "nothing came" in troubles["b/+"]
    assert not found.is_well


async def test_a_peer_that_cannot_be_used_is_the_result() -> None:
    """No exception: the reason is what the probe found."""
    refused = await probe(config_for("mqtt://127.0.0.1:1"), plant="p", timeout_s=0.3)
    assert "nothing listens" in refused.trouble
    async with FakeBroker({CONNECT: None}) as broker:
        mute = await probe(config_for(broker.url), plant="p", timeout_s=0.3)
    assert "check whether an MQTT broker is there" in mute.trouble


async def test_a_running_agent_is_not_disturbed() -> None:
    """The probe comes under its own name, without a session, and asks for QoS 0."""
    async with FakeBroker({SUBSCRIBE: suback(0)}) as broker:
        config = config_for(broker.url)
        await probe(config, plant="p", timeout_s=0.1)
        await asyncio.sleep(0)
    connect, subscribe = (body for header, body in broker.received if header >> 4 in (CONNECT, SUBSCRIBE))
    assert config.client_id_at("p").encode() + b"-test-" in connect
    assert connect[7] & 0x02
    assert subscribe[-1] & 0x03 == 0
