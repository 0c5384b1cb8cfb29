"""What `raceway discover mqtt` makes of a broker's messages."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.config import check
from collectors.mqtt.config import MqttConfig
from collectors.mqtt.decode import Decoder
from collectors.mqtt.discover import as_yaml, listen
from collectors.mqtt.survey import MOST_PATHS, Survey
from tests.collectors.mqtt.life import config_for
from tests.collectors.mqtt.test_mqtt_decode import messages
from tests.collectors.mqtt.test_mqtt_dialects import ACREL, CET, DIALECTS, NEURON, PLAIN, SHELLY, TASMOTA
from tests.fakes.mqtt_broker import SUBSCRIBE, FakeBroker, publish, suback
from tests.servers.mosquitto import Mosquitto

NOW = 1_700_000_000_000_000_000


def heard(*pairs: tuple[str, Any]) -> Survey:
    survey = Survey()
    for topic, payload in pairs:
        survey.hear(topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return survey


def only_one(survey: Survey) -> Any:
    (found,) = survey.found(now_ns=NOW)
    return found


def test_levels_that_vary_become_placeholders() -> None:
    """From the right: machine, line, area; what is the same everywhere stays."""
    found = only_one(
        heard(*((f"plant/{area}/{line}/m{i}/energy", {"p": i}) for i, (area, line) in enumerate(("a1", "a2", "b2"))))
    )
    assert (found.template, found.topics, found.messages) == ("plant/{area}/{line}/{machine}/energy", 3, 3)
    alone = only_one(heard(("plant/m1/energy", {"p": 1})))
    assert (alone.template, alone.machine) == ("plant/m1/energy", "m1")


def test_shapes_are_kept_apart() -> None:
    """Other paths, or another type on the same topic, are another mapping; a few optional keys are not."""
    survey = heard(
        *(("gw/m", {"type": "data", "a": 1, "b": 2, "c": 3}) for _ in range(3)),
        ("gw/m", {"type": "data", "a": 1, "b": 2}),
        ("gw/m", {"type": "heart", "rssi": 1}),
        ("gw/n", {"temperature": 1}),
    )
    assert [(found.only, found.messages) for found in survey.found(now_ns=NOW)] == [
        (("type", "data"), 4),
        (("type", "heart"), 1),
        (None, 1),
    ]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"ts": NOW // 10**9}, ("ts", "epoch_s")),
        ({"ts": NOW // 10**6}, ("ts", "epoch_ms")),
        ({"ts": str(NOW // 10**3)}, ("ts", "epoch_us")),
        ({"a": {"time": NOW}}, ("a.time", "epoch_ns")),
        ({"time": "20231115061320"}, ("time", "%Y%m%d%H%M%S")),
        ({"ts ": "2023-11-15 06:13:20"}, ('"ts "', "%Y-%m-%d %H:%M:%S")),
        ({"Time": "2023-11-14T22:13:20Z"}, ("Time", "iso")),
        ({"uptime": 5, "ts": NOW // 10**6}, ("ts", "epoch_ms")),
        ({"uptime": 5}, None),
        ({"p": NOW // 10**6}, None),
    ],
)
def test_timestamps(payload: dict[str, Any], expected: tuple[str, str] | None) -> None:
    """A name that speaks of time and a value near now, in whichever format."""
    assert only_one(heard(("m/x", payload))).time == expected


def test_types_and_counters() -> None:
    """Numbers, numbers as text, switches, texts; what only rises is named; lists are read by their objects' key."""
    points = lambda i: {"e": i, "p": i % 2, "s": "1.5", "on": True, "w": "RUN", "l": [{"key": "A相", "value": i}]}  # noqa: E731
    found = only_one(heard(*(("t/m/up", points(i)) for i in range(4))))
    assert {seen.path: sorted(seen.kinds) for seen in found.values} == {
        "e": ["number"],
        "p": ["number"],
        "s": ["number"],
        "on": ["bool"],
        "w": ["text"],
        "l[key=A相].key": ["text"],
        "l[key=A相].value": ["number"],
    }
    assert [seen.path for seen in found.values if seen.only_rises] == ["e", "l[key=A相].value"]


@pytest.mark.parametrize(
    ("dialect", "name"),
    [(ACREL, "acrel-adw300"), (CET, "cet"), (NEURON, "neuron"), (TASMOTA, "tasmota"), (SHELLY, "shelly-plug"),
     (DIALECTS["shelly_3em"], "shelly-3em"), (DIALECTS["chint_profile"], "chint-dtsu666"), (PLAIN, "")],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_likely_profiles(dialect: Any, name: str) -> None:
    """A known device is recognised by its topic and its paths."""
    assert only_one(heard((dialect.topic, dialect.payload))).profile == name


def test_what_is_written_can_be_checked_and_reads_the_messages(tmp_path: Path) -> None:
    """The configuration is well as it is, and reads every number that was heard."""
    reading = {"ts": time.time_ns() // 10**6, "a b": "1", "no": True}
    pairs = [
        *((f"plant/l{i % 2}/m{i}/up", {**reading, "p": i, "m": {"x": i}}) for i in range(4)),
        ("hall/furnace/temperature", b"851.5"),
        ("hall/csv/x", b"1,2,text"),
        ("empty/of/values", {}),
    ]  # fmt: skip
    survey = heard(*pairs)
    path = tmp_path / "plant.yaml"
    path.write_text(as_yaml(survey, url="mqtt://h", for_s=60), encoding="utf-8")
    config = check(path)[0].sources[0]
    assert isinstance(config, MqttConfig)
    decoded = Decoder(config, plant="p").decode(messages(*pairs[:-1]), received_ns=NOW)
    assert decoded.letters == []
    assert decoded.batch is not None
    assert len(decoded.batch) == 4 * 4 + 1 + 3
    text = path.read_text(encoding="utf-8")
    assert "# 4 topics, 0.0667 messages/s" in text
    assert "nothing to read" in text


def test_octets_and_sparkplug_are_counted() -> None:
    """What is no text is counted, and Sparkplug B switches its host on."""
    survey = heard(("a/b", b"\x00\xff\x80"), ("spBv1.0/g/NDATA/e", b"\x08\x01"), ("a/c", b"{"))
    assert (survey.messages, survey.unread, survey.sparkplug) == (3, 2, 1)
    assert "sparkplug: {}" in as_yaml(survey, url="mqtt://h", for_s=1)


def test_a_payload_with_endless_keys() -> None:
    """Paths are bounded, whatever a broker sends."""
    found = only_one(heard(("a/b", {f"k{i}": i for i in range(2 * MOST_PATHS)})))
    assert len(found.values) == MOST_PATHS


@given(st.text(min_size=1, max_size=12), st.binary(max_size=40))
def test_anything_can_be_heard(topic: str, payload: bytes) -> None:
    """No topic and no payload ends the survey."""
    survey = Survey()
    survey.hear(topic, payload)
    as_yaml(survey, url="mqtt://h", for_s=1)


async def test_listening_disturbs_nobody() -> None:
    """It comes under a name of its own, without a session, at QoS 0, and hears what comes until the time is over."""
    reading = lambda _body: suback(0) + publish("plant/m1/energy", b'{"p": 1}', qos=0)  # noqa: E731
    async with FakeBroker({SUBSCRIBE: reading}) as broker:
        survey = await listen(config_for(broker.url), topics=["plant/#"], for_s=0.3)
    assert survey.messages == 1
    subscribe = next(body for header, body in broker.received if header >> 4 == SUBSCRIBE)
    assert b"plant/#" in subscribe
    assert subscribe[-1] & 0x03 == 0


@pytest.mark.real("mosquitto")
def test_the_command(broker: Mosquitto, tmp_path: Path) -> None:
    """`raceway discover mqtt URL --for 0.5s -o FILE` writes a configuration that checks clean."""
    broker.publish(("plant/m1/energy", b'{"p": 1}'), retain=True)
    out = tmp_path / "found.yaml"
    result = CliRunner().invoke(main, ["discover", "mqtt", broker.url, "--for", "0.5s", "-o", str(out)])
    assert (result.exit_code, "1 messages heard" in result.output) == (0, True)
    assert len(check(out)[0].sources) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["mqtt://127.0.0.1:1", "--for", "1s"], 1, "nothing listens"),
        (["mqtt://h", "--for", "soon"], 2, "is no duration"),
        (["http://h"], 2, "no broker address"),
    ],
)
def test_what_goes_wrong_is_said(arguments: list[str], code: int, words: str) -> None:
    """A broker that is not there and an argument that cannot be: one sentence, and its exit code."""
    result = CliRunner().invoke(main, ["discover", "mqtt", *arguments])
    assert (result.exit_code, words in result.output) == (code, True), result.output
