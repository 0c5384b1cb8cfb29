"""CBOR and MessagePack payloads, read as JSON would be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import cbor2
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.mqtt.binary import load_cbor, load_msgpack
from tests.collectors.mqtt.test_mqtt_decode import decode_one, shown

BOTH = pytest.mark.parametrize(
    ("name", "pack"), [("cbor", cbor2.dumps), ("msgpack", msgpack.packb)], ids=["cbor", "msgpack"]
)
NOW = 1_700_000_000_000_000_000


def mapping(payload: str, **settings: Any) -> dict[str, Any]:
    signals = [{"signal": "p", "path": "m.p"}, {"signal": "s", "path": "m.s", "kind": "text"}]
    return {"topic": "{machine}", "payload": payload, "signals": signals, **settings}


@BOTH
def test_values_and_time(name: str, pack: Callable[[Any], bytes]) -> None:
    """Numbers, texts and epochs are found by the same paths as in JSON."""
    payload = pack({"m": {"p": 1.5, "s": "运行"}, "ts": NOW // 10**6})
    decoded = decode_one(mapping(name, time={"path": "ts"}), "m", payload)
    assert shown(decoded) == [("m", "p", 1.5), ("m", "s", "运行")]
    assert decoded.batch is not None
    assert set(decoded.batch.t_ns.tolist()) == {NOW}


@BOTH
def test_keys_that_are_numbers(name: str, pack: Callable[[Any], bytes]) -> None:
    """A key 2 is found by the path "2"."""
    decoded = decode_one(
        {"topic": "{machine}", "payload": name, "signals": [{"signal": "p", "path": "2"}]}, "m", pack({2: 7})
    )
    assert shown(decoded) == [("m", "p", 7.0)]


@BOTH
def test_octets_where_a_value_should_be(name: str, pack: Callable[[Any], bytes]) -> None:
    """Octets are no number, and as a text they are shown."""
    decoded = decode_one(mapping(name), "m", pack({"m": {"p": b"\1\2", "s": b"\1"}}))
    assert shown(decoded) == [("m", "s", "\"b'\\\\x01'\"")]
    assert "is not a number" in decoded.letters[0].reason


def test_what_only_cbor_has() -> None:
    """Decimal fractions are numbers; times that are tagged stay as they are written."""
    payload = cbor2.dumps({"m": {"p": Decimal("21.5")}, "ts": cbor2.CBORTag(1, NOW // 10**9)})
    decoded = decode_one(mapping("cbor", time={"path": "ts", "format": "epoch_s"}), "m", payload)
    assert shown(decoded) == [("m", "p", 21.5)]
    assert decoded.batch is not None
    assert decoded.batch.t_ns.tolist() == [NOW]


def test_what_only_msgpack_has() -> None:
    """Its timestamp type is nanoseconds."""
    payload = msgpack.packb({"m": {"p": 1}, "ts": msgpack.Timestamp.from_unix_nano(NOW)})
    decoded = decode_one(mapping("msgpack", time={"path": "ts", "format": "epoch_ns"}), "m", payload)
    assert decoded.batch is not None
    assert decoded.batch.t_ns.tolist() == [NOW]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x9b" + b"\xff" * 8,
        b"\x5b" + b"\xff" * 8,
        b"\x81" * 100_000,
        b"\x91" * 100_000,
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xd8\x1d\x00",
        b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xd6\xff",
    ],
)
@pytest.mark.parametrize("load", [load_cbor, load_msgpack])
def test_hostile_payloads(load: Callable[[bytes], object], payload: bytes) -> None:
    """Lengths that lie, depth without end and broken tags cost one message and no memory."""
    with suppress(ValueError):
        load(payload)


@given(st.binary(max_size=60))
def test_any_octets(payload: bytes) -> None:
    """Whatever comes: a batch, or a dead letter."""
    for name in ("cbor", "msgpack"):
        decoded = decode_one({**mapping(name), "signals": [{"signal": "s", "kind": "text"}]}, "m", payload)
        assert decoded.batch is not None or decoded.letters
