"""The source against a broker that says exactly what the test wants."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from collectors.mqtt import intake, link
from collectors.mqtt.decode import Decoder
from collectors.mqtt.intake import stands_series
from collectors.mqtt.source import QUICK_LIVES, MqttSource
from collectors.source import SourceLost, heartbeat_series
from tests.collectors.mqtt.life import FakeLog, Life, config_for, living, never
from tests.fakes.mqtt_broker import (
    CONNACK_3,
    CONNACK_5_PRESENT,
    CONNECT,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    SUBSCRIBE,
    FakeBroker,
    packet,
    publish,
    suback,
)

TOPIC = "plant/line-1/meter-1/energy"
READING = b'{"ts": 1700000000000, "p": 1.5, "e": 10}'


def starting(broker: FakeBroker, log: FakeLog) -> AbstractAsyncContextManager[Life]:
    return living(MqttSource(config_for(broker.url), plant="p", last_time=never), log, connected=False)


def version_of(connect_body: bytes) -> int:
    return connect_body[6]


async def test_acknowledgements_keep_the_order_of_arrival(log: FakeLog) -> None:
    """PUBACKs leave in the order in which the messages came, whatever their packet ids."""
    numbers = [7, 3, 65535, 1, 512]
    async with FakeBroker() as broker, living(MqttSource(config_for(broker.url), plant="p", last_time=never), log):
        await broker.send(b"".join(publish(TOPIC, READING, number=number) for number in numbers))
        await broker.until(lambda: len(broker.acks()) == len(numbers))
    assert broker.acks() == numbers


async def test_a_later_delivery_that_is_durable_first_waits_for_the_earlier(log: FakeLog) -> None:
    """Nothing is acknowledged across a hole."""
    first, arrived = asyncio.Event(), asyncio.Event()

    async def deliver(delivery: object) -> None:
        if not log.kept:
            log.kept.append(delivery)  # type: ignore[arg-type]
            arrived.set()
            await first.wait()

    async with FakeBroker() as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=never)
        task = asyncio.create_task(source.run(deliver))  # type: ignore[arg-type]
        await broker.until(lambda: any(header >> 4 == SUBSCRIBE for header, _ in broker.received))
        await broker.send(publish(TOPIC, READING, number=1))
        async with asyncio.timeout(5):
            await arrived.wait()
        await broker.send(publish(TOPIC, READING, number=2))
        await asyncio.sleep(0.2)
        assert broker.acks() == []
        first.set()
        await broker.until(lambda: broker.acks() == [1, 2])
        task.cancel()
        await asyncio.wait({task})


async def test_no_acknowledgement_for_an_earlier_connection(log: FakeLog) -> None:
    """What becomes durable after its connection broke is never acknowledged to the next one."""
    async with FakeBroker({CONNECT: CONNACK_5_PRESENT}) as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=never)
        log.park()
        async with living(source, log) as life:
            await broker.send(publish(TOPIC, READING, number=9))
            await asyncio.sleep(0.1)
            broker.hang_up()
            await life.lost()
        log.unpark()
        async with living(source, log):
            await asyncio.sleep(0.2)
    assert broker.acks() == []


async def test_half_a_packet_of_a_broken_connection_is_forgotten(log: FakeLog) -> None:
    """The beginning of a packet from one connection is not glued to the bytes of the next."""
    async with FakeBroker({CONNECT: CONNACK_5_PRESENT}) as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=never)
        async with living(source, log) as life:
            await broker.send(publish(TOPIC, READING)[:20])
            broker.hang_up()
            await life.lost()
        async with living(source, log):
            await broker.send(publish(TOPIC, READING, number=2))
            await log.until(lambda: len(log.points) == 2)
    assert log.letters == []


async def test_qos_2_is_received_when_durable_and_completed(log: FakeLog) -> None:
    """PUBREC leaves when the message is durable, PUBCOMP when the broker releases it."""
    answers = {SUBSCRIBE: suback(2), PUBREC: lambda body: packet(0x62, body[:2])}
    async with (
        FakeBroker(answers) as broker,
        living(MqttSource(config_for(broker.url, qos=2), plant="p", last_time=never), log),
    ):
        await broker.send(publish(TOPIC, READING, qos=2, number=5))
        await broker.until(lambda: broker.acks(PUBCOMP) == [5])
    assert broker.acks(PUBREC) == [5]
    assert len(log.points) == 2


@pytest.mark.parametrize("refusal", [None, b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"], ids=["hangs up", "3", "5"])
async def test_falls_back_to_3_1_1_and_stays_there(log: FakeLog, refusal: bytes | None) -> None:
    """A broker that refuses MQTT 5 in any of the ways seen is spoken to in 3.1.1, at once from then on."""
    answers = {
        CONNECT: lambda body: refusal if version_of(body) == 5 else CONNACK_3,
        SUBSCRIBE: suback(1, version=3),
    }
    async with FakeBroker(answers) as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=never)
        async with living(source, log):
            await broker.send(publish(TOPIC, READING, version=3))
            await log.until(lambda: len(log.points) == 2)
        async with living(source, log):
            pass
    connects = [version_of(body) for header, body in broker.received if header >> 4 == CONNECT]
    assert connects == [5, 4, 4]


async def test_no_version_fits(log: FakeLog) -> None:
    """A server that hangs up on every version is said to be no broker."""
    async with FakeBroker({CONNECT: None}) as broker, starting(broker, log) as life:
        lost = await life.lost()
    assert "check whether an MQTT broker is there" in lost.reason


@pytest.mark.parametrize(("version", "code"), [("5", 0x87), ("3.1.1", 0x80)])
async def test_refused_subscription_ends_the_life(log: FakeLog, version: str, code: int) -> None:
    """When every subscription is refused there is nothing to wait for; the reason names topic and cause."""
    level = 5 if version == "5" else 3
    answers = {SUBSCRIBE: suback(code, version=level)} | ({} if level == 5 else {CONNECT: CONNACK_3})
    async with FakeBroker(answers) as broker:
        source = MqttSource(config_for(broker.url, protocol=version), plant="p", last_time=never)
        async with living(source, log, connected=False) as life:
            lost = await life.lost()
    assert lost.reason.startswith("plant/+/+/energy: the broker refuses the subscription")
    assert lost.hold_s >= 30


async def test_one_refused_subscription_is_a_trouble(log: FakeLog) -> None:
    """The granted ones go on."""
    mappings = [{"topic": f"{word}/{{machine}}", "signals": [{"signal": "x", "path": "x"}]} for word in ("a", "b", "c")]
    async with FakeBroker({SUBSCRIBE: suback(1, 0x87, 0)}) as broker:
        source = MqttSource(config_for(broker.url, mappings=mappings), plant="p", last_time=never)
        async with living(source, log):
            troubles = dict(source.status.troubles)
    assert troubles.keys() == {"b/+", "c/+"}
    assert "Not authorized" in troubles["b/+"]
    assert "QoS 0" in troubles["c/+"]


async def test_taken_over_by_another_client(log: FakeLog) -> None:
    """A broker that says that somebody else took our name is believed, and not fought."""
    async with (
        FakeBroker() as broker,
        living(MqttSource(config_for(broker.url), plant="p", last_time=never), log) as life,
    ):
        await broker.send(b"\xe0\x02\x8e\x00")
        lost = await life.lost()
    assert "another client has connected" in lost.reason
    assert lost.hold_s >= 30


@pytest.mark.parametrize(
    "octets",
    [
        b"\xf0\x00",
        b"\x00\x05hello",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x90\x01\x00",
        b"\x20\x01\x00",
        b"\xe0\x05\xff\xff\xff\xff\xff",
    ],
    ids=["auth", "type 0", "endless length", "short suback", "short connack", "bad disconnect"],
)
async def test_bytes_that_are_not_mqtt_end_the_life(log: FakeLog, octets: bytes) -> None:
    """Hostile bytes are a lost source with a reason, never a hang and never an exception nobody foresaw."""
    async with (
        FakeBroker() as broker,
        living(MqttSource(config_for(broker.url), plant="p", last_time=never), log) as life,
    ):
        await broker.send(octets)
        lost = await life.lost()
    assert "broker" in lost.reason or "not MQTT" in lost.reason


async def test_a_web_server_is_no_broker(log: FakeLog) -> None:
    """The wrong port is said to be one."""
    async with FakeBroker({CONNECT: b"HTTP/1.1 400 Bad Request\r\n\r\n"}) as broker, starting(broker, log) as life:
        lost = await life.lost()
    assert "not MQTT; check the port" in lost.reason


async def test_a_broker_that_never_answers(log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence after CONNECT has an end."""
    monkeypatch.setattr(link, "ANSWER_S", 0.2)
    monkeypatch.setattr(link, "TRY_S", 0.2)
    async with FakeBroker({CONNECT: b""}) as broker, starting(broker, log) as life:
        lost = await life.lost()
    assert "has not answered our CONNECT" in lost.reason


async def test_a_broken_publish_and_an_odd_topic_are_dead_letters(log: FakeLog) -> None:
    """A packet that contradicts itself, and a topic that is not UTF-8, are kept; the stream goes on."""
    async with FakeBroker() as broker, living(MqttSource(config_for(broker.url), plant="p", last_time=never), log):
        await broker.send(packet(0x32, b"\xff\xff"))
        await broker.send(publish(b"plant/\xc3\x28/x/energy", READING, number=2))
        await broker.send(publish("", READING, number=3))
        await broker.send(publish(TOPIC, READING, number=4))
        await log.until(lambda: len(log.points) == 2 and len(log.letters) == 3)
        await broker.until(lambda: broker.acks() == [2, 3, 4])
    reasons = [letter.reason for letter in log.letters]
    assert any("contradicts itself" in reason for reason in reasons)
    assert any("not UTF-8" in reason for reason in reasons)
    assert any("alias" in reason for reason in reasons)


@pytest.mark.parametrize("megabytes", [1, 10, 20])
async def test_huge_payloads_are_bounded_dead_letters(log: FakeLog, megabytes: int) -> None:
    """A payload of any size is acknowledged, kept as 64 KiB, and the next message is read."""
    async with FakeBroker() as broker, living(MqttSource(config_for(broker.url), plant="p", last_time=never), log):
        await broker.send(publish(TOPIC, b"[" * (megabytes << 20), number=1) + publish(TOPIC, READING, number=2))
        await log.until(lambda: len(log.points) == 2 and len(log.letters) == 1)
        await broker.until(lambda: broker.acks() == [1, 2])
    assert len(log.letters[0].payload) == 64 * 1024
    assert "first 65536 are kept" in log.letters[0].reason or "only its beginning" in log.letters[0].reason


def dropped_of(log: FakeLog) -> int:
    return sum(int(gap.detail.split()[0]) for gap in log.gaps)


async def test_qos_0_beyond_the_buffer_is_dropped_and_counted(log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk refuses, messages of QoS 0 beyond the bound are dropped, counted, and said by a gap record."""
    monkeypatch.setattr(intake, "DROP_BYTES", 100_000)
    async with FakeBroker() as broker:
        source = MqttSource(config_for(broker.url, qos=0), plant="p", last_time=never)
        async with living(source, log):
            log.park()
            for _ in range(100):
                await broker.send(publish(TOPIC, READING, qos=0) * 200)
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.2)
            log.unpark()
            await log.until(lambda: log.count // 2 + dropped_of(log) == 20_000)
            trouble = source.status.troubles["QoS 0"]
    dropped = dropped_of(log)
    assert {gap.reason for gap in log.gaps} == {"queue_overflow"}
    assert dropped > 0
    assert trouble.startswith(f"{dropped} messages of QoS 0 dropped")


async def test_a_broker_without_a_window_is_held_back(log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the bound of undelivered bytes the socket is not read; everything arrives when the disk is back."""
    monkeypatch.setattr(intake, "STOP_BYTES", 200_000)
    messages, count = publish(TOPIC, READING + b" " * 1000, number=1) * 100, 100
    async with FakeBroker() as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=never)
        async with living(source, log):
            log.park()
            sending = asyncio.create_task(broker.send(messages * count))
            await asyncio.sleep(0.5)
            held = source.status.messages
            log.unpark()
            await log.until(lambda: log.count == 2 * 100 * count)
            await sending
    assert held < 100 * count / 2


async def test_a_fault_of_the_log_is_not_swallowed(log: FakeLog) -> None:
    """An append that raises, which it never should, ends the life instead of acknowledging."""

    async def broken(_delivery: object) -> None:
        raise RuntimeError("a bug")

    async with FakeBroker() as broker:
        task = asyncio.create_task(MqttSource(config_for(broker.url), plant="p", last_time=never).run(broken))  # type: ignore[arg-type]
        await broker.until(lambda: any(header >> 4 == SUBSCRIBE for header, _ in broker.received))
        await broker.send(publish(TOPIC, READING))
        with pytest.raises(RuntimeError, match="a bug"):
            await task
    assert broker.acks() == []


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [(CONNACK_5_PRESENT, "link_lost", "its queue"), (None, "session_lost", "kept nothing")],
    ids=["kept", "lost"],
)
async def test_the_absence_of_a_dead_agent_is_a_gap(log: FakeLog, answer: bytes | None, reason: str, said: str) -> None:
    """After a restart the time since the earlier agent's last tick is said: a kept session keeps one queue, not all."""
    async with FakeBroker({CONNECT: answer} if answer else None) as broker:
        source = MqttSource(
            config_for(broker.url), plant="p", last_time=lambda series: 42 if series.signal == "up" else 0
        )
        async with living(source, log):
            await broker.until(lambda: any(header >> 4 == SUBSCRIBE for header, _ in broker.received))

    assert [(42, reason, True)] == [(gap.from_ns, gap.reason, said in gap.detail) for gap in log.gaps]


async def test_the_gap_begins_where_the_connection_ended(log: FakeLog) -> None:
    """An agent that lived without its broker has ticked, and received nothing: what is missing begins before it."""
    until = {stands_series("p", "meters"): 42, heartbeat_series("p"): 99}
    async with (
        FakeBroker() as broker,
        living(MqttSource(config_for(broker.url), plant="p", last_time=lambda of: until.get(of, 0)), log),
    ):
        await log.until(lambda: len(log.gaps) == 1)
    assert log.gaps[0].from_ns == 42


async def test_until_when_nothing_is_missing_is_written_down(log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once when the connection stands, then now and then while messages come; behind the gap, never before it."""
    monkeypatch.setattr(intake, "STANDS_NS", 0)
    async with (
        FakeBroker() as broker,
        living(MqttSource(config_for(broker.url), plant="p", last_time=lambda _series: 42), log),
    ):
        await broker.send(publish(TOPIC, READING, number=1))
        await broker.until(lambda: broker.acks() == [1])
        await log.until(lambda: len(log.stood) >= 2)
    assert {point.series for batch in log.stood for point in batch.points()} == {stands_series("p", "meters")}


async def test_a_disk_that_refuses_does_not_hide_a_lost_connection(log: FakeLog) -> None:
    """While the gap waits for the disk the end of the connection is seen; the next one says the same gap."""
    log.park()
    async with FakeBroker() as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=lambda _series: 42)
        async with living(source, log) as life:
            broker.hang_up()
            await life.lost()
        log.unpark()
        async with living(source, log):
            await log.until(lambda: len(log.gaps) == 1)
    assert log.gaps[0].from_ns == 42


async def test_two_agents_with_one_client_id_stop_fighting(log: FakeLog) -> None:
    """A client that is cut off again and again just after it connected holds back, and says what to look for."""
    async with FakeBroker({CONNECT: CONNACK_5_PRESENT}) as broker:
        source = MqttSource(config_for(broker.url), plant="p", last_time=never)
        reasons: list[SourceLost] = []
        for _ in range(QUICK_LIVES):
            async with living(source, log) as life:
                broker.hang_up()
                reasons.append(await life.lost())

    assert [0.0] * (QUICK_LIVES - 1) == [lost.hold_s for lost in reasons[:-1]]
    assert reasons[-1].hold_s > 0
    assert "client id" in reasons[-1].reason


async def test_a_fault_nobody_foresaw_ends_the_life(log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in decoding is not swallowed by the event loop: the supervisor gets it, and nothing is acknowledged."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(Decoder, "decode", broken)
    async with FakeBroker() as broker:
        task = asyncio.create_task(MqttSource(config_for(broker.url), plant="p", last_time=never).run(log.deliver))
        await broker.until(lambda: any(header >> 4 == SUBSCRIBE for header, _ in broker.received))
        await broker.send(publish(TOPIC, READING))
        with pytest.raises(KeyError, match="a bug"):
            await task
    assert broker.acks() == []


async def test_an_answer_leaves_when_its_message_is_durable(log: FakeLog) -> None:
    """What a device waits for is published after its message is on disk, never before."""
    mapping = {
        "topic": "gw/{machine}/up",
        "only": {"type": "data"},
        "signals": [{"signal": "p", "path": "p"}],
        "replies": [{"only": {"type": "data"}, "topic": "gw/{machine}/down", "payload": "ok"}],
        "answer": True,
    }
    log.park()
    async with FakeBroker() as broker:
        config = config_for(broker.url, mappings=[mapping], protocol="3.1.1")
        broker.answers |= {CONNECT: CONNACK_3, SUBSCRIBE: suback(1, version=3)}
        async with living(MqttSource(config, plant="p", last_time=never), log):
            await broker.send(publish("gw/m/up", b'{"type":"data","p":1}', version=3))
            await asyncio.sleep(0.2)
            assert [header for header, _ in broker.received if header >> 4 == PUBLISH] == []
            log.unpark()
            await broker.until(lambda: any(header >> 4 == PUBLISH for header, _ in broker.received))
            await broker.until(lambda: broker.acks() == [1])
    (answer,) = [body for header, body in broker.received if header >> 4 == PUBLISH]
    assert answer == b"\0\x09gw/m/downok"
