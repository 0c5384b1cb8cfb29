"""Clocks of machines: a time that cannot be true is replaced or kept as configured, and said once with both times."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from collectors.opcua.clocks import WrongClocks
from collectors.opcua.shape import Shaped, shape
from collectors.opcua.table import Table
from collectors.points import UNCERTAIN, Clock, Stream
from tests.collectors.opcua.messages import TIME, TIME_NS, data_value, decoded, encoded
from tests.collectors.opcua.rig import configured, tag

RESET = datetime(2000, 1, 1, 0, 0, 3, tzinfo=UTC)
AHEAD = TIME + timedelta(hours=8)


def made(**settings: object) -> Table:
    """The table of two tags of one machine."""
    return Table.of(configured("opc.tcp://h:4840", [tag("a"), tag("b")], **settings), plant="p")


def shaped(table: Table, *sources: datetime) -> Shaped:
    """A message with values of the first tag, measured at these times and received at TIME."""
    items = [(0, data_value(1.0, source=source, server=TIME)) for source in sources]
    return shape(decoded(encoded(items)), table, source="s", received_ns=TIME_NS)


@pytest.mark.parametrize("source", [RESET, AHEAD], ids=["after a battery was empty", "in the future"])
def test_a_time_that_cannot_be_true_is_replaced(source: datetime) -> None:
    """By the moment of receipt, so that two values of one message still have two times, in their order."""
    found = shaped(made(), source, TIME, source)

    assert found.batch.clock.tolist() == [Clock.GATEWAY, Clock.SOURCE, Clock.GATEWAY]
    assert found.batch.quality.tolist() == [UNCERTAIN, 0, UNCERTAIN]
    assert found.batch.t_ns[1] == TIME_NS
    assert TIME_NS - 10_000 < found.batch.t_ns[0] < found.batch.t_ns[2] < TIME_NS
    assert found.wrong_times == {0: int(source.timestamp()) * 10**9}


def test_it_is_kept_where_that_is_wanted() -> None:
    """The policy decides; it is noticed all the same."""
    found = shaped(made(wrong_clock="keep"), RESET)

    assert (found.batch.t_ns.tolist(), found.batch.clock.tolist()) == ([946_684_803 * 10**9], [Clock.SOURCE])
    assert found.batch.quality.tolist() == [UNCERTAIN]
    assert found.wrong_times


def test_a_small_deviation_is_the_machines_own_affair() -> None:
    """Five minutes ahead, and any time since 2010."""
    times = (TIME + timedelta(seconds=299), datetime(2010, 1, 2, tzinfo=UTC))

    assert shaped(made(), *times).wrong_times == {}


def test_a_wrong_clock_is_said_once_and_forgotten_when_it_is_right() -> None:
    """With both times, in the records; again when it is wrong again."""
    table = made()
    clocks = WrongClocks("s", table)
    wrong, right = shaped(table, RESET), shaped(table, TIME)
    first = clocks.came(wrong.tags, wrong.wrong_times, TIME_NS)
    again = clocks.came(wrong.tags, wrong.wrong_times, TIME_NS + 1)
    (trouble,) = clocks.troubles().values()
    healed = clocks.came(right.tags, right.wrong_times, TIME_NS + 2)

    assert first is not None
    assert first.stream is Stream.RECORDS
    assert [str(series) for series in first.series] == ["p/lathe/clock"]
    assert json.loads(first.texts[0]) == {"said_ns": 946_684_803 * 10**9, "received_ns": TIME_NS, "signal": "a"}
    assert "its clock says 2000-01-01 00:00:03; its values carry the moment of receipt" in trouble
    assert (again, healed, clocks.troubles()) == (None, None, {})
    assert clocks.came(wrong.tags, wrong.wrong_times, TIME_NS + 3) is not None
