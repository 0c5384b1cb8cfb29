"""Hostile input over one connection: an error is counted, a dead letter kept, and the stream goes on."""

from __future__ import annotations

import json
import zlib

import pytest

from collectors.mqtt.outcome import KEPT_PAYLOAD_BYTES
from collectors.mqtt.packets import LARGEST_PACKET
from collectors.mqtt.source import MqttSource
from collectors.mqtt.sparkplug.messages import Payload
from collectors.mqtt.sparkplug.payload import LARGEST_INFLATED
from tests.collectors.mqtt.life import FakeLog, config_for, living, never
from tests.collectors.mqtt.test_mqtt_decode import decode_one, decoder, messages
from tests.fakes.mqtt_broker import FakeBroker, packet, publish

TOPIC = "plant/l/m/energy"
GOOD = b'{"ts": 1700000000000, "p": 1.5, "e": 10}'
BOMB = Payload(uuid="SPBV1.0_COMPRESSED", body=zlib.compress(bytes(LARGEST_INFLATED + 1))).SerializeToString()

HOSTILE = {
    "a topic longer than its packet": (packet(0x32, b"\xff\xffab"), "contradicts itself"),
    "QoS 3": (packet(0x36, b"\0\1a\0\7x"), "contradicts itself"),
    "properties longer than their packet": (packet(0x32, b"\0\1a\0\7\x7fx"), "contradicts itself"),
    "a topic that is not UTF-8": (publish(b"plant/\xff\xfe/m/energy", GOOD, number=7), "not UTF-8"),
    "10 MB of JSON": (publish(TOPIC, b'{"p":"' + b"9" * 10_000_000 + b'"}', number=7), "first 65536 are kept"),
    "17 MB": (publish(TOPIC, bytes(LARGEST_PACKET + 1), number=7), "too large"),
    "deep JSON": (publish(TOPIC, b'{"p":' * 50_000, number=7), "not JSON"),
    "half a character": (publish(TOPIC, b'{"p": 1, "sn": "\\ud801"}', number=7), "not JSON"),
    "NaN": (publish(TOPIC, b'{"p": NaN}', number=7), "not a finite number"),
    "a key twice": (publish(TOPIC, b'{"p": 1, "p": 2}', number=7), "the key 'p' is there twice"),
    "a bomb": (publish("spBv1.0/g/NDATA/e", BOMB, number=7), "inflates to more than"),
    "an array that lies": (publish("cbor/m", b"\x9b" + b"\xff" * 8, number=7), "not CBOR"),
}


@pytest.mark.parametrize(("octets", "complaint"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_the_stream_goes_on(log: FakeLog, octets: bytes, complaint: str) -> None:
    """The dead letter has the reason and at most 64 KiB; the next message is read and acknowledged."""
    async with FakeBroker() as broker:
        cbor = {"topic": "cbor/{machine}", "payload": "cbor", "signals": [{"signal": "x", "path": "x"}]}
        config = config_for(broker.url, sparkplug={})
        config = config_for(broker.url, sparkplug={}, mappings=[*config.model_dump()["mappings"], cbor])
        async with living(MqttSource(config, plant="p", last_time=never), log) as life:
            await broker.send(octets + publish(TOPIC, GOOD, number=9))
            await broker.until(lambda: 9 in broker.acks(), timeout_s=20)
            assert life.source.status.dead_letters == 1
            assert life.source.status.state == "connected"
    (letter,) = log.letters
    assert complaint in letter.reason
    assert len(letter.payload) <= KEPT_PAYLOAD_BYTES
    assert log.values("active_energy") == [10.0]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"p": 1, "p": 2}',
        b'{"p" : 1, "p" : 2}',
        b'{"p": 1, "x": {"a": 1, "a": 1}}',
        b'{"p": 1, "l": [{"a": 1, "a": 2}]}',
    ],
)
def test_a_key_twice_is_refused_wherever_it_is(payload: bytes) -> None:
    """Nobody knows which of the two is meant, at the top or below; a sound message before it does not hide it."""
    mapping = {"topic": "{machine}", "signals": [{"signal": "p", "path": "p"}]}
    of = decoder(mapping)
    sound = json.dumps({"p": 1, "x": {"a": 1}, "l": []}).encode()
    decoded = of.decode(messages(("m", sound), ("m", payload), ("m", sound)), received_ns=1_700_000_000_000_000_000)
    assert len(decoded.letters) == 1
    assert "twice" in decoded.letters[0].reason
    assert decoded.batch is not None
    assert len(decoded.batch) == 2


def test_texts_that_look_like_keys_are_no_doubles() -> None:
    """A colon after a quote inside a text makes nothing a double."""
    mapping = {"topic": "{machine}", "signals": [{"signal": "p", "path": "p"}]}
    assert decode_one(mapping, "m", b'{"p": 1, "note": "\\"p\\": 2"}').letters == []
