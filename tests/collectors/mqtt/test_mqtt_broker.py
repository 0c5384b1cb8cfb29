"""The source against a real mosquitto."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from pathlib import Path

import pytest

from collectors.mqtt.source import MqttSource
from collectors.points import Clock, Urgency
from tests.collectors.mqtt.life import FakeLog, config_for, living, never
from tests.servers.mosquitto import Mosquitto, Tls

pytestmark = pytest.mark.real("mosquitto")
TOPIC = "plant/line-1/meter-1/energy"


def reading(power: float) -> str:
    return json.dumps({"ts": 1_700_000_000_000 + int(power * 1000), "p": power, "e": power / 10})


def readings(count: int, first: int = 0) -> list[tuple[str, str]]:
    return [(TOPIC, reading(float(number))) for number in range(first, first + count)]


@pytest.mark.parametrize("protocol", ["5", "3.1.1", "auto"])
async def test_values_arrive_with_machine_and_time(broker: Mosquitto, log: FakeLog, protocol: str) -> None:
    """A message becomes points of the machine that its topic names, at the time that its payload names."""
    source = MqttSource(config_for(broker.url, protocol=protocol), plant="p", last_time=never)
    async with living(source, log):
        broker.publish(*readings(3))
        await log.until(lambda: len(log.points) == 6)
    first = log.points[0]
    assert str(first.series) == "p/line-1/meter-1/active_power"
    assert (first.t_ns, first.value, first.clock) == (1_700_000_000_000_000_000, 0.0, Clock.SOURCE)
    assert log.values("active_power") == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [1, 2])
async def test_nothing_is_acknowledged_before_it_is_durable(
    broker: Mosquitto, log: FakeLog, protocol: str, qos: int
) -> None:
    """While the log parks, a killed connection gets every message again; once durable, none comes again."""
    source = MqttSource(config_for(broker.url, protocol=protocol, qos=qos), plant="p", last_time=never)
    log.park()
    async with living(source, log):
        broker.publish(*readings(15), qos=qos)
        await asyncio.sleep(0.3)
    assert log.kept == []
    log.unpark()
    async with living(source, log):
        await log.until(lambda: len(log.points) == 30)
        await asyncio.sleep(0.2)
    async with living(source, log):
        broker.publish(*readings(1, first=15), qos=qos)
        await log.until(lambda: len(log.points) == 32)
        await asyncio.sleep(0.2)
    assert log.values("active_power") == [float(number) for number in range(16)]


async def test_messages_wait_at_the_broker_while_we_are_away(broker: Mosquitto, log: FakeLog) -> None:
    """The session is kept: what is published between two lives arrives in the second; that the broker's queue may have
    been too short is said, without a number.
    """
    source = MqttSource(config_for(broker.url), plant="p", last_time=never)
    async with living(source, log):
        pass
    broker.publish(*readings(100))
    async with living(source, log):
        await log.until(lambda: len(log.points) == 200)
    assert [(gap.reason, gap.points) for gap in log.gaps] == [("link_lost", None)]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_broker_restart_with_persistence_loses_nothing(tmp_path: Path, log: FakeLog, protocol: str) -> None:
    """A broker that keeps sessions on disk is stopped with messages under way; all of them arrive, none is missing."""
    with Mosquitto(tmp_path, persistent=True) as broker:
        source = MqttSource(config_for(broker.url, protocol=protocol), plant="p", last_time=never)
        log.park()
        async with living(source, log) as life:
            broker.publish(*readings(50))
            broker.stop()
            lost = await life.lost()
        assert "broker" in lost.reason
        broker.start()
        log.unpark()
        async with living(source, log):
            await log.until(lambda: len(log.points) == 100)
        assert log.values("active_power") == [float(number) for number in range(50)]
        assert [gap.reason for gap in log.gaps] == ["link_lost"]


async def test_session_lost_by_the_broker_is_a_gap(tmp_path: Path, log: FakeLog) -> None:
    """A broker that forgets our session may have forgotten messages: the hole since the last one is said."""
    with Mosquitto(tmp_path) as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=never)
        async with living(source, log) as life:
            broker.publish(*readings(1))
            await log.until(lambda: len(log.points) == 2)
            received_ns = log.batches[0].received_ns
            broker.stop()
            await life.lost()
        broker.start()
        async with living(source, log):
            await log.until(lambda: len(log.gaps) == 1)
    gap = log.gaps[0]
    assert (gap.source, gap.reason, gap.from_ns) == ("meters", "session_lost", received_ns)
    assert gap.from_ns < gap.to_ns <= time.time_ns()
    assert source.status.gaps == 1


async def test_a_frozen_broker_is_given_up(broker: Mosquitto, log: FakeLog) -> None:
    """A broker that stands still without closing the connection is lost within one and a half keep-alives."""
    source = MqttSource(config_for(broker.url, keepalive_s=2), plant="p", last_time=never)
    async with living(source, log) as life:
        broker.freeze()
        started = time.monotonic()
        lost = await life.lost()
    assert "silent" in lost.reason
    assert time.monotonic() - started < 1.5 * 2 + 0.3


async def test_an_idle_broker_is_not_given_up(broker: Mosquitto, log: FakeLog) -> None:
    """Silence that is answered by pings is health."""
    source = MqttSource(config_for(broker.url, keepalive_s=2), plant="p", last_time=never)
    async with living(source, log):
        await asyncio.sleep(4.5)
        broker.publish(*readings(1))
        await log.until(lambda: len(log.points) == 2)


async def test_wrong_password_is_said_and_not_hammered(tmp_path: Path, log: FakeLog) -> None:
    """A refused password ends the life with words for people and a long pause."""
    (tmp_path / "password").write_text("wrong\n")
    for protocol in ("5", "3.1.1"):
        with Mosquitto(tmp_path, users={"raceway": "right"}) as broker:
            source = MqttSource(
                config_for(broker.url, protocol=protocol, username="raceway", password_file=str(tmp_path / "password")),
                plant="p",
                last_time=never,
            )
            async with living(source, log, connected=False) as life:
                lost = await life.lost()
        assert "check username and password_file" in lost.reason
        assert lost.hold_s >= 30


async def test_right_password(tmp_path: Path, log: FakeLog) -> None:
    """The password comes from its file."""
    (tmp_path / "password").write_text("right\n")
    with Mosquitto(tmp_path, users={"raceway": "right"}) as broker:
        config = config_for(broker.url, username="raceway", password_file=str(tmp_path / "password"))
        async with living(MqttSource(config, plant="p", last_time=never), log):
            pass


async def test_missing_password_file_is_said(broker: Mosquitto, log: FakeLog, tmp_path: Path) -> None:
    """A secret that cannot be read is the reason, by name."""
    config = config_for(broker.url, username="raceway", password_file=str(tmp_path / "nothing"))
    async with living(MqttSource(config, plant="p", last_time=never), log, connected=False) as life:
        lost = await life.lost()
    assert str(tmp_path / "nothing") in lost.reason


async def test_tls_with_client_certificate(tmp_path: Path, log: FakeLog) -> None:
    """TLS with our own certificate, a thousand messages."""
    tls = Tls(tmp_path, asks_clients=True)
    with Mosquitto(tmp_path, tls=tls) as broker:
        config = config_for(
            f"mqtts://127.0.0.1:{broker.port}",
            tls={
                "ca_file": str(tls.ca),
                "certificate_file": str(tls.client_certificate),
                "private_key_file": str(tls.client_key),
            },
        )
        async with living(MqttSource(config, plant="p", last_time=never), log):
            broker.publish(*readings(1000))
            await log.until(lambda: len(log.points) == 2000)
    assert log.values("active_power") == [float(number) for number in range(1000)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_unknown_authority_is_said(tmp_path: Path, log: FakeLog) -> None:
    """A broker whose certificate nobody vouches for is refused, with what to check."""
    with Mosquitto(tmp_path, tls=Tls(tmp_path)) as broker:
        source = MqttSource(config_for(f"mqtts://127.0.0.1:{broker.port}"), plant="p", last_time=never)
        async with living(source, log, connected=False) as life:
            reason = (await life.lost()).reason
        del life
    gc.collect()  # paho leaves the socket of a failed handshake to the garbage collector
    assert "certificate is not trusted" in reason


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("name", "is_trusted"), [("broker.plant", True), ("another.plant", False)])
async def test_name_in_the_certificate(tmp_path: Path, log: FakeLog, name: str, is_trusted: bool) -> None:
    """A broker that is dialled by its address may have a certificate for its name, and must have it for that one."""
    tls = Tls(tmp_path)
    with Mosquitto(tmp_path, tls=tls) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        source = MqttSource(
            config_for(url, tls={"ca_file": str(tls.ca), "server_name": name}), plant="p", last_time=never
        )
        async with living(source, log, connected=is_trusted) as life:
            if not is_trusted:
                assert "certificate is not trusted" in (await life.lost()).reason
        del life
    gc.collect()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_websocket(tmp_path: Path, log: FakeLog, protocol: str) -> None:
    """The same over WebSocket."""
    with Mosquitto(tmp_path, websockets=True) as broker:
        source = MqttSource(
            config_for(f"ws://127.0.0.1:{broker.port}/mqtt", protocol=protocol), plant="p", last_time=never
        )
        async with living(source, log):
            broker.publish(*readings(1000))
            await log.until(lambda: len(log.points) == 2000)
            await asyncio.sleep(0.2)
        async with living(source, log):
            broker.publish(*readings(1, first=1000))
            await log.until(lambda: len(log.points) == 2002)
    assert log.values("active_power") == [float(number) for number in range(1001)]


async def test_receive_maximum_is_honoured(tmp_path: Path, log: FakeLog) -> None:
    """While nothing is acknowledged, the broker sends no more than we allowed."""
    with Mosquitto(tmp_path, max_inflight=0) as broker:
        source = MqttSource(config_for(broker.url, receive_maximum=30), plant="p", last_time=never)
        async with living(source, log):
            pass
        broker.publish(*readings(200))
        log.park()
        async with living(source, log):
            await asyncio.sleep(0.5)
            assert source.status.messages == 30
            log.unpark()
            await log.until(lambda: len(log.points) == 400)


async def test_half_full_window_is_urgent(broker: Mosquitto, log: FakeLog) -> None:
    """A single message may linger; half a window of unacknowledged ones may not."""
    source = MqttSource(config_for(broker.url), plant="p", last_time=never)
    async with living(source, log):
        broker.publish(*readings(1))
        await log.until(lambda: len(log.points) == 2)
        log.park()
        broker.publish(*readings(20, first=1))
        await asyncio.sleep(0.3)
        log.unpark()
        await log.until(lambda: len(log.points) == 42)
    assert log.batches[0].urgency is Urgency.NORMAL
    assert log.batches[-1].urgency is Urgency.NOW


async def test_a_payload_that_does_not_fit_never_stops_the_stream(broker: Mosquitto, log: FakeLog) -> None:
    """Garbage becomes a dead letter with topic, bytes and reason, is acknowledged, and the next message arrives."""
    source = MqttSource(config_for(broker.url), plant="p", last_time=never)
    async with living(source, log):
        broker.publish((TOPIC, b"\xff\xfe garbage"), (TOPIC, '{"other": 1}'), (TOPIC, reading(7.0)))
        await log.until(lambda: len(log.points) == 2 and len(log.letters) == 2)
        await asyncio.sleep(0.2)
    assert [(letter.where, letter.payload) for letter in log.letters] == [
        (TOPIC, b"\xff\xfe garbage"),
        (TOPIC, b'{"other": 1}'),
    ]
    assert source.status.dead_letters == 2
    async with living(source, log):
        await asyncio.sleep(0.3)
    assert len(log.letters) == 2


async def test_second_agent_with_the_same_name_is_said(broker: Mosquitto, log: FakeLog) -> None:
    """Two agents under one client id push each other out; mosquitto just hangs up, the reason says what to check."""
    source = MqttSource(config_for(broker.url, protocol="5"), plant="p", last_time=never)
    other = MqttSource(config_for(broker.url, protocol="5"), plant="p", last_time=never)
    async with living(source, log) as life, living(other, FakeLog()):
        lost = await life.lost()
    assert "whether another client uses the name 'raceway-p-meters-" in lost.reason


@pytest.mark.parametrize("retained_time", [True, False])
async def test_retained_message_without_time_is_uncertain(broker: Mosquitto, log: FakeLog, retained_time: bool) -> None:
    """A retained value is a value; without a timestamp of its own nobody knows its age, and its quality says so."""
    payload = reading(5.0) if retained_time else '{"p": 5.0, "e": 0.5}'
    broker.publish((TOPIC, payload), retain=True)
    async with living(MqttSource(config_for(broker.url), plant="p", last_time=never), log):
        await log.until(lambda: len(log.points) == 2)
    expected = (0, Clock.SOURCE) if retained_time else (0x4090_0000, Clock.GATEWAY)
    assert (log.points[0].quality, log.points[0].clock) == expected


async def test_nothing_listens(log: FakeLog) -> None:
    """An address where nothing is says which one, and what to check."""
    source = MqttSource(config_for("mqtt://127.0.0.1:1"), plant="p", last_time=never)
    async with living(source, log, connected=False) as life:
        lost = await life.lost()
    assert "nothing listens at 127.0.0.1:1" in lost.reason
