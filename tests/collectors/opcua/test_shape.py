"""Columns become rows of the configured series: kinds, units, times, quality."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua

from collectors.opcua.columns import merged
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.facts import Facts
from collectors.opcua.rows import BAD_TYPE_MISMATCH
from collectors.opcua.shape import BAD_NO_DATA, HEARTBEAT, OUTSIDE_RANGE, Shaped, shape
from collectors.opcua.table import Table
from collectors.points import OVERFLOW, Clock, Point
from tests.collectors.opcua.messages import TIME, TIME_NS, data_value, decoded, encoded, scalar
from tests.collectors.opcua.rig import configured, tag

RECEIVED_NS = TIME_NS + 5_000_000_000
OUT_OF_SERVICE = 0x808D_0000
UNCERTAIN = 0x4000_0000
NODE_UNKNOWN = 0x8034_0000
NULL_TIME = datetime(1601, 1, 1, tzinfo=UTC)


def table(*tags: dict[str, Any]) -> Table:
    """The table of these tags."""
    config: OpcUaConfig = configured("opc.tcp://h:4840", list(tags))
    return Table.of(config, plant="p")


def shaped(tags: list[dict[str, Any]], *items: tuple[int, ua.DataValue]) -> Shaped:
    """What these items of a message become."""
    return shape(decoded(encoded(list(items))), table(*tags), source="s", received_ns=RECEIVED_NS)


def rows(found: Shaped) -> list[tuple[str, float | str, int]]:
    """Signal, value and quality of every row."""
    return [(point.series.signal, point.value, point.quality) for point in found.batch.points()]


def only(found: Shaped) -> Point:
    """The only row."""
    (point,) = found.batch.points()
    return point


def test_scale_and_offset_make_the_units() -> None:
    """The server's number times scale plus offset; others are untouched."""
    tags = [tag("a", scale=0.1, offset=-5), tag("b")]

    assert rows(shaped(tags, (0, scalar("Int16", 100)), (1, scalar("Double", 2.0)))) == [("a", 5.0, 0), ("b", 2.0, 0)]


@pytest.mark.parametrize(
    ("source", "server", "t_ns", "clock"),
    [
        pytest.param(TIME, TIME + timedelta(seconds=1), TIME_NS, Clock.SOURCE, id="the source's"),
        pytest.param(None, TIME, TIME_NS, Clock.SERVER, id="none from the source"),
        pytest.param(NULL_TIME, TIME, TIME_NS, Clock.SERVER, id="1601 from the source"),
        pytest.param(None, None, RECEIVED_NS, Clock.GATEWAY, id="none at all"),
        pytest.param(NULL_TIME, NULL_TIME, RECEIVED_NS, Clock.GATEWAY, id="1601 from both"),
        pytest.param(datetime(9999, 12, 31, tzinfo=UTC), TIME, TIME_NS, Clock.SERVER, id="9999 from the source"),
    ],
)
def test_the_best_clock_that_says_a_time_is_taken(
    source: datetime | None, server: datetime | None, t_ns: int, clock: Clock
) -> None:
    """Source, else server, else our own receipt; and the row says which."""
    point = only(shaped([tag("a")], (0, data_value(1.0, source=source, server=server))))

    assert (point.t_ns, point.clock) == (t_ns, clock)


@pytest.mark.parametrize(
    ("value", "status", "quality"),
    [
        pytest.param(1.0, OUT_OF_SERVICE, OUT_OF_SERVICE, id="Bad with a value: the value is not shown"),
        pytest.param(float("nan"), None, BAD_NO_DATA, id="NaN that calls itself Good"),
        pytest.param(float("inf"), None, BAD_NO_DATA, id="infinity"),
    ],
)
def test_a_row_without_a_value_is_bad(value: float, status: int | None, quality: int) -> None:
    """No value is made up, and no row is dropped."""
    point = only(shaped([tag("a")], (0, data_value(value, status=status))))

    assert point.quality == quality
    assert point.value != point.value  # NaN


def test_a_null_is_bad() -> None:
    """A variable without a value is no zero."""
    point = only(shaped([tag("a")], (0, data_value(None, ua.VariantType.Null))))

    assert point.quality == BAD_NO_DATA


def test_uncertain_and_overflow_keep_their_value() -> None:
    """Only the severity Bad takes the value away; the overflow bit is reported by series."""
    found = shaped([tag("a"), tag("b")], (0, data_value(1.0, status=UNCERTAIN)), (1, data_value(2.0, status=OVERFLOW)))

    assert rows(found) == [("a", 1.0, UNCERTAIN), ("b", 2.0, OVERFLOW)]
    assert [series.signal for series in found.overflowed] == ["b"]


def test_texts_and_numbers_of_text_signals() -> None:
    """A text signal takes texts, times and numbers as text, integers exactly."""
    tags = [tag(name, kind="text") for name in "abcde"]
    values = [
        scalar("String", "A-1"),
        scalar("DateTime", TIME),
        scalar("Int64", 2**60 + 1),
        scalar("Double", 2.5),
        data_value(ua.LocalizedText("磨床"), ua.VariantType.LocalizedText),
    ]
    expected = ["A-1", "2026-03-01T12:00:00+00:00", "1152921504606846977", "2.5", "磨床"]

    assert [value for _, value, _ in rows(shaped(tags, *enumerate(values)))] == expected


def test_a_text_where_a_number_is_wanted_is_refused_and_told() -> None:
    """A serial number never becomes a float; the row says BadTypeMismatch and the tag what to do."""
    found = shaped([tag("a")], (0, scalar("String", "12.5")))

    assert only(found).quality == BAD_TYPE_MISMATCH
    assert found.misfits == {0: "the value is a text; set kind: text"}


def test_an_integer_beyond_two_to_the_53_is_told() -> None:
    """A double cannot hold it: the row is rounded and the tag says so."""
    found = shaped([tag("a", kind="counter")], (0, scalar("UInt64", 2**53 + 1)))

    assert only(found).value == 2.0**53
    assert "2^53" in found.misfits[0]


def test_elements_of_an_array_are_signals() -> None:
    """An array becomes a signal for each element; the rows around it keep their own."""
    tags = [tag("a"), tag("axis", elements=2), tag("b")]
    axis = data_value([1.0, 2.0], ua.VariantType.Double)
    found = shaped(tags, (0, scalar("Double", 7.0)), (1, axis), (2, scalar("Double", 8.0)))

    assert rows(found) == [("a", 7.0, 0), ("axis[0]", 1.0, 0), ("axis[1]", 2.0, 0), ("b", 8.0, 0)]


def test_an_array_of_another_length_is_told() -> None:
    """Missing elements are rows without a value, surplus ones are told."""
    short = shaped([tag("axis", elements=3)], (0, data_value([1.0], ua.VariantType.Double)))

    assert [quality for _, _, quality in rows(short)] == [0, BAD_NO_DATA, BAD_NO_DATA]
    assert "the array has 1 elements now, 3 are configured" in short.misfits[0]


def test_an_array_without_elements_is_refused_and_told() -> None:
    """The trouble says what to write."""
    found = shaped([tag("a")], (0, data_value([1.0, 2.0], ua.VariantType.Double)))

    assert only(found).quality == BAD_TYPE_MISMATCH
    assert "set elements: 2" in found.misfits[0]


def test_a_structure_is_refused_and_told() -> None:
    """Nothing is guessed from a structure."""
    unit = ua.EUInformation("urn:x", 1, ua.LocalizedText("m"))
    found = shaped([tag("a")], (0, data_value(unit, ua.VariantType.ExtensionObject)))

    assert only(found).quality == BAD_TYPE_MISMATCH
    assert "ExtensionObject" in found.misfits[0]


def test_an_enumeration_is_its_name_for_a_text_signal() -> None:
    """Numbers and Booleans by their names; a number that has none stays a number, and so does a state."""
    facts = Facts.none(4)
    facts.names |= {0: {2: "Fault"}, 1: {1: "open", 0: "closed"}, 2: {2: "Fault"}, 3: {2: "Fault"}}
    tags = [tag("a", kind="text"), tag("b", kind="text"), tag("c", kind="text"), tag("d", kind="state")]
    items = [scalar("Int32", 2), scalar("Boolean", False), scalar("Int32", 7), scalar("Int32", 2)]
    columns = decoded(encoded(list(enumerate(items))))
    found = shape(columns, table(*tags), source="s", received_ns=RECEIVED_NS, facts=facts)

    assert [value for _, value, _ in rows(found)] == ["Fault", "closed", "7", 2.0]


def test_outside_the_range_of_the_server_is_uncertain() -> None:
    """The value is kept; the overflow bit stays; Bad stays Bad; the range is in the server's unit, before the scale."""
    facts = Facts.none(1)
    facts.limit(0, -10.0, 10.0)
    items = [
        data_value(10.0),
        data_value(11.0),
        data_value(-11.0, status=OVERFLOW),
        data_value(11.0, status=OUT_OF_SERVICE),
    ]
    columns = decoded(encoded([(0, one) for one in items]))
    found = shape(columns, table(tag("a", scale=2)), source="s", received_ns=RECEIVED_NS, facts=facts)

    assert [(value, quality) for _, value, quality in rows(found)[:3]] == [
        (20.0, 0),
        (22.0, OUTSIDE_RANGE),
        (-22.0, OUTSIDE_RANGE | OVERFLOW),
    ]
    assert rows(found)[3][2] == OUT_OF_SERVICE


@pytest.mark.parametrize(("low", "high"), [(0, 0), (10, -10), (float("-inf"), 5), (float("nan"), 5)])
def test_a_range_that_is_none_doubts_nothing(low: float, high: float) -> None:
    """Servers say 0..0, swapped or infinite ranges where they know nothing."""
    facts = Facts.none(1)
    facts.limit(0, low, high)

    assert not facts.has_ranges


def test_a_node_that_is_not_there_is_noticed() -> None:
    """BadNodeIdUnknown as a value means that the item is worth nothing."""
    assert shaped([tag("a")], (0, data_value(None, ua.VariantType.Null, status=NODE_UNKNOWN))).not_there == {0}


def test_the_heartbeat_leaves_no_row() -> None:
    """The server's clock shows that it lives; it is no signal, wherever it stands in the message."""
    beat = (HEARTBEAT, scalar("DateTime", TIME))
    text = (0, scalar("String", "x"))

    assert rows(shaped([tag("a", kind="text")], beat, text, beat)) == [("a", "x", 0)]


def test_notifications_of_one_message_become_one_batch() -> None:
    """Rows and texts keep their places when columns are joined."""
    first = decoded(encoded([(0, scalar("String", "x")), (1, scalar("Double", 1.0))]))
    second = decoded(encoded([(1, scalar("Double", 2.0)), (0, scalar("String", "y"))]))
    tags = table(tag("a", kind="text"), tag("b"))
    found = shape(merged([first, second]), tags, source="s", received_ns=RECEIVED_NS)

    assert [value for _, value, _ in rows(found)] == ["x", 1.0, 2.0, "y"]
