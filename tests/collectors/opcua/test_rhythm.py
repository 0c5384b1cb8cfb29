"""Each tag against its own rhythm: what is late, what is repeated, and that a repeat is never taken for a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from collectors.opcua.rhythm import MORE, REPEATED, SHOWN, Rhythm
from collectors.opcua.shape import shape
from collectors.opcua.table import Table
from collectors.points import UNCERTAIN, Batch, Clock
from tests.collectors.opcua.messages import TIME_NS, data_value, decoded, encoded, scalar
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.servers.opcua import asyncua_server

BAD_SENSOR = 0x8004_0000
AS_OF_NS = TIME_NS + 60_000_000_000


class Watched:
    """A rhythm, and values that come at given seconds."""

    def __init__(self, *tags: dict[str, Any]) -> None:
        self.table = Table.of(configured("opc.tcp://h:4840", list(tags)), plant="p")
        self.rhythm = Rhythm.of(self.table)
        self.rhythm.new_subscription(0.0)

    def came(self, now: float, *items: tuple[int, Any], before: float | None = None) -> None:
        """A message with these items; with `before`, one that was fetched again."""
        shaped = shape(decoded(encoded(list(items))), self.table, source="s", received_ns=TIME_NS)
        if before is None:
            self.rhythm.came(shaped, now)
        else:
            self.rhythm.came_again(shaped, before)

    def late(self, now: float) -> dict[str, str]:
        """What is late when all tags run."""
        return self.rhythm.late(now, running=np.ones(len(self.table.first), dtype=np.bool_))

    def repeats(self, now: float) -> Batch | None:
        """What is repeated after ten seconds."""
        return self.rhythm.repeats(now, after_s=10, t_ns=AS_OF_NS, source="s", received_ns=AS_OF_NS + 1)


def test_a_tag_is_late_by_its_own_rhythm() -> None:
    """One that comes every second is late after a minute, one of every five minutes is not; the last value is told."""
    watched = Watched(tag("fast"), tag("slow"))
    for second in range(0, 1201, 300):
        watched.came(second, (1, scalar("Double", 1.0)))
    for second in range(1200, 1210):
        watched.came(second, (0, data_value(21.5, status=UNCERTAIN)))
    late = watched.late(1280.0)

    assert list(late) == ["p/lathe/fast"]
    assert late["p/lathe/fast"] == ("no value for 71 s, usually one within 1 s; the last was 21.5 (Uncertain)")
    assert list(watched.late(1200 + 901)) == ["p/lathe/fast", "p/lathe/slow"]


def test_a_value_that_never_changes_has_no_rhythm() -> None:
    """One value at the connection is no reason to expect another."""
    watched = Watched(tag("limit"))
    watched.came(1.0, (0, scalar("Double", 1.0)))

    assert watched.late(1e6) == {}


def test_a_tag_without_its_first_value_is_late() -> None:
    """A server that accepts a variable and never sends it."""
    watched = Watched(tag("dead"))

    assert watched.late(299) == {}
    assert "no value for 301 s since the connection began" in watched.late(301)["p/lathe/dead"]


def test_a_tag_that_does_not_run_has_a_trouble_of_its_own() -> None:
    """It is not listed twice."""
    watched = Watched(tag("gone"))

    assert watched.rhythm.late(1e6, running=np.zeros(1, dtype=np.bool_)) == {}


def test_a_long_interval_is_forgotten_by_half_a_day_by_day() -> None:
    """A standstill of an hour, once, is no reason to wait for three of them a week later."""
    watched = Watched(tag("fast"))
    for second in (0, 1, 2, 3600):
        watched.came(second, (0, scalar("Double", 1.0)))
    assert watched.late(3600 + 1200) == {}
    week = 7 * 86_400
    watched.rhythm.new_subscription(week)
    for second in (week, week + 1):
        watched.came(second, (0, scalar("Double", 1.0)))
    watched.late(week + 2)

    assert list(watched.late(week + 100)) == ["p/lathe/fast"]


def test_an_absence_is_no_interval() -> None:
    """What lies between two subscriptions teaches nothing, and nothing is late at once."""
    watched = Watched(tag("fast"))
    for second in range(5):
        watched.came(second, (0, scalar("Double", 1.0)))
    watched.rhythm.new_subscription(5000)

    assert watched.late(5001) == {}
    watched.came(5001, (0, scalar("Double", 1.0)))
    assert list(watched.late(5070)) == ["p/lathe/fast"]


def test_many_late_tags_are_counted() -> None:
    """A list of a thousand helps nobody."""
    late = Watched(*(tag(f"t{number}") for number in range(SHOWN + 20))).late(1000)

    assert len(late) == SHOWN + 1
    assert late[MORE] == "and 20 more tags"


def test_what_holds_is_repeated_and_marked() -> None:
    """As of the time up to which all was heard, by our clock, with the code that it had and the mark."""
    watched = Watched(tag("a"), tag("name", kind="text"), tag("axis", elements=2))
    watched.came(0.0, (0, data_value(1.5, status=UNCERTAIN)), (1, scalar("String", "A-1")), (2, data_value([1.0, 2.0])))
    first = watched.repeats(10.0)
    assert first is not None

    assert [(one.series.signal, one.value, one.quality) for one in first.points()] == [
        ("a", 1.5, UNCERTAIN | REPEATED),
        ("name", "A-1", REPEATED),
        ("axis[0]", 1.0, REPEATED),
        ("axis[1]", 2.0, REPEATED),
    ]
    assert set(first.t_ns.tolist()) == {AS_OF_NS}
    assert set(first.clock.tolist()) == {Clock.GATEWAY}
    assert watched.repeats(19.0) is None
    assert watched.repeats(20.0) is not None


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(data_value(1.0, status=BAD_SENSOR), id="Bad"),
        pytest.param(data_value(1.0, source=None, server=None), id="no time of its own, so at receipt"),
    ],
)
def test_a_bad_value_is_not_repeated(item: Any) -> None:
    """What is not known now was not so a while ago; a value with our time is repeated only after that time."""
    watched = Watched(tag("a"))
    watched.came(0.0, (0, item))
    found = watched.rhythm.repeats(10.0, after_s=10, t_ns=TIME_NS, source="s", received_ns=AS_OF_NS)

    assert found is None


def test_a_message_that_was_fetched_again_does_not_undo_a_newer_one() -> None:
    """Of two missed messages the second counts, for a tag of which nothing newer has come; else the newer value."""
    watched = Watched(tag("moved"), tag("still"))
    watched.came(0.0, (0, scalar("Double", 1.0)), (1, scalar("Double", 1.0)))
    watched.came(3.0, (0, scalar("Double", 4.0)))
    watched.came(3.1, (0, scalar("Double", 2.0)), (1, scalar("Double", 2.0)), before=0.0)
    watched.came(3.2, (0, scalar("Double", 3.0)), (1, scalar("Double", 3.0)), before=0.0)
    repeated = watched.repeats(100.0)

    assert repeated is not None
    assert repeated.value.tolist() == [4.0, 3.0]


def test_nothing_is_repeated_before_it_came() -> None:
    """Nor a tag that changes often enough."""
    watched = Watched(tag("a"), tag("b"))
    watched.came(5.0, (0, scalar("Double", 1.0)))

    assert watched.repeats(14.0) is None


@pytest.mark.slow
async def test_repeats_of_a_value_that_a_server_does_not_change() -> None:
    """Marked in the quality, later than the value itself, and not counted as changes by the server's clock."""
    recorder = Recorder()
    with asyncua_server(counters=1, period_s=60) as server:
        config = configured(server.url, [tag("C0")], repeat_s=1)
        async with supervised(config, recorder):
            await recorder.until(lambda: len(recorder.points("C0")) >= 3, within_s=20)
    first, *repeats = recorder.points("C0")

    assert first.quality == 0
    assert [(one.value, one.quality) for one in repeats] == [(first.value, REPEATED)] * len(repeats)
    assert first.t_ns < repeats[0].t_ns < repeats[1].t_ns
