"""The fast decoder and asyncua's own agree; damaged bytes are an error."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collectors.opcua import decode as module
from collectors.opcua.columns import EXACT, Columns, Opaque
from collectors.opcua.decode import Decoder
from collectors.opcua.odd import plain, read_variant
from collectors.opcua.wire import Malformed, read_response
from tests.collectors.opcua.messages import TIME, data_value, decoded, encoded, scalar, ticks

V = ua.VariantType
texts = st.text(max_size=20)
times = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
numbers: dict[V, st.SearchStrategy[Any]] = {
    V.Boolean: st.booleans(),
    V.SByte: st.integers(-(2**7), 2**7 - 1),
    V.Byte: st.integers(0, 2**8 - 1),
    V.Int16: st.integers(-(2**15), 2**15 - 1),
    V.UInt16: st.integers(0, 2**16 - 1),
    V.Int32: st.integers(-(2**31), 2**31 - 1),
    V.UInt32: st.integers(0, 2**32 - 1),
    V.Int64: st.integers(-(2**63), 2**63 - 1),
    V.UInt64: st.integers(0, 2**64 - 1),
    V.Float: st.floats(width=32),
    V.Double: st.floats(),
}
others: dict[V, st.SearchStrategy[Any]] = {
    V.String: texts | st.none(),
    V.DateTime: times,
    V.Guid: st.uuids(),
    V.ByteString: st.binary(max_size=20) | st.none(),
    V.NodeId: st.builds(ua.NodeId, st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))
    | st.builds(ua.NodeId, texts.filter(bool), st.integers(0, 2**16 - 1)),
    V.StatusCode: st.builds(ua.StatusCode, st.integers(0, 2**32 - 1)),
    V.QualifiedName: st.builds(ua.QualifiedName, texts, st.integers(0, 2**15 - 1)),
    V.LocalizedText: st.builds(ua.LocalizedText, texts | st.none(), st.sampled_from(["en", "zh-CN"])),
}
plain_types = {**numbers, **others}


def variants() -> st.SearchStrategy[ua.Variant]:
    """Every kind of Variant that asyncua can encode: scalars, arrays, matrices, null, structures, nested ones."""
    scalars = st.one_of(
        [values.map(lambda value, kind=kind: ua.Variant(value, kind)) for kind, values in plain_types.items()]
    )
    arrays = st.one_of(
        [
            st.lists(values, max_size=5).map(lambda value, kind=kind: ua.Variant(value, kind, is_array=True))
            for kind, values in plain_types.items()
        ]
    )
    matrices = st.lists(st.lists(numbers[V.Double], min_size=2, max_size=2), min_size=1, max_size=3).map(
        lambda rows: ua.Variant(rows, V.Double)
    )
    opaque = st.sampled_from(
        [
            ua.Variant(ua.EUInformation("urn:x", 1, ua.LocalizedText("m")), V.ExtensionObject),
            ua.Variant([ua.Variant(1, V.Int32), ua.Variant("a", V.String)], V.Variant, is_array=True),
            ua.Variant(ua.DataValue(ua.Variant(1.0, V.Double)), V.DataValue),
        ]
    )
    return st.one_of(scalars, scalars, arrays, matrices, opaque, st.just(ua.Variant(None, V.Null)))


def data_values() -> st.SearchStrategy[ua.DataValue]:
    """A DataValue with any combination of its fields; asyncua writes picoseconds to the wrong place, so without."""
    status = st.none() | st.integers(0, 2**32 - 1).map(ua.StatusCode)
    return st.builds(ua.DataValue, variants(), status, st.none() | times, st.none() | times)


def by_asyncua(body: bytes) -> list[tuple[Any, ...]]:
    """What asyncua's own decoder makes of a message, as rows of handle, number, object, status, source, server."""
    response = struct_from_binary(ua.PublishResponse, Buffer(body))
    (change,) = response.Parameters.NotificationMessage.NotificationData
    rows = []
    for item in change.MonitoredItems:
        value = item.Value
        number, other = expected_value(value.Value)
        rows.append(
            (
                item.ClientHandle,
                number,
                other,
                value.StatusCode.value if value.StatusCode else 0,
                ticks(value.SourceTimestamp),
                ticks(value.ServerTimestamp),
            )
        )
    return rows


def expected_value(variant: ua.Variant | None) -> tuple[float, object]:
    """The number and the object that a Variant should become."""
    if variant is None or variant.Value is None:
        return math.nan, None
    if variant.VariantType in (V.ExtensionObject, V.Variant, V.DataValue, V.DiagnosticInfo):
        return math.nan, Opaque(variant.VariantType.name)
    if isinstance(variant.Value, list) or variant.VariantType not in numbers:
        return math.nan, plain(variant.Value)
    number = float(variant.Value)
    return number, variant.Value if isinstance(variant.Value, int) and abs(number) >= EXACT else None


def rows_of(columns: Columns) -> list[tuple[Any, ...]]:
    """Columns as rows, for comparison."""
    return [
        (handle, value, columns.objects.get(row), quality, source, server)
        for row, (handle, value, quality, source, server) in enumerate(
            zip(
                columns.handle.tolist(),
                columns.value.tolist(),
                columns.quality.tolist(),
                columns.source.tolist(),
                columns.server.tolist(),
                strict=True,
            )
        )
    ]


def as_text(rows: list[tuple[Any, ...]]) -> list[str]:
    """Rows that may hold NaN, comparable."""
    return [repr(row) for row in rows]


def all_rows(body: bytes) -> list[str]:
    """Every value in a message that may be damaged; none where it is."""
    try:
        columns = [Decoder(read_variant).decode(body, part.start, part.stop) for part in read_response(body).parts]
    except Malformed:
        return []
    return [row for one in columns for row in as_text(rows_of(one))]


items = st.lists(st.tuples(st.integers(0, 2**32 - 1), data_values()), min_size=1, max_size=8)


@given(items)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_encodable_value_is_decoded_as_asyncua_does(given_items: list[tuple[int, ua.DataValue]]) -> None:
    """Whatever a server can encode comes out the same from both decoders."""
    body = encoded(given_items)

    assert as_text(rows_of(decoded(body))) == as_text(by_asyncua(body))


@given(st.sampled_from(sorted(numbers)), st.booleans(), st.booleans(), st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_uniform_messages_are_decoded_as_asyncua_does(
    kind: V, status: bool, source: bool, server: bool, data: st.DataObject
) -> None:
    """A message of one type and one mask takes the strided way and says the same."""
    values = data.draw(st.lists(numbers[kind], min_size=1, max_size=30))
    body = encoded(
        [
            (
                handle,
                data_value(
                    value,
                    kind,
                    status=0x480 if status else None,
                    source=TIME + timedelta(seconds=handle) if source else None,
                    server=TIME if server else None,
                ),
            )
            for handle, value in enumerate(values)
        ]
    )

    assert as_text(rows_of(decoded(body))) == as_text(by_asyncua(body))


@given(st.lists(items, min_size=2, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_remembered_layout_never_changes_a_value(messages: list[list[tuple[int, ua.DataValue]]], random: Any) -> None:
    """One decoder that sees many messages decodes each as a fresh one does."""
    decoder = Decoder(read_variant)
    bodies = [encoded(message) for message in messages] * 3
    random.shuffle(bodies)

    for body in bodies:
        assert as_text(rows_of(decoded(body, decoder))) == as_text(rows_of(decoded(body)))


def mixed(count: int, number: float, text: str) -> list[tuple[int, ua.DataValue]]:
    """Items of several types in turn, as one machine has them."""
    makers: list[Callable[[], ua.DataValue]] = [
        lambda: scalar("Double", number),
        lambda: scalar("Float", number),
        lambda: scalar("Int32", int(number)),
        lambda: scalar("String", text),
        lambda: scalar("Boolean", True),
        lambda: scalar("DateTime", TIME),
    ]
    return [(handle, makers[handle % len(makers)]()) for handle in range(count)]


def test_a_layout_is_walked_once_and_then_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second message with the same layout costs no walk, also with other values in it."""
    walks = 0
    original = module.walk

    def counted(*args: Any) -> Any:
        nonlocal walks
        walks += 1
        return original(*args)

    monkeypatch.setattr(module, "walk", counted)
    decoder = Decoder(read_variant)
    decoded(encoded(mixed(60, 1.5, "abc")), decoder)
    second = decoded(encoded(mixed(60, 2.5, "xyz")), decoder)
    other = decoded(encoded(mixed(60, 2.5, "")), decoder)

    assert (second.value[0], second.objects[3], other.objects[3]) == (2.5, "xyz", "")
    assert walks == 2  # the first, and the one whose texts are shorter


def test_a_null_text_is_no_text() -> None:
    """Null and empty are told apart, also where both have the same size on the wire."""
    decoder = Decoder(read_variant)
    empty = decoded(encoded([(0, scalar("String", "")), (1, scalar("Double", 1.0))]), decoder)
    null = decoded(encoded([(0, scalar("String", None)), (1, scalar("Double", 1.0))]), decoder)

    assert (empty.objects, null.objects) == ({0: ""}, {})


@given(items, st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_bytes_that_are_cut_short_are_an_error_or_a_whole_message(
    given_items: list[tuple[int, ua.DataValue]], data: st.DataObject
) -> None:
    """A truncated message never gives values beyond its end, and never hangs."""
    body = encoded(given_items)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]

    assert all_rows(cut) in ([], all_rows(body))


@given(items, st.data())
@settings(max_examples=150, deadline=1000, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_bytes_end_in_an_error_or_in_columns(
    given_items: list[tuple[int, ua.DataValue]], data: st.DataObject
) -> None:
    """Any damage is decoded or refused within a second; nothing else is raised and nothing is read beyond the end."""
    body = bytearray(encoded(given_items))
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body)
    try:
        for part in read_response(damaged).parts:
            columns = Decoder(read_variant).decode(damaged, part.start, part.stop)
            assert len(columns.handle) == len(columns.value) == len(columns.source)
    except Malformed:
        pass


@given(st.binary(max_size=300))
@example(b"\x01\x00\x3d\x03" + b"\xff" * 60)
def test_random_bytes_are_no_message(noise: bytes) -> None:
    """Noise is refused, not guessed at."""
    assert all_rows(noise) == []


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(b"\x80" + struct.pack("<i", 2**31 - 1), id="array of two thousand million nulls"),
        pytest.param(b"\x98" + struct.pack("<i", 2**31 - 1), id="array of variants that are not there"),
        pytest.param(b"\x8b" + struct.pack("<i", 2**31 - 1), id="array of doubles that are not there"),
        pytest.param(b"\x98" + struct.pack("<i", 1) * 1 + (b"\x98" + struct.pack("<i", 1)) * 400, id="nested 400 deep"),
        pytest.param(b"\x19" + b"\x40" * 5000, id="diagnostics nested 5000 deep"),
        pytest.param(b"\x3f", id="a type that does not exist"),
        pytest.param(b"\x0c" + struct.pack("<i", 2**31 - 1), id="a text that is not there"),
    ],
)
def test_a_length_that_cannot_be_is_refused_at_once(variant: bytes) -> None:
    """Announced lengths are checked before anything is looped over or allocated."""
    item = struct.pack("<IB", 1, 1) + variant
    body = struct.pack("<i", 1) + item + struct.pack("<i", 0)

    with pytest.raises(Malformed):
        Decoder(read_variant).decode(body, 0, len(body))


def test_picoseconds_follow_their_own_timestamp() -> None:
    """OPC 10000-6 §5.2.2.17: SourceTimestamp, SourcePicoseconds, ServerTimestamp; asyncua 2.1 has them last."""
    stamp, pico = struct.pack("<q", ticks(TIME)), struct.pack("<H", 1234)
    item = struct.pack("<IBBd", 5, 0x3D, 11, 2.5) + stamp + pico + stamp + pico
    body = struct.pack("<i", 3) + item * 3 + struct.pack("<i", 0)
    columns = Decoder(read_variant).decode(body, 0, len(body))

    assert set(rows_of(columns)) == {(5, 2.5, None, 0, ticks(TIME), ticks(TIME))}


def test_columns_may_be_changed_without_touching_the_message() -> None:
    """The value column of a uniform message is a copy; the rest is only looked at."""
    columns = decoded(encoded([(handle, scalar("Double", 1.0)) for handle in range(3)]))
    columns.value[:] = np.nan

    assert columns.handle.tolist() == [0, 1, 2]


def test_a_guid_and_a_chinese_text_are_read_by_asyncua() -> None:
    """What the fast decoder passes over comes out as text."""
    guid = UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")
    columns = decoded(
        encoded([(0, data_value(guid, V.Guid)), (1, data_value(ua.LocalizedText("磨床"), V.LocalizedText))])
    )

    assert columns.objects == {0: str(guid), 1: "磨床"}
