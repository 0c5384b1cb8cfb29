"""Topics and payloads as columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.mqtt import fields, plans
from collectors.mqtt.config import MqttConfig
from collectors.mqtt.decode import LAST_USABLE, NO_DATA, Decoder
from collectors.mqtt.outcome import KEPT_PAYLOAD_BYTES, Decoded
from collectors.mqtt.packets import Messages
from collectors.points import Clock

NOW = 1_700_000_000_000_000_000
METER = {
    "topic": "plant/{line}/{machine}/energy",
    "time": {"path": "ts", "format": "epoch_ms"},
    "signals": [{"signal": "p", "path": "p", "unit": "kW"}, {"signal": "e", "path": "e", "kind": "counter"}],
}


def messages(*pairs: tuple[str | bytes, Any], retained: bool = False, cut: bool = False) -> Messages:
    """Payloads that are no bytes are written as JSON."""
    topics = [topic.encode() if isinstance(topic, str) else topic for topic, _ in pairs]
    payloads = [payload if isinstance(payload, bytes) else json.dumps(payload).encode() for _, payload in pairs]
    count = len(pairs)
    return Messages(
        topics,
        payloads,
        np.ones(count, np.uint8),
        np.full(count, retained),
        np.zeros((count, 4), np.uint8),
        cut,
    )


def decoder(*mappings: dict[str, Any], **settings: Any) -> Decoder:
    config = {"name": "m", "url": "mqtt://h", "mappings": list(mappings) or [METER], **settings}
    return Decoder(MqttConfig.model_validate(config), plant="plant")


def decode_one(mapping: dict[str, Any], topic: str, payload: Any, **flags: bool) -> Decoded:
    return decoder(mapping).decode(messages((topic, payload), **flags), received_ns=NOW)


def shown(decoded: Decoded) -> list[tuple[str, str, float | str]]:
    assert decoded.batch is not None
    return [(point.series.machine, point.series.signal, point.value) for point in decoded.batch.points()]


def signal(**settings: Any) -> dict[str, Any]:
    return {"topic": "{machine}", "signals": [{"signal": "x", **settings}]}


def test_columns_of_a_block() -> None:
    """Messages of several machines become one batch in order, and the table of series grows with them."""
    of = decoder()
    first = of.decode(
        messages(("plant/l/a/energy", {"ts": NOW // 10**6, "p": 1, "e": 2.5}), ("plant/l/b/energy", {"ts": 1, "p": 3})),
        received_ns=NOW,
    )
    assert shown(first) == [("a", "p", 1.0), ("a", "e", 2.5), ("b", "p", 3.0)]
    assert first.batch is not None
    assert first.batch.t_ns.tolist()[:2] == [NOW, NOW]
    assert first.batch.clock.tolist() == [Clock.SOURCE, Clock.SOURCE, Clock.GATEWAY]
    second = of.decode(messages(("plant/l/a/energy", {"ts": NOW // 10**6, "p": 5})), received_ns=NOW)
    assert second.batch is not None
    assert second.batch.series is first.batch.series
    third = of.decode(messages(("plant/l/c/energy", {"p": 5})), received_ns=NOW)
    assert third.batch is not None
    assert third.batch.series[: len(first.batch.series)] == first.batch.series


def test_area_and_line() -> None:
    """The topic's words, the mapping's, or the source's defaults, in this order of precedence from the mapping on."""
    mappings = [
        {**METER, "topic": "t/{line}/{machine}"},
        {**METER, "topic": "u/{line}/{machine}", "line": "fixed-{line}", "area": "hall"},
        {**METER, "topic": "v/{machine}"},
    ]
    of = decoder(*mappings, area="default-area", line="default-line")
    decoded = of.decode(messages(*((f"{topic}/m", {"p": 1}) for topic in ("t/l1", "u/l2", "v"))), received_ns=NOW)
    assert decoded.batch is not None
    assert [(series.area, series.line) for series in decoded.batch.series if series.signal == "p"] == [
        ("default-area", "l1"),
        ("hall", "fixed-l2"),
        ("default-area", "default-line"),
    ]


def test_machine_from_the_payload() -> None:
    """The device id in the payload names the machine; a message without one is a dead letter."""
    mapping = {"topic": "gw/#", "device": "meter.sn", "signals": [{"signal": "p", "path": "p"}]}
    of = decoder(mapping)
    decoded = of.decode(
        messages(("gw/1", {"meter": {"sn": "A"}, "p": 1}), ("gw/1", {"meter": {"sn": 7}, "p": 2}), ("gw/1", {"p": 3})),
        received_ns=NOW,
    )
    assert shown(decoded) == [("A", "p", 1.0), ("7", "p", 2.0)]
    assert [letter.reason for letter in decoded.letters] == ["the payload names no machine at meter.sn"]


def test_machine_made_of_placeholders() -> None:
    """A machine's name may be composed of the topic's words."""
    mapping = {"topic": "gw/{model}/{sn}", "machine": "{model}-{sn}", "signals": [{"signal": "p", "path": "p"}]}
    assert shown(decode_one(mapping, "gw/ADW300/12", {"p": 1})) == [("ADW300-12", "p", 1.0)]


@pytest.mark.parametrize(
    ("settings", "raw", "expected"),
    [
        ({}, 5, 5.0),
        ({}, "5.5", 5.5),
        ({}, " 5.5 ", 5.5),
        ({}, "1e5", 1e5),
        ({"scale": 0.1, "offset": 2}, 100, 12.0),
        ({"scale": 0.1}, "2301.5", 230.15),
        ({"type": "bool"}, True, 1.0),
        ({"type": "bool"}, "off", 0.0),
        ({"type": "bool"}, 0, 0.0),
        ({"type": "bool", "kind": "state"}, "开", 1.0),
        ({"kind": "state", "map": {"RUN": 1, "STOP": 0}}, "RUN", 1.0),
        ({"kind": "state", "map": {"true": 1, "3": 7}}, 3, 7.0),
        ({"kind": "state", "map": {"true": 1, "3": 7}}, True, 1.0),
        ({"kind": "text"}, "M8×40", "M8×40"),
        ({"kind": "text"}, 42, "42"),
        ({"kind": "event"}, {"code": 5}, '{"code": 5}'),
        ({}, 2**64 - 1, float(2**64 - 1)),
        ({}, -0.0, 0.0),
    ],
)
def test_values(settings: dict[str, Any], raw: object, expected: float | str) -> None:
    """Numbers, numbers as text, switches, words and texts."""
    decoded = decode_one(signal(path="v", **settings), "m", {"v": raw})
    ((_, _, value),) = shown(decoded)
    assert value == pytest.approx(expected) if isinstance(expected, float) else value == expected
    assert decoded.letters == []


@pytest.mark.parametrize(
    ("settings", "raw", "complaint"),
    [
        ({}, "1,5", "decimal comma"),
        ({}, "1_000", "not a number"),
        ({}, "--", "not a number"),
        ({}, "", "not a number"),
        ({}, True, "set type: bool"),
        ({}, [1], "not a number"),
        ({}, {}, "not a number"),
        ({}, "nan", "not a finite number"),
        ({}, "-inf", "not a finite number"),
        ({}, "1" * 500, "not a finite number"),
        ({"type": "bool"}, "perhaps", "neither true nor false"),
        ({"type": "bool"}, [], "neither true nor false"),
        ({"kind": "state", "map": {"RUN": 1}}, "WALK", "none of the words"),
        ({"kind": "text"}, "x" * 5000, "5000 characters"),
    ],
)
def test_values_that_are_refused(settings: dict[str, Any], raw: object, complaint: str) -> None:
    """A value that is none becomes a dead letter that names the signal; nothing else is lost."""
    mapping = {
        "topic": "{machine}",
        "signals": [{"signal": "x", "path": "v", **settings}, {"signal": "good", "path": "g"}],
    }
    decoded = decode_one(mapping, "m", {"v": raw, "g": 1})
    assert shown(decoded) == [("m", "good", 1.0)]
    (letter,) = decoded.letters
    assert letter.reason.startswith("x: ")
    assert complaint in letter.reason
    assert (letter.origin, letter.where, letter.received_ns) == ("m", "m", NOW)


@pytest.mark.parametrize(("raw", "is_good"), [(5, True), (0, True), (10, True), (-1, False), (11, False)])
def test_limits(raw: object, is_good: bool) -> None:
    """A value that cannot be is refused with the limits, after scale and offset."""
    decoded = decode_one(signal(path="v", scale=10, minimum=0, maximum=100), "m", {"v": raw})
    assert (decoded.batch is not None) is is_good
    assert [letter.reason for letter in decoded.letters] == (
        [] if is_good else [f"x: {raw * 10} is not between 0 and 100 ({raw} in the payload)"]  # type: ignore[operator]
    )


@pytest.mark.parametrize("raw", [65535, "65535", 65535.0, "----", " ---- ", None])
def test_what_stands_for_no_value(raw: object) -> None:
    """The device's own sign for 'no value' is a point of Bad quality, never a number."""
    decoded = decode_one(signal(path="v", scale=0.1, no_value=[65535, "----"]), "m", {"v": raw})
    assert decoded.batch is not None
    assert decoded.batch.quality.tolist() == [NO_DATA]
    assert decoded.letters == []


@pytest.mark.parametrize("settings", [{}, {"kind": "text"}, {"type": "bool"}, {"kind": "state", "map": {"RUN": 1}}])
def test_a_document_too_deep_to_be_shown(settings: dict[str, Any]) -> None:
    """Nesting that JSON allows and Python can hardly print costs one value, not the stream."""
    mapping = {
        "topic": "{machine}",
        "signals": [{"signal": "x", "path": "v", **settings}, {"signal": "good", "path": "g"}],
    }
    decoded = decode_one(mapping, "m", b'{"g": 1, "v": ' + b"[" * 1015 + b"]" * 1015 + b"}")
    assert shown(decoded) == [("m", "good", 1.0)]
    assert [letter.reason[:3] for letter in decoded.letters] == ["x: "]


def test_null_is_a_bad_value() -> None:
    """A device that says null says that it has no value: a point of Bad quality, not a missing one."""
    decoded = decode_one(signal(path="v"), "m", {"v": None})
    assert decoded.batch is not None
    assert decoded.batch.quality.tolist() == [NO_DATA]
    assert np.isnan(decoded.batch.value).all()
    assert decoded.letters == []


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"", "empty"),
        (b"garbage", "not JSON"),
        (b'{"v": 1', "not JSON"),
        (b"\xff\xfe\x00\x81", "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b"7", "none of the mapping's paths"),
        (b"[1, 2]", "none of the mapping's paths"),
        (b'"v"', "none of the mapping's paths"),
        (b'{"w": 1}', "none of the mapping's paths"),
        (b"1" * 6000, "not JSON"),
        (b'{"v": 2, "v": 1}', "the key 'v' is there twice"),
    ],
)
def test_payloads_that_do_not_fit(payload: bytes, complaint: str) -> None:
    """Each is a dead letter with the bytes that came."""
    decoded = decode_one(signal(path="v"), "m", payload)
    assert decoded.batch is None
    assert complaint in decoded.letters[0].reason
    assert decoded.letters[0].payload == payload


@pytest.mark.parametrize(
    "payload",
    [
        '{"v": 1, "名": "磨床"}'.encode("gb18030"),
        b'\xef\xbb\xbf{"v": 1}',
        b'{"v": 1, "v2": NaN}',
        b' {"v" : 1.0 } \r\n',
    ],
    ids=["GB18030", "BOM", "NaN elsewhere", "spaces"],
)
def test_odd_json_is_read(payload: bytes) -> None:
    """What devices really send is read, strict JSON or not."""
    assert shown(decode_one(signal(path="v"), "m", payload)) == [("m", "x", 1.0)]


def test_bare_nan_is_refused_for_its_signal_alone() -> None:
    """NaN in JSON costs one value, not the message."""
    decoded = decode_one(METER, "plant/l/a/energy", b'{"p": NaN, "e": 5}')
    assert shown(decoded) == [("a", "e", 5.0)]
    assert decoded.letters[0].reason == "p: the value is not a finite number (nan in the payload)"


@pytest.mark.parametrize(
    ("mapping", "payload", "expected"),
    [
        ({"payload": "text"}, b" 21.5 \n", 21.5),
        ({"payload": "csv", "path": "[1]"}, b"a, 21.5 ,c\nignored", 21.5),
        ({"payload": "json"}, b"21.5", 21.5),
        ({"payload": "json", "path": "[0].v"}, b'[{"v": "21.5"}]', 21.5),
    ],
)
def test_other_payloads(mapping: dict[str, Any], payload: bytes, expected: float) -> None:
    """Plain text, CSV, and JSON that is no object."""
    settings = {"topic": "{machine}", "payload": mapping["payload"]}
    settings["signals"] = [{"signal": "x", "path": mapping.get("path", "")}]
    assert shown(decode_one(settings, "m", payload)) == [("m", "x", expected)]


@pytest.mark.parametrize(
    ("ts", "note"),
    [
        (0, "before 2000"),
        (NOW // 10**3, "more than a day ahead"),
        (NOW // 10**6 + 48 * 3600 * 1000, "more than a day ahead"),
        (10**400, "more than a day ahead"),
        ("soon", "not a timestamp"),
        (None, "not a timestamp"),
    ],
)
def test_a_timestamp_that_cannot_be_is_replaced(ts: object, note: str) -> None:
    """A value with an absurd time is kept, at the gateway's time, and the trouble is said until it is over."""
    of = decoder()
    topic = "plant/l/a/energy"
    decoded = of.decode(messages((topic, {"ts": ts, "p": 1})), received_ns=NOW)
    assert decoded.batch is not None
    assert (decoded.batch.t_ns[0], decoded.batch.clock[0]) == (NOW, Clock.GATEWAY)
    assert note in decoded.troubles[topic]
    assert decoded.letters == []
    well = of.decode(messages((topic, {"ts": NOW // 10**6, "p": 1})), received_ns=NOW)
    assert well.troubles == {topic: ""}
    assert of.decode(messages((topic, {"ts": NOW // 10**6, "p": 1})), received_ns=NOW).troubles == {}


def test_gateway_times_never_repeat() -> None:
    """Values without a time of their own get distinct, rising times, so that none replaces another."""
    of = decoder(signal(path="v"))
    times: list[int] = []
    for _ in range(3):
        decoded = of.decode(messages(*[("m", {"v": 1})] * 5), received_ns=NOW)
        assert decoded.batch is not None
        times += decoded.batch.t_ns.tolist()
    assert times == sorted(set(times))
    assert times[0] == NOW


@pytest.mark.parametrize(("payload", "quality"), [({"p": 1}, LAST_USABLE), ({"p": 1, "ts": NOW // 10**6}, 0)])
def test_retained(payload: dict[str, Any], quality: int) -> None:
    """A retained value without a time is Uncertain; with one it is a value like any other."""
    decoded = decode_one(METER, "plant/l/a/energy", payload, retained=True)
    assert decoded.batch is not None
    assert decoded.batch.quality.tolist() == [quality]


@pytest.mark.parametrize(
    ("topic", "complaint"),
    [(b"plant/\xc3\x28/a/energy", "not UTF-8"), (b"", "alias"), (b"other", "no mapping fits")],
)
def test_topics_that_do_not_fit(topic: bytes, complaint: str) -> None:
    """Each is a dead letter under a topic that can be read."""
    decoded = decoder().decode(messages((topic, {"p": 1})), received_ns=NOW)
    assert complaint in decoded.letters[0].reason
    assert decoded.letters[0].where == topic.decode("utf-8", "backslashreplace")


def test_a_dead_letter_is_bounded() -> None:
    """Of a huge payload 64 KiB are kept, and the reason says how much there was."""
    decoded = decode_one(signal(path="v"), "m", b"x" * 100_000)
    assert len(decoded.letters[0].payload) == KEPT_PAYLOAD_BYTES
    assert "of 100000 bytes the first 65536 are kept" in decoded.letters[0].reason


def test_a_message_that_was_cut_is_a_dead_letter() -> None:
    """The beginning of a too long message is never read as if it were whole."""
    decoded = decoder(signal(path="v")).decode(messages(("m", {"v": 1}), ("m", {"v": 2}), cut=True), received_ns=NOW)
    assert shown(decoded) == [("m", "x", 1.0)]
    assert "too large" in decoded.letters[0].reason


def test_several_mappings_for_one_topic() -> None:
    """Every mapping that fits reads the message."""
    decoded = decoder(
        {"topic": "{machine}", "signals": [{"signal": "a", "path": "a"}]},
        {"topic": "+", "machine": "all", "signals": [{"signal": "b", "path": "b"}]},
    ).decode(messages(("m", {"a": 1, "b": 2}), ("m", {"b": 3})), received_ns=NOW)
    assert shown(decoded) == [("m", "a", 1.0), ("all", "b", 2.0), ("all", "b", 3.0)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("tspe"), children, max_size=4),
    max_leaves=8,
)


@given(st.lists(st.one_of(st.binary(max_size=30), json_values), min_size=1, max_size=5))
def test_any_payload_ends_somewhere(payloads: list[object]) -> None:
    """Whatever comes, each message is in the batch, in a dead letter, or in both, and no exception escapes."""
    of = decoder({**METER, "time": {"path": "t"}}, signal(path="s", kind="text"))
    decoded = of.decode(messages(*(("plant/l/m/energy", payload) for payload in payloads)), received_ns=NOW)
    held = len(decoded.batch) if decoded.batch is not None else 0
    assert held + len(decoded.letters) >= len(payloads)
    if decoded.batch is not None:
        good = decoded.batch.quality == 0
        assert np.isfinite(decoded.batch.value[good]).all()


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53), min_size=1, max_size=9)
)
def test_the_quick_way_equals_the_careful_way(values: list[float]) -> None:
    """A block of plain numbers gives the same columns as the same block beside a number that is written as text."""
    pairs = [("plant/l/m/energy", orjson.dumps({"p": value, "e": 1})) for value in values]
    odd = ("plant/l/m/energy", b'{"p": "1", "e": "2"}')
    quick = decoder().decode(messages(*pairs), received_ns=NOW).batch
    careful = decoder().decode(messages(*pairs, odd), received_ns=NOW).batch
    assert quick is not None
    assert careful is not None
    assert quick.value.tolist() == careful.value.tolist()[:-2]
    assert quick.which.tolist() == careful.which.tolist()[:-2]


def test_a_broker_that_sends_nonsense_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics, troubles and series are remembered up to a bound each; beyond it values become dead letters."""
    monkeypatch.setattr(plans, "MOST_TOPICS", 50)
    monkeypatch.setattr(fields, "MOST_SERIES", 120)
    of = decoder(signal(path="v"))
    decoded = of.decode(messages(*((f"m{i}", {"v": 1}) for i in range(200))), received_ns=NOW)
    assert decoded.batch is not None
    assert (len(decoded.batch), len(decoded.batch.series), len(decoded.letters)) == (120, 120, 80)
    assert "more than 120 series" in decoded.letters[0].reason
    assert len(of._plans.known) <= 50
    lost = of.decode(messages(*((f"x/{i}", {"v": 1}) for i in range(3000))), received_ns=NOW)
    assert len(lost.letters) == 3000
    assert len(lost.troubles) <= 1000
