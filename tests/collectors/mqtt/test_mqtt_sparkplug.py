"""Sparkplug B: births, aliases, sequence numbers, deaths, and metrics of every type."""

from __future__ import annotations

import gzip
import math
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.outcome import Decoded
from collectors.mqtt.packets import Messages
from collectors.mqtt.sparkplug import payload as payloads
from collectors.mqtt.sparkplug.edge import MOST_UNBORN, NO_COMMUNICATION, NO_DATA, STALE
from collectors.mqtt.sparkplug.elements import MOST_ELEMENTS, elements
from collectors.mqtt.sparkplug.host import Host
from collectors.mqtt.sparkplug.messages import Payload
from collectors.mqtt.sparkplug.settings import SparkplugSettings
from collectors.points import GOOD, UNCERTAIN, Clock, Kind, Point

NOW = 1_700_000_000_000_000_000
T_MS = NOW // 10**6 - 5000
INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME = range(1, 14)
DATASET, BYTES, TEMPLATE = 16, 17, 19


def octets(*metrics: dict[str, Any], seq: int | None = 0, **fields: Any) -> bytes:
    """A payload of these metrics."""
    message = Payload(metrics=metrics, timestamp=T_MS, **fields)
    if seq is not None:
        message.seq = seq
    return message.SerializeToString()


def births(value: int = 0) -> dict[str, Any]:
    return {"name": "bdSeq", "datatype": UINT64, "long_value": value}


SPEED = {"name": "Speed", "alias": 7, "datatype": FLOAT, "timestamp": T_MS}
NODE_BIRTH = ("spBv1.0/g/NBIRTH/e", octets(births(), {"name": "Load", "alias": 1, "datatype": INT32, "int_value": 5}))
DEVICE_BIRTH = ("spBv1.0/g/DBIRTH/e/d", octets({**SPEED, "float_value": 1.5}, seq=1))


def data(value: float, seq: int, **more: Any) -> tuple[str, bytes]:
    return "spBv1.0/g/DDATA/e/d", octets({"alias": 7, "timestamp": T_MS + seq, "float_value": value, **more}, seq=seq)


class Running:
    """A host with a clock of its own."""

    def __init__(self, **settings: Any) -> None:
        self.host = Host(SparkplugSettings.model_validate(settings), source="m", plant="p")
        self.now_ns = NOW

    def take(self, *messages: tuple[str, bytes]) -> Decoded:
        count = len(messages)
        self.now_ns += 10**9
        return self.host.decode(
            Messages(
                [topic.encode() for topic, _ in messages],
                [payload for _, payload in messages],
                np.ones(count, np.uint8),
                np.zeros(count, np.bool_),
                np.zeros((count, 4), np.uint8),
            ),
            received_ns=self.now_ns,
        )

    def points(self, *messages: tuple[str, bytes]) -> list[Point]:
        decoded = self.take(*messages)
        assert decoded.letters == []
        return [] if decoded.batch is None else list(decoded.batch.points())


@pytest.fixture
def host() -> Running:
    return Running()


def test_births_are_values_and_give_names(host: Running) -> None:
    """A birth's metrics are points of node and device; data under an alias carry the name of the birth."""
    points = host.points(NODE_BIRTH, DEVICE_BIRTH, data(2.5, 2))
    assert [(str(point.series), point.value) for point in points] == [
        ("p/g/e/e/Load", 5.0),
        ("p/g/e/d/Speed", 1.5),
        ("p/g/e/d/Speed", 2.5),
    ]
    assert [point.t_ns for point in points] == [T_MS * 10**6, T_MS * 10**6, (T_MS + 2) * 10**6]
    assert {point.clock for point in points} == {Clock.SOURCE}


def test_aliases_belong_to_one_life(host: Running) -> None:
    """After a new birth an alias means what that birth says."""
    host.take(NODE_BIRTH, DEVICE_BIRTH)
    again = ("spBv1.0/g/NBIRTH/e", octets(births(1)))
    other = ("spBv1.0/g/DBIRTH/e/d", octets({"name": "Torque", "alias": 7, "datatype": FLOAT, "float_value": 9}, seq=1))
    points = host.points(again, other, data(10, 2))
    assert [(point.series.signal, point.value) for point in points] == [("Torque", 9.0), ("Torque", 10.0)]


def test_data_before_any_birth(host: Running) -> None:
    """What names itself is read; what has only an alias is kept as a dead letter, a few times, then counted."""
    named = ("spBv1.0/g/DDATA/e/d", octets({"name": "x", "datatype": INT32, "int_value": 1}, seq=3))
    assert [point.value for point in host.points(named)] == [1.0]
    count = MOST_UNBORN + 5
    decoded = host.take(*(data(1, seq) for seq in range(4, 4 + count)))
    assert decoded.batch is None
    assert len(decoded.letters) == MOST_UNBORN
    assert "alias whose birth has not come" in decoded.letters[0].reason
    (gap,) = host.take(NODE_BIRTH).gaps
    assert "5 messages of e came before its birth" in gap.detail


def test_a_hole_in_the_sequence(host: Running) -> None:
    """Missing messages are a gap record with the node's series; values by alias are Uncertain until the next birth."""
    host.take(NODE_BIRTH, DEVICE_BIRTH)
    decoded = host.take(data(1, 5))
    (gap,) = decoded.gaps
    assert (gap.reason, gap.from_ns, gap.to_ns) == ("sequence_gap", host.now_ns - 10**9, host.now_ns)
    assert {str(series) for series in gap.series} == {"p/g/e/e/Load", "p/g/e/d/Speed"}
    assert "from message 1 to 5: 3 or more are missing" in gap.detail
    assert decoded.batch is not None
    assert decoded.batch.quality.tolist() == [UNCERTAIN]
    again = host.take(NODE_BIRTH, DEVICE_BIRTH, data(2, 2))
    assert again.gaps == []
    assert again.batch is not None
    assert again.batch.quality.tolist() == [0, 0, 0]


def test_the_sequence_wraps(host: Running) -> None:
    """After 255 comes 0."""
    host.take(NODE_BIRTH, DEVICE_BIRTH)
    decoded = host.take(*(data(seq, seq % 256) for seq in range(2, 600)))
    assert (decoded.gaps, decoded.letters) == ([], [])


def test_messages_that_come_again_are_no_gap(host: Running) -> None:
    """After a new connection what was not acknowledged comes again; what is missing then is still seen."""
    host.take(NODE_BIRTH, DEVICE_BIRTH, *(data(seq, seq) for seq in range(2, 6)))
    host.host.reconnected()
    assert host.take(data(4, 4), data(5, 5), data(6, 6)).gaps == []
    host.host.reconnected()
    assert len(host.take(data(9, 9)).gaps) == 1


def test_a_dead_node_makes_its_values_stale(host: Running) -> None:
    """NDEATH gives one Bad point for each signal of the node and its devices, once."""
    host.take(NODE_BIRTH, DEVICE_BIRTH)
    death = ("spBv1.0/g/NDEATH/e", octets(births(), seq=None))
    points = host.points(death)
    assert {str(point.series) for point in points} == {"p/g/e/e/Load", "p/g/e/d/Speed"}
    assert {(point.quality, point.t_ns, point.clock) for point in points} == {
        (NO_COMMUNICATION, host.now_ns, Clock.GATEWAY)
    }
    assert host.points(death) == []
    assert host.take(data(1, 2)).letters != []


def test_the_will_of_an_earlier_connection(host: Running) -> None:
    """A death whose bdSeq is not that of the last birth is old news."""
    host.take(("spBv1.0/g/NBIRTH/e", octets(births(4), {"name": "x", "datatype": INT32, "int_value": 5})))
    assert host.points(("spBv1.0/g/NDEATH/e", octets(births(3), seq=None))) == []
    assert len(host.points(("spBv1.0/g/NDEATH/e", octets(births(4), seq=None)))) == 1


def test_a_dead_device(host: Running) -> None:
    """DDEATH makes that device's values stale and no others; it counts in the sequence."""
    host.take(NODE_BIRTH, DEVICE_BIRTH)
    (point,) = host.points(("spBv1.0/g/DDEATH/e/d", octets(seq=2)))
    assert (str(point.series), point.quality) == ("p/g/e/d/Speed", NO_COMMUNICATION)
    assert host.take(("spBv1.0/g/NDATA/e", octets({"alias": 1, "int_value": 6}, seq=3))).gaps == []


def test_a_passive_host_publishes_nothing(host: Running) -> None:
    """Without host_id there is no request for births, whatever is missing."""
    assert host.take(data(1, 5)).replies == []
    assert host.take(NODE_BIRTH, data(1, 9)).replies == []


def test_a_primary_host_asks_for_births_now_and_then() -> None:
    """A missing birth or a hole is answered with one rebirth request, and not again before the pause is over."""
    primary = Running(host_id="raceway", rebirth_s=5)
    decoded = primary.take(data(1, 5), data(1, 6))
    ((topic, payload),) = decoded.replies
    assert topic == "spBv1.0/g/NCMD/e"
    (metric,) = Payload.FromString(payload).metrics
    assert (metric.name, metric.datatype, metric.boolean_value) == ("Node Control/Rebirth", BOOLEAN, True)
    assert primary.take(data(1, 7)).replies == []
    primary.now_ns += 5 * 10**9
    assert len(primary.take(data(1, 8)).replies) == 1


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress])
def test_compressed_payloads(host: Running, compress: Any) -> None:
    """Outside a compressed payload has no sequence number and no metrics; inside it is like any other."""
    host.take(NODE_BIRTH)
    for topic, inner in (DEVICE_BIRTH, data(2.5, 2)):
        outer = Payload(uuid="SPBV1.0_COMPRESSED", body=compress(inner), seq=0).SerializeToString()
        decoded = host.take((topic, outer))
        assert (decoded.letters, decoded.gaps) == ([], [])
    assert decoded.batch is not None
    assert [point.value for point in decoded.batch.points()] == [2.5]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (zlib.compress(bytes(payloads.LARGEST_INFLATED + 1)), "inflates to more than"),
        (zlib.compress(b"x" * 1000)[:-6], "ends before it is whole"),
        (b"garbage", "cannot be inflated"),
        (b"", "ends before it is whole"),
        (zlib.compress(Payload(uuid="SPBV1.0_COMPRESSED").SerializeToString()), "compressed twice"),
        (zlib.compress(b"\xff\xff\xff"), "not Sparkplug B"),
    ],
    ids=["bomb", "cut", "garbage", "empty", "twice", "noise"],
)
def test_bad_compression_costs_one_message(host: Running, body: bytes, complaint: str) -> None:
    """A bomb, a cut body or noise is a dead letter; the next message is read."""
    outer = Payload(uuid="SPBV1.0_COMPRESSED", body=body).SerializeToString()
    (letter,) = host.take(("spBv1.0/g/NDATA/e", outer)).letters
    assert complaint in letter.reason
    assert host.points(NODE_BIRTH) != []


@pytest.mark.parametrize(
    ("datatype", "field", "raw", "expected"),
    [
        (INT8, "int_value", 2**32 - 5, -5.0),
        (INT8, "int_value", 0xFB, -5.0),
        (INT16, "int_value", 2**32 - 300, -300.0),
        (INT32, "int_value", 2**31, -(2.0**31)),
        (INT64, "long_value", 2**64 - 1, -1.0),
        (UINT8, "int_value", 255, 255.0),
        (UINT16, "int_value", 65535, 65535.0),
        (UINT32, "int_value", 2**32 - 1, 2.0**32 - 1),
        (UINT32, "long_value", 2**32 - 1, 2.0**32 - 1),
        (UINT64, "long_value", 2**63, 2.0**63),
        (FLOAT, "float_value", 1.5, 1.5),
        (DOUBLE, "double_value", 0.1, 0.1),
        (BOOLEAN, "boolean_value", True, 1.0),
        (STRING, "string_value", "轴承", "轴承"),
        (DATETIME, "long_value", T_MS, float(T_MS)),
        (14, "string_value", "text", "text"),
        (15, "string_value", "6e1a", "6e1a"),
        (BYTES, "bytes_value", b"\1\2", "AQI="),
        (18, "bytes_value", b"", ""),
        (0, "double_value", 3.5, 3.5),
        (INT32, "double_value", 3.5, 3.5),
    ],
)
def test_every_scalar_type(datatype: int, field: str, raw: Any, expected: float | str) -> None:
    """Numbers with their sign, switches as 0 and 1, texts as texts, octets as base64."""
    (metric,) = Payload.FromString(octets({"name": "x", "datatype": datatype, field: raw})).metrics
    (element,) = elements(metric, name="x", datatype=datatype)
    assert element.value == expected
    assert element.kind is (
        Kind.TEXT if isinstance(expected, str) else Kind.STATE if datatype == BOOLEAN else Kind.GAUGE
    )


@pytest.mark.parametrize(
    ("datatype", "raw", "expected"),
    [
        (22, b"\xff\x01", [-1, 1]),
        (23, b"\xfe\xff", [-2]),
        (24, b"\xff\xff\xff\xff", [-1]),
        (25, b"\xff" * 8, [-1]),
        (26, b"\xff", [255]),
        (27, b"\x00\x01", [256]),
        (28, b"\x01\x00\x00\x00", [1]),
        (29, b"\x01" + bytes(7), [1]),
        (30, b"\x00\x00\x80\x3f\x00\x00\xc0\x7f", [1.0, None]),
        (31, bytes(8), [0.0]),
        (32, b"\x0c\0\0\0\x34\xd0", [0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1]),
        (33, "A\0轴\0".encode(), ["A", "轴"]),
        (34, T_MS.to_bytes(8, "little"), [T_MS]),
    ],
)
def test_arrays(datatype: int, raw: bytes, expected: list[float | str | None]) -> None:
    """Each element of an array is a signal of its own."""
    (metric,) = Payload.FromString(octets({"name": "x", "datatype": datatype, "bytes_value": raw})).metrics
    found = elements(metric, name="x", datatype=datatype)
    assert [element.name for element in found] == [f"x[{place}]" for place in range(len(expected))]
    assert [element.value for element in found] == expected


def test_data_sets_and_templates() -> None:
    """Cells and members become element signals, nested ones too; definitions hold no values."""
    dataset = {
        "num_of_columns": 2,
        "columns": ["t", "on"],
        "types": [INT32, BOOLEAN],
        "rows": [{"elements": [{"int_value": 2**32 - 1}, {"boolean_value": True}]}, {"elements": [{"int_value": 4}]}],
    }
    inner = {"metrics": [{"name": "v", "datatype": DOUBLE, "double_value": 2.5}]}
    template = {
        "template_ref": "Motor",
        "parameters": [{"name": "limit", "type": INT32, "int_value": 9}],
        "metrics": [
            {"name": "rpm", "datatype": FLOAT, "float_value": 1500},
            {"name": "gear", "datatype": TEMPLATE, "template_value": inner},
        ],
    }
    message = Payload.FromString(
        octets(
            {"name": "ds", "datatype": DATASET, "dataset_value": dataset},
            {"name": "m", "datatype": TEMPLATE, "template_value": template},
            {"name": "Motor", "datatype": TEMPLATE, "template_value": {**template, "is_definition": True}},
        )
    )
    found = [element for metric in message.metrics for element in elements(metric, name=metric.name, datatype=0)]
    assert [(element.name, element.value) for element in found] == [
        ("ds[0].t", -1.0),
        ("ds[0].on", 1.0),
        ("ds[1].t", 4.0),
        ("m.limit", 9.0),
        ("m.rpm", 1500.0),
        ("m.gear.v", 2.5),
    ]


def test_null_and_not_a_number_are_bad(host: Running) -> None:
    """The device itself has no value: Bad, not zero and not nothing."""
    points = host.points(
        NODE_BIRTH,
        ("spBv1.0/g/NDATA/e", octets({"alias": 1, "is_null": True}, {"name": "n", "float_value": math.nan}, seq=1)),
    )
    assert [(point.series.signal, point.quality) for point in points[1:]] == [("Load", NO_DATA), ("n", NO_DATA)]


@pytest.mark.parametrize(("code", "quality"), [(192, 0), (500, STALE), (0, 0x8000_0000), (193, 0), (68, 0x8000_0000)])
def test_quality_property(host: Running, code: int, quality: int) -> None:
    """The property Quality counts: 192 is good, 500 stale, 0 bad."""
    properties = {"keys": ["Quality"], "values": [{"type": INT32, "int_value": code}]}
    (point,) = host.points(("spBv1.0/g/NDATA/e", octets({"name": "x", "int_value": 1, "properties": properties})))
    assert point.quality == quality


def test_history_is_written_at_its_own_time(host: Running) -> None:
    """A historical value keeps its time, however old; one without a usable time is refused."""
    old_ms = T_MS - 40 * 24 * 3600 * 1000
    old = ("spBv1.0/g/NDATA/e", octets({"alias": 1, "is_historical": True, "timestamp": old_ms, "int_value": 1}, seq=1))
    points = host.points(NODE_BIRTH, old)
    assert points[1].t_ns == old_ms * 10**6
    bad = ("spBv1.0/g/NDATA/e", octets({"alias": 1, "is_historical": True, "timestamp": 5, "int_value": 1}, seq=2))
    (letter,) = host.take(bad).letters
    assert "its time cannot be" in letter.reason


def test_a_clock_that_was_never_set(host: Running) -> None:
    """A live value without a usable time gets the gateway's."""
    (point,) = host.points(("spBv1.0/g/NDATA/e", octets({"name": "x", "timestamp": 5, "int_value": 1}, seq=1)))
    assert (point.t_ns, point.clock) == (host.now_ns, Clock.GATEWAY)


def test_units_and_kinds() -> None:
    """A unit comes from the birth's engUnit or from the settings, a kind from the settings or the type."""
    running = Running(
        area="", line="{group}", machine="{edge}-{device}",
        metrics=[
            {"metric": "*/energy", "unit": "kWh", "kind": "counter", "ct": 1, "pt": 1, "side": "primary"},
            {"metric": "t", "unit": "K"},
        ],
    )  # fmt: skip
    unit = lambda text: {"keys": ["engUnit"], "values": [{"type": STRING, "string_value": text}]}  # noqa: E731
    points = running.points(
        (
            "spBv1.0/g/DBIRTH/e/d",
            octets(
                {"name": "a/energy", "int_value": 1},
                {"name": "t", "int_value": 1, "properties": unit("degC")},
                {"name": "v", "int_value": 1, "properties": unit("℃")},
                {"name": "w", "int_value": 1, "properties": unit("furlongs")},
                {"name": "s", "string_value": "x", "properties": unit("V")},
            ),
        )
    )
    assert [(point.series.signal, point.series.unit, point.series.kind) for point in points] == [
        ("a/energy", "kWh", Kind.COUNTER),
        ("t", "K", Kind.GAUGE),
        ("v", "°C", Kind.GAUGE),
        ("w", "{furlongs}", Kind.GAUGE),
        ("s", "", Kind.TEXT),
    ]
    assert str(points[0].series) == "p/g/e-d/a/energy"


def test_energy_of_the_secondary_side() -> None:
    """An edge node that has not multiplied by its transformers' ratios: power and energy by both, current by ct."""
    said = {"ct": 40, "pt": 100, "side": "secondary"}
    running = Running(
        metrics=[
            {"metric": "e", "unit": "kWh", **said}, {"metric": "i", "unit": "A", **said}, {"metric": "*", "unit": "%"}
        ]
    )  # fmt: skip
    sent = [{"name": name, "double_value": 2.0} for name in ("e", "i", "x")]
    points = running.points(("spBv1.0/g/NBIRTH/e", octets(*sent)))
    assert [(point.value, point.quality) for point in points] == [(8000.0, GOOD), (80.0, GOOD), (2.0, GOOD)]


def test_energy_that_does_not_say_its_side(host: Running) -> None:
    """A birth says kWh, nobody says which side of the transformers: kept as Uncertain, and said once."""
    unit = {"keys": ["engUnit"], "values": [{"type": STRING, "string_value": "kWh"}]}
    born = host.take(("spBv1.0/g/NBIRTH/e", octets({"name": "e", "double_value": 2.0, "properties": unit})))
    assert born.batch is not None
    assert [(point.value, point.quality) for point in born.batch.points()] == [(2.0, UNCERTAIN)]
    assert [name for name, why in born.troubles.items() if "side" in why] == ["p/g/e/e/e"]
    later = host.take(("spBv1.0/g/NDATA/e", octets({"name": "e", "double_value": 3.0}, seq=1)))
    assert not any(later.troubles.values())


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"unit": "kWh"}, "does not say ct, pt, side"),
        ({"unit": "kW", "side": "secondary", "ct": 40}, "needs pt"),
        ({"side": "secondary", "ct": 40, "pt": 1}, "has no unit"),
    ],
)
def test_half_truths_are_refused(settings: dict[str, Any], complaint: str) -> None:
    """A metric in kWh says its transformers, as a signal of a mapping does."""
    with pytest.raises(ValidationError, match=complaint):
        SparkplugSettings.model_validate({"metrics": [{"metric": "e", **settings}]})


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/g/NBIRTH", "spBv1.0/g/DDATA/e", "spBv1.0/g/NDATA/e/d", "spBv1.0/g/XDATA/e", "spBv1.0/g/DDATA/e/d/x"],
)
def test_topics_that_are_none(host: Running, topic: str) -> None:
    """A topic that Sparkplug does not know is a dead letter."""
    (letter,) = host.take((topic, octets())).letters
    assert letter.reason == "the topic is none of Sparkplug B's"


def test_too_many_elements_and_templates_without_end(host: Running) -> None:
    """Huge arrays and nesting without end are refused; the message's other metrics are kept."""
    deep: dict[str, Any] = {"metrics": [{"name": "v", "int_value": 1}]}
    for _ in range(20):
        deep = {"metrics": [{"name": "t", "datatype": TEMPLATE, "template_value": deep}]}
    decoded = host.take(
        (
            "spBv1.0/g/NDATA/e",
            octets(
                {"name": "a", "datatype": 26, "bytes_value": bytes(MOST_ELEMENTS + 1)},
                {"name": "deep", "datatype": TEMPLATE, "template_value": deep},
                {"name": "b", "datatype": 24, "bytes_value": b"123"},
                {"name": "c" * 300, "int_value": 1},
                {"name": "s", "string_value": "x" * 5000},
                {"name": "good", "int_value": 1},
            ),
        )
    )
    assert decoded.batch is not None
    assert [point.series.signal for point in decoded.batch.points()] == ["good"]
    assert decoded.letters[0].reason.count(";") == 4


@given(st.binary(max_size=80))
def test_any_octets(noise: bytes) -> None:
    """Whatever comes as a payload: points, gaps or a dead letter, never another error."""
    Running().take(NODE_BIRTH, ("spBv1.0/g/NDATA/e", noise), ("spBv1.0/g/NDEATH/e", noise), DEVICE_BIRTH)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"groups": ["a/b"]}, "is no group"),
        ({"host_id": "a/b"}, "pattern"),
        ({"line": "{node}"}, "means nothing here"),
        ({"rebirth_s": 0}, "greater than or equal to 1"),
        ({"metrics": [{"metric": "x", "unit": "kwhh"}]}, "kwhh"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], complaint: str) -> None:
    """Each mistake is named."""
    with pytest.raises(ValidationError) as error:
        MqttConfig.model_validate({"name": "m", "url": "mqtt://h", "sparkplug": settings})
    assert complaint in str(error.value)
