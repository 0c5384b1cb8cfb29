"""Several shapes on one topic, lists of readings, history at its own time, and answers that devices wait for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.plans import Publication
from collectors.points import Clock
from tests.collectors.mqtt.test_mqtt_decode import decode_one, decoder, messages, shown

NOW = 1_700_000_000_000_000_000
DATA = {
    "topic": "gw/{machine}",
    "only": {"type": ["data", "hstdata"]},
    "ignore": [{"type": "heart"}, {"type": "login", "res": 1}],
    "signals": [{"signal": "p", "path": "p"}],
}
EVENTS = {"topic": "gw/{machine}", "only": {"type": "event"}, "signals": [{"signal": "what", "path": "code"}]}


def test_each_shape_goes_to_its_mapping() -> None:
    """Two mappings of one topic read what they are for; a declared shape without values is no dead letter."""
    decoded = decoder(DATA, EVENTS).decode(
        messages(
            ("gw/m", {"type": "data", "p": 1}),
            ("gw/m", {"type": "event", "code": 7}),
            ("gw/m", {"type": "hstdata", "p": 2}),
            ("gw/m", {"type": "heart"}),
        ),
        received_ns=NOW,
    )
    assert shown(decoded) == [("m", "p", 1.0), ("m", "what", 7.0), ("m", "p", 2.0)]
    assert decoded.letters == []
    assert decoded.troubles == {}


@pytest.mark.parametrize(
    "payload", [{"type": "login"}, {"type": "other", "p": 1}, {"p": 1}, [1], "data", {"type": ["data"]}]
)
def test_a_shape_that_nobody_declared_is_a_dead_letter(payload: object) -> None:
    """Neither read nor ignored: it is kept, and the reason says how to declare it."""
    decoded = decode_one(DATA, "gw/m", payload)
    assert decoded.batch is None
    assert [letter.reason for letter in decoded.letters] == [
        "no mapping is for a payload of this shape; name the shape in only or in ignore"
    ]


def test_a_shape_may_lie_deep() -> None:
    """Conditions are paths like those of values, and all of them count."""
    mapping = {**DATA, "only": {"head.cmd": "up", "list[0]": 1, "ok": True}}
    good = {"head": {"cmd": "up"}, "list": [1], "ok": True, "p": 5}
    assert shown(decode_one(mapping, "gw/m", good)) == [("m", "p", 5.0)]
    assert decode_one(mapping, "gw/m", {**good, "ok": False}).batch is None


HISTORY = {
    "topic": "gw/{line}",
    "each": "records",
    "device": "sn",
    "time": {"path": "time", "format": "%Y%m%d%H%M%S", "required": True},
    "signals": [{"signal": "e", "path": "wh", "unit": "kWh", "kind": "counter"}],
    "ct": "ct",
    "pt": 1,
    "side": "secondary",
}


def test_history_is_written_at_its_own_time() -> None:
    """Every entry of a list is a reading with its own time; device and ratio may stand beside the list."""
    record = {
        "records": [{"time": "20231114221320", "wh": 1}, {"time": "20231114221820", "wh": 2}],
        "sn": "A",
        "ct": 40,
    }
    decoded = decode_one(HISTORY, "gw/l", record)
    assert shown(decoded) == [("A", "e", 40.0), ("A", "e", 80.0)]
    assert decoded.batch is not None
    first_ns = 1_699_971_200 * 10**9  # 22:13:20 in Shanghai
    assert decoded.batch.t_ns.tolist() == [first_ns, first_ns + 300 * 10**9]
    assert set(decoded.batch.clock.tolist()) == {Clock.SOURCE}


def test_history_without_its_time_is_refused() -> None:
    """Where the time is required, the moment of receipt is never taken instead; the other entries are kept."""
    record = {"sn": "A", "ct": 1, "records": [{"time": "0", "wh": 1}, {"wh": 2}, {"time": "20231114221320", "wh": 3}]}
    decoded = decode_one(HISTORY, "gw/l", record)
    assert shown(decoded) == [("A", "e", 3.0)]
    (letter,) = decoded.letters
    assert letter.reason.count("takes no value without its time") == 2


def test_a_list_at_the_top() -> None:
    """An empty path is the payload itself; an empty list holds nothing and is well."""
    mapping = {"topic": "gw/{machine}", "each": "", "signals": [{"signal": "p", "path": "p"}]}
    assert shown(decode_one(mapping, "gw/m", [{"p": 1}, {"p": 2}])) == [("m", "p", 1.0), ("m", "p", 2.0)]
    assert decode_one(mapping, "gw/m", []).letters == []
    assert "no list at its top" in decode_one(mapping, "gw/m", {"p": 1}).letters[0].reason


def test_many_bad_entries_give_one_short_reason() -> None:
    """The reason of a dead letter stays readable however many entries are wrong."""
    decoded = decode_one(HISTORY, "gw/l", {"sn": "A", "ct": 1, "records": [{"wh": 1}] * 5000})
    (letter,) = decoded.letters
    assert letter.reason.endswith("and 4990 more")
    assert len(letter.reason) < 2000


REPLIES = [{"only": {"type": "login"}, "topic": "/server/{sn}/login", "payload": '{"type":"login","res":1}'}]
ANSWERING: dict[str, Any] = {
    "topic": "/gw/{sn}/login",
    "machine": "{sn}",
    "ignore": [{"type": "login"}],
    "signals": [{"signal": "p", "path": "p"}],
    "replies": REPLIES,
}


def test_answers_are_given_only_when_the_operator_says_so() -> None:
    """A device's login is answered on its own topic with answer: true, and never without."""
    silent = decode_one(ANSWERING, "/gw/7/login", {"type": "login"})
    assert (silent.replies, silent.letters) == ([], [])
    answering = decode_one({**ANSWERING, "answer": True}, "/gw/7/login", {"type": "login"})
    assert answering.replies == [Publication("/server/7/login", b'{"type":"login","res":1}')]
    assert decode_one({**ANSWERING, "answer": True}, "/gw/7/login", {"type": "data", "p": 1}).replies == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"only": {}}, "at least 1"),
        ({"only": {"a[": 1}}, "cannot be read"),
        ({"ignore": [{}]}, "at least 1"),
        ({"each": "a["}, "cannot be read"),
        ({"answer": True}, "nothing says what to answer"),
        ({"replies": [{**REPLIES[0], "topic": "{other}"}]}, "{other} is not a placeholder"),
        ({"replies": [{**REPLIES[0], "topic": "a/#"}]}, "without + and #"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], complaint: str) -> None:
    """Each mistake is named."""
    with pytest.raises(ValidationError) as error:
        MqttConfig.model_validate({"name": "m", "url": "mqtt://h", "mappings": [{**DATA, **changes}]})
    assert complaint in str(error.value)
