"""Messages that are like earlier ones but for their numbers: read as if each were parsed by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.mqtt import alike
from collectors.mqtt.alike import LEARN_EVERY, MOST_SKELETONS
from collectors.mqtt.decode import Decoder
from collectors.mqtt.outcome import Decoded
from collectors.mqtt.skeletons import Payloads, Read, Skeleton, learn
from collectors.points import BAD, Batch, Clock
from tests.collectors.mqtt.test_mqtt_decode import NOW, decoder, messages

NOW_MS = NOW // 10**6
METER = {
    "topic": "plant/{machine}",
    "time": {"path": "ts", "format": "epoch_ms"},
    "signals": [
        {"signal": "p", "path": "p", "maximum": 1e6},
        {"signal": "e", "path": "d.e", "scale": 10},
        {"signal": "f", "path": "f"},
    ],
}


@pytest.fixture(autouse=True, scope="module")
def _a_few_are_enough() -> Iterator[None]:
    """Usually only larger blocks are worth it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "FEW", 0)
        yield


def text(ts: object, p: object, e: object, f: object) -> bytes:
    return f'{{"ts":{ts},"p":{p},"sn":"12","d":{{"e":{e}, "n": 5}},"f":"{f}","on":true}}'.encode()


def plainly(of: Decoder, *payloads: bytes) -> Decoded:
    """Each message by a decoder of its own, so that none is like an earlier one."""
    return of.decode(messages(*(("plant/m", payload) for payload in payloads)), received_ns=NOW)


def same(one: Decoded, other: Decoded) -> None:
    assert [(letter.where, letter.reason, letter.payload) for letter in one.letters] == [
        (letter.where, letter.reason, letter.payload) for letter in other.letters
    ]
    assert one.troubles == other.troubles
    assert (one.batch is None) == (other.batch is None)
    if one.batch is not None and other.batch is not None:
        assert known(one.batch) == known(other.batch)


def known(batch: Batch) -> list[str]:
    """Without times that the gateway made; written out, since NaN is never equal."""
    points = (point._replace(t_ns=0) if point.clock == Clock.GATEWAY else point for point in batch.points())
    return [repr(point) for point in points]


class Spy:
    """How many messages a decoder had to parse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, of: Decoder) -> None:
        self.parsed = 0
        add = of._add

        def counted(*arguments: Any) -> None:
            self.parsed += 1
            add(*arguments)

        monkeypatch.setattr(of, "_add", counted)


def test_the_second_message_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, numbers written as texts, and nested ones are read from where they lie, on any topic of the mapping."""
    of = decoder(METER)
    spy = Spy(monkeypatch, of)
    for machine in ("a", "b"):  # a new topic is parsed once
        of.decode(messages((f"plant/{machine}", text(NOW_MS, 1, 2, 3))), received_ns=NOW)
    assert spy.parsed == 2
    pairs = [(f"plant/{'ab'[i % 2]}", text(NOW_MS + i, i + 0.5, -i, f"{i}e-1")) for i in range(10)]
    batch = of.decode(messages(*pairs), received_ns=NOW).batch
    assert spy.parsed == 2
    assert batch is not None
    expected = [value for i in range(10) for value in (i + 0.5, -10.0 * i, i / 10)]
    assert batch.value.tolist() == expected
    assert batch.t_ns.tolist() == [(NOW_MS + i) * 10**6 for i in range(10) for _ in range(3)]
    assert [str(batch.series[which]) for which in batch.which[:6]] == [
        f"plant/{machine}/{signal}" for machine in "ab" for signal in "pef"
    ]


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0", "-0", "1e5", "1E+3", "1e400", "01", "-", "+1", "1.", ".5", "1e", "--1", "1.2.3", "NaN"]),
    st.sampled_from(["null", "true", '"x"', "[1,2]", '"7"', " 4", "5 ", "1e6", "1000001", ""]),
)
TIMES = st.one_of(
    st.integers(NOW_MS - 1000, NOW_MS + 1000).map(str),
    st.sampled_from(["0", "1700000000000.5", "9" * 18, "9" * 30, '"1700000000001"', "-5", "null", "1.7e12"]),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(TIMES, NUMBERS, NUMBERS, NUMBERS).map(lambda fields: text(*fields)), max_size=12))
def test_any_message_is_read_as_if_it_were_parsed(payloads: list[bytes]) -> None:
    """Whatever stands where a number stood: the same values, dead letters and troubles, in the same order."""
    learnt, fresh = decoder(METER), decoder({**METER, "ignore": [{"never": "seen"}]})
    for of in (learnt, fresh):  # a mapping that ignores something is always parsed
        plainly(of, text(NOW_MS, 1, 2, 3))
    same(plainly(learnt, *payloads), plainly(fresh, *payloads))


@settings(max_examples=50)
@given(st.binary(max_size=30), st.integers(0, 60), st.integers(0, 30))
def test_any_other_byte_is_seen(scrap: bytes, at: int, cut: int) -> None:
    """A message with a byte more, less or other than the skeleton is parsed."""
    learnt, fresh = decoder(METER), decoder({**METER, "ignore": [{"never": "seen"}]})
    sound = text(NOW_MS, 1.5, 2, 3)
    payloads = [sound, sound[:at] + scrap + sound[at + cut :], sound]
    for of in (learnt, fresh):
        plainly(of, sound)
    same(plainly(learnt, *payloads), plainly(fresh, *payloads))


@pytest.mark.parametrize(
    ("changes", "first", "second"),
    [
        ({"ignore": [{"k": 2}]}, '{"k":1,"p":1}', '{"k":2,"p":1}'),
        ({"only": {"k": 1}, "sparse": True}, '{"k":1,"p":1}', '{"k":2,"p":1}'),
        ({"signals": [{"signal": "p", "path": "l[id=2].v"}], "sparse": True}, '{"l":[{"id":2,"v":1}]}',
         '{"l":[{"id":3,"v":1}]}'),
        ({"signals": [{"signal": "p", "path": "p"}, {"signal": "q", "path": "l[id=2].v"}]},
         '{"p":1,"l":[{"id":3,"v":1}]}', '{"p":1,"l":[{"id":2,"v":1}]}'),
        ({"signals": [{"signal": "p", "path": "p", "no_value": [7]}]}, '{"p":1}', '{"p":7}'),
        ({"signals": [{"signal": "p", "path": "p", "error": "k"}]}, '{"k":0,"p":1}', '{"k":2,"p":1}'),
        ({"signals": [{"signal": "p", "path": "p", "kind": "text"}]}, '{"p":"1"}', '{"p":"02"}'),
        ({"signals": [{"signal": "p", "path": "p", "unit": "kW", "ct": "k", "pt": 1, "side": "secondary"}]},
         '{"k":1,"p":1}', '{"k":2,"p":1}'),
        ({"topic": "plant/#", "device": "k"}, '{"k":1,"p":1}', '{"k":2,"p":1}'),
        ({"each": "l"}, '{"l":[{"p":1}]}', '{"l":[{"p":2}]}'),
    ],
    ids=["ignore", "only", "chosen", "chosen later", "no value", "error", "text", "ratio", "device", "each"],
)  # fmt: skip
def test_what_depends_on_a_number_is_parsed(changes: dict[str, Any], first: str, second: str) -> None:
    """Where the mapping asks what a number is, a message that looks alike may mean something else."""
    mapping = {"topic": "plant/{machine}", "signals": [{"signal": "p", "path": "p"}], **changes}
    learnt, fresh = decoder(mapping), decoder(mapping)
    plainly(learnt, first.encode())
    same(plainly(learnt, second.encode()), plainly(fresh, second.encode()))


def test_retained_messages_without_a_time_are_uncertain() -> None:
    """What is true of a message that is parsed is true of one that is not."""
    mapping = {"topic": "plant/{machine}", "signals": [{"signal": "p", "path": "p"}]}
    of = decoder(mapping)
    for _ in range(2):
        batch = of.decode(messages(("plant/m", b'{"p":1}'), retained=True), received_ns=NOW).batch
        assert batch is not None
        assert 0 < batch.quality[0] < BAD
        assert batch.clock[0] == Clock.GATEWAY


def test_two_shapes_on_one_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shape is learnt in time, and the order of the messages stays."""
    mapping = {"topic": "plant/{machine}", "sparse": True,
               "signals": [{"signal": "p", "path": "p"}, {"signal": "q", "path": "q"}]}  # fmt: skip
    of = decoder(mapping)
    pair = [b'{"p":1}', b'{"q":2}']
    plainly(of, *pair * (LEARN_EVERY + 1))
    plainly(of, *pair * (LEARN_EVERY + 1))
    spy = Spy(monkeypatch, of)
    batch = plainly(of, *pair * 3).batch
    assert spy.parsed == 0
    assert batch is not None
    assert batch.value.tolist() == [1, 2] * 3


def test_few_skeletons_are_kept() -> None:
    """A device that changes its texts all the time does not fill the memory; all it sends is read."""
    of = decoder(METER)
    for number in range(3 * LEARN_EVERY):
        shape = json.dumps({"ts": NOW_MS, "p": 1, "d": {"e": 1}, "f": 1, "t": "x" * number}).encode()
        batch = plainly(of, shape).batch
        assert batch is not None
        assert len(batch) == 3
    assert [len(family.known) <= MOST_SKELETONS for family in of._alike._families.values()] == [True]


def test_a_number_at_the_very_end_has_no_skeleton() -> None:
    """Nothing would say where it ends."""
    assert learn(b"5", lambda document: Read([0], [document])) is None


def test_no_message_at_all() -> None:
    """Nothing in, nothing out."""
    assert len(Skeleton([b"[", b"]"], [0]).read(Payloads([])).rows) == 0
    assert np.array(Skeleton([b"[", b"]"], [0]).read(Payloads([b"[5]", b"", b"[6.5]"])).flat).tolist() == [5, 6.5]
