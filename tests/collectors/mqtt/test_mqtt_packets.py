"""The packet parser: any cutting of a stream gives the same packets, and hostile bytes give errors, never a hang."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.mqtt.packets import BadStream, Block, Framer
from tests.fakes.mqtt_broker import packet, publish

Row = tuple[bytes, bytes, int, bool, bytes]

topics = st.binary(min_size=1, max_size=20)
payloads = st.one_of(st.binary(max_size=40), st.integers(100, 400).map(lambda size: b"x" * size))
properties = st.one_of(st.just(b""), st.binary(max_size=10), st.just(b"\x26" + b"p" * 200))


@st.composite
def published(draw: st.DrawFn, version: int) -> tuple[bytes, Row]:
    """A PUBLISH packet, and the row that it must become."""
    topic, payload, qos = draw(topics), draw(payloads), draw(st.integers(0, 2))
    number, retain = draw(st.integers(1, 65535)), draw(st.booleans())
    octets = publish(
        topic, payload, qos=qos, number=number, version=version, retain=retain, properties=draw(properties)
    )
    ack = bytes([0x50 if qos == 2 else 0x40, 2]) + struct.pack("!H", number) if qos else b""
    return octets, (topic, payload, qos, retain, ack)


def rows(blocks: list[Block]) -> list[Row]:
    return [
        (
            block.messages.topics[i],
            block.messages.payloads[i],
            int(block.messages.qos[i]),
            bool(block.messages.retained[i]),
            block.messages.acks[i].tobytes() if block.messages.qos[i] else b"",
        )
        for block in blocks
        for i in range(len(block.messages))
    ]


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize("version", [4, 5])
@given(data=st.data())
def test_any_cutting_gives_the_same_packets(version: int, data: st.DataObject) -> None:
    """Messages and other packets come out whole and in order, however the stream is cut."""
    wanted = data.draw(st.lists(published(version), max_size=8))
    controls = data.draw(st.lists(st.binary(max_size=6), max_size=3))
    stream = b"".join(octets for octets, _ in wanted) + b"".join(packet(0xD0, body) for body in controls)
    framer = Framer(version=version)
    blocks = [framer.feed(piece) for piece in pieces(stream, data.draw(st.lists(st.integers(0, 10_000), max_size=6)))]
    assert rows(blocks) == [row for _, row in wanted]
    assert [control.body for block in blocks for control in block.controls] == controls
    assert not any(block.broken for block in blocks)


@pytest.mark.parametrize("version", [4, 5])
@given(stream=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=4))
def test_hostile_bytes_end_in_an_error_or_in_packets(version: int, stream: bytes, cuts: list[int]) -> None:
    """Random bytes never raise anything but BadStream, and the outcome does not depend on the cutting."""

    def outcome(fed: list[bytes]) -> tuple[list[Row], list[bytes], bool]:
        framer, blocks = Framer(version=version), []
        try:
            for piece in fed:
                blocks.append(framer.feed(piece))  # noqa: PERF401 - what came before the error counts
        except BadStream:
            return rows(blocks), [broken for block in blocks for broken in block.broken], True
        return rows(blocks), [broken for block in blocks for broken in block.broken], False

    whole, cut = outcome([stream]), outcome(pieces(stream, cuts))
    assert whole[2] == cut[2]
    assert whole[2] or whole == cut


@given(
    start=st.sampled_from([0x30, 0x32, 0x34, 0x36, 0x3D]),
    body=st.binary(max_size=30),
    version=st.sampled_from([4, 5]),
)
def test_a_publish_is_a_row_or_broken(start: int, body: bytes, version: int) -> None:
    """A framed PUBLISH is never lost: it is a message or is kept whole as broken, and the next packet is read."""
    after = publish("next", b"1", version=version)
    block = Framer(version=version).feed(packet(start, body) + after)
    assert len(block.messages) + len(block.broken) == 2
    assert block.messages.topics[-1] == b"next"


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("step", [1, 7, 50, 10_000])
def test_a_packet_that_is_too_long_is_cut_and_the_next_is_read(qos: int, step: int) -> None:
    """Of a PUBLISH beyond the bound the beginning is kept, with its acknowledgement; the stream goes on after it."""
    framer = Framer(version=5, largest=100, kept=60)
    stream = publish("big", b"y" * 500, qos=qos, number=77) + publish("small", b"z", number=78)
    blocks = [framer.feed(stream[at : at + step]) for at in range(0, len(stream), step)]
    found = rows(blocks)
    assert [row[0] for row in found] == [b"big", b"small"]
    assert found[0][1] == b"y" * len(found[0][1])
    assert found[0][4] == (b"\x40\x02\x00\x4d" if qos else b"")
    if step < len(stream):
        assert [block.messages.is_last_cut for block in blocks if len(block.messages)] == [True, False]


def test_memory_is_bounded_by_what_is_kept() -> None:
    """A PUBLISH that claims 200 MB holds no more than the bound while it comes."""
    framer = Framer(version=5, largest=100, kept=60)
    framer.feed(packet(0x30, b"")[:1] + b"\xff\xff\xff\x7f" + struct.pack("!H", 3) + b"big")
    for _ in range(1000):
        framer.feed(b"x" * 100)
        assert sum(map(len, framer._pieces)) <= 200


@pytest.mark.parametrize(
    "stream",
    [b"\x00\x00", b"\xf0\x00", b"\x20\xff\xff\xff\xff", b"\x90\xff\xff\xff\x7f"],
    ids=["type 0", "type 15", "length without end", "a SUBACK of 256 MB"],
)
def test_streams_that_cannot_be_followed(stream: bytes) -> None:
    """Where the next packet starts cannot be known: an error."""
    with pytest.raises(BadStream):
        Framer(version=5).feed(stream)
