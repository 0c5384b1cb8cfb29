"""More than one broker, more than one agent, and what an agent says of itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from collectors.mqtt import source as source_module
from collectors.mqtt.config import MqttConfig
from collectors.mqtt.source import MqttSource
from tests.collectors.mqtt.life import FakeLog, config_for, living, never
from tests.fakes.mqtt_broker import CONNACK_3, CONNECT, PUBLISH, SUBSCRIBE, FakeBroker, publish, suback
from tests.servers.mosquitto import Mosquitto

READING = b'{"ts": 1700000000000, "p": 1.5, "e": 10}'
NOWHERE = "mqtt://127.0.0.1:1"


class Listener:
    """Someone else at the broker, who remembers the newest message of each topic."""

    def __init__(self, port: int, topic: str) -> None:
        self.heard: dict[str, Any] = {}
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _d, message: self._hear(message)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic)
        self._client.loop_start()

    def _hear(self, message: paho.MQTTMessage) -> None:
        self.heard[message.topic] = json.loads(message.payload)
        self._loop.call_soon_threadsafe(self._changed.set)

    async def until(self, topic: str, **wanted: object) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while not wanted.items() <= self.heard.get(topic, {}).items():
                self._changed.clear()
                await self._changed.wait()
        found: dict[str, Any] = self.heard[topic]
        return found

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def test_the_next_broker_is_tried(log: FakeLog) -> None:
    """When the first cannot be reached the next life is at the second; after that one the first is tried again."""
    async with FakeBroker() as broker:
        source = MqttSource(config_for(NOWHERE, failover=[broker.url]), plant="p", last_time=never)
        async with living(source, log, connected=False) as life:
            assert "nothing listens" in (await life.lost()).reason
        async with living(source, log):
            assert source.status.address == broker.url
            await broker.send(publish("plant/l/m/energy", READING))
            await broker.until(lambda: broker.acks() == [1])
            broker.hang_up()
        async with living(source, log, connected=False) as life:
            assert "127.0.0.1:1" in (await life.lost()).reason


async def test_each_broker_has_its_own_version(log: FakeLog) -> None:
    """That one broker speaks 3.1.1 says nothing about another."""
    async with FakeBroker({CONNECT: CONNACK_3, SUBSCRIBE: suback(1, version=3)}) as old:
        source = MqttSource(config_for(old.url, failover=[NOWHERE], protocol="3.1.1"), plant="p", last_time=never)
        async with living(source, log) as life:
            assert life.source.status.state == "connected"
    assert old.connections == 1


@pytest.mark.real("mosquitto")
async def test_agents_can_be_watched_at_the_broker(
    broker: Mosquitto, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is there while the agent is, with version, settings' hash and health, and says when it stopped."""
    monkeypatch.setattr(source_module, "ANNOUNCE_S", 0.05)
    listener = Listener(broker.plain_port, "raceway/#")
    topic = "raceway/plant-1/meters"
    try:
        config = config_for(broker.url, announce="raceway/{plant}/{source}")
        async with living(MqttSource(config, plant="plant/1", last_time=never), log):
            status = await listener.until(topic, state="online")
            assert (status["plant"], status["source"], len(status["config"])) == ("plant/1", "meters", 16)
            assert status["version"]
            broker.publish(("plant/l/m/energy", b"garbage"))
            status = await listener.until(topic, state="troubled", dead_letters=1)
            assert "not JSON" in status["troubles"]["plant/l/m/energy"]
        await listener.until(topic, state="offline")
    finally:
        listener.close()


@pytest.mark.real("mosquitto")
async def test_a_primary_host_says_its_state(broker: Mosquitto, log: FakeLog) -> None:
    """STATE is online with the time of the connection, and offline with the same time afterwards."""
    listener = Listener(broker.plain_port, "spBv1.0/STATE/#")
    config = MqttConfig.model_validate({"name": "s", "url": broker.url, "sparkplug": {"host_id": "raceway"}})
    try:
        async with living(MqttSource(config, plant="p", last_time=never), log):
            online = await listener.until("spBv1.0/STATE/raceway", online=True)
        offline = await listener.until("spBv1.0/STATE/raceway", online=False)
        assert online["timestamp"] == offline["timestamp"] > 1_700_000_000_000
    finally:
        listener.close()


async def test_the_will_says_what_the_goodbye_says(log: FakeLog) -> None:
    """The broker is given a retained will of QoS 1 at the connect, for when the agent cannot say goodbye."""
    async with FakeBroker() as broker:
        config = config_for(broker.url, announce="raceway/{plant}/{source}")
        async with living(MqttSource(config, plant="p", last_time=never), log):
            pass
    connect = next(body for header, body in broker.received if header >> 4 == CONNECT)
    assert connect[7] & 0x3C == 0x04 | 0x08 | 0x20
    assert b"raceway/p/meters" in connect
    assert b'"state": "offline"' in connect


async def test_a_silent_agent_publishes_nothing(log: FakeLog) -> None:
    """Without announce, host_id or answer there is no will and no PUBLISH from us."""
    async with FakeBroker() as broker, living(MqttSource(config_for(broker.url), plant="p", last_time=never), log):
        await broker.send(publish("plant/l/m/energy", READING))
        await broker.until(lambda: broker.acks() == [1])
    connect = next(body for header, body in broker.received if header >> 4 == CONNECT)
    assert connect[7] & 0x04 == 0
    assert [header for header, _ in broker.received if header >> 4 == PUBLISH] == []


@pytest.mark.real("mosquitto")
async def test_two_agents_share_a_subscription(broker: Mosquitto, log: FakeLog) -> None:
    """With $share each message goes to one of them: together they have all, and none twice."""
    mapping = {
        "topic": "$share/raceway/plant/{line}/{machine}/energy",
        "time": {"path": "ts"},
        "signals": [{"signal": "p", "path": "p"}],
    }
    first, second = (
        MqttSource(config_for(broker.url, mappings=[mapping], name=name), plant="p", last_time=never) for name in "ab"
    )
    async with living(first, log), living(second, log):
        readings = [
            ("plant/l/m/energy", json.dumps({"ts": 1_700_000_000_000 + i, "p": i}).encode()) for i in range(100)
        ]
        await asyncio.to_thread(broker.publish, *readings)
        await log.until(lambda: log.count == 100)
    assert sorted(log.values("p")) == [float(i) for i in range(100)]
    assert {batch.source for batch in log.batches} == {"a", "b"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"failover": ["http://h"]}, "no broker address"),
        ({"failover": ["mqtt://u:p@h"]}, "no user name or password"),
        ({"announce": "a/#"}, "without + and #"),
        ({"announce": "a/{machine}"}, "means nothing here"),
        ({"announce": "a", "sparkplug": {"host_id": "h"}}, "one will"),
        ({"mappings": []}, "at least 1"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], complaint: str) -> None:
    """Each mistake is named."""
    with pytest.raises(ValidationError) as error:
        config_for("mqtt://h", **changes)
    assert complaint in str(error.value)


def test_certificates_for_a_broker_of_the_list() -> None:
    """Certificates are of use where any of the brokers speaks TLS."""
    config_for("mqtt://h", failover=["mqtts://h"], tls={"ca_file": "ca.pem"})


def test_nothing_to_read_is_said() -> None:
    """A source without mappings and without sparkplug says what is missing."""
    with pytest.raises(ValidationError, match="nothing says what to read"):
        MqttConfig.model_validate({"name": "m", "url": "mqtt://h"})
