"""Alarms and conditions: what becomes a record, what a refresh adds and ends, and whose an alarm is."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from collectors.opcua.conditions import FIRST_HANDLE, MOST_RETAINED, Conditions, Told, state_of
from collectors.opcua.eventlist import FIELDS, SIMPLE, Event, read_events
from collectors.opcua.odd import read_variant
from collectors.opcua.wire import Malformed
from collectors.points import GOOD, UNCERTAIN, Clock, Point
from tests.collectors.opcua.messages import TIME, TIME_NS, ticks
from tests.collectors.opcua.rig import configured, tag

RECEIVED_NS = TIME_NS + 2_000_000_000
TICKS = ticks(TIME)
NODE = "ns=2;s=Spindle"
HOT = Event("i=9341", NODE, "Spindle", TICKS, TICKS, "too hot", 700, "ns=2;s=Hot", "Hot", "i=0", True, acked=False)


def conditions(*notifiers: dict[str, Any], named: dict[str, str] | None = None) -> Conditions:
    """The conditions of a source with one lathe and these notifiers."""
    alarms = list(notifiers) or [{"machine": "hall"}]
    config = configured("opc.tcp://h:4840", [tag("speed", NODE, line="line-2")], alarms=alarms)
    found = Conditions.of(config, plant="p")
    found.new_connection(lambda node: (named or {}).get(node, node))
    return found


def came(
    known: Conditions, *events: Event | Told, notifier: int = 0, now_ns: int = RECEIVED_NS, again: bool = False
) -> list[Point]:
    """The points of these events of one notifier."""
    plain = [one if isinstance(one, Event) else Event(event_type=one.value) for one in events]
    return known.came([(FIRST_HANDLE + notifier, one) for one in plain], now_ns, again=again)


def records(points: list[Point], signal: str = "alarm") -> list[Any]:
    """The texts of one signal, read."""
    return [orjson.loads(str(point.value)) for point in points if point.series.signal == signal]


def active(points: list[Point]) -> dict[str, float]:
    """How many alarms are active, by machine, as far as it was said."""
    return {one.series.machine: float(one.value) for one in points if one.series.signal == "alarms_active"}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        pytest.param({"active": True, "acked": False}, "unacknowledged", id="came"),
        pytest.param({"active": True, "acked": True}, "acknowledged", id="acknowledged"),
        pytest.param({"active": False, "acked": False}, "returned_unacknowledged", id="went, nobody saw it"),
        pytest.param({"active": False, "acked": True}, "normal", id="over"),
        pytest.param({"retain": True}, "acknowledged", id="a condition that is no alarm"),
        pytest.param({"active": True, "suppressed": True}, "suppressed", id="suppressed by design"),
        pytest.param({"active": True, "shelving": "i=2929"}, "shelved", id="shelved by the operator"),
        pytest.param({"active": True, "shelving": "i=2930"}, "acknowledged", id="not shelved"),
        pytest.param({"active": True, "enabled": False}, "out_of_service", id="disabled"),
        pytest.param({"active": True, "out_of_service": True}, "out_of_service", id="out of service"),
    ],
)
def test_states_have_the_names_of_isa_18_2(said: dict[str, Any], state: str) -> None:
    """Only what the server said counts; what it did not say is not made up."""
    assert state_of(Event(**said)) == state


def test_a_change_is_a_record_at_the_time_of_the_event() -> None:
    """Who, what, since when: at the machine's own time, and the count of active alarms follows."""
    points = came(conditions(), HOT._replace(active=True, quality=0))
    (record,) = records(points)

    assert (points[0].t_ns, points[0].quality, points[0].clock) == (TIME_NS, GOOD, Clock.SOURCE)
    assert (record["name"], record["state"], record["severity"]) == ("Hot", "unacknowledged", 700)
    assert record["message"] == "too hot"
    assert active(points) == {"lathe": 1.0, "hall": 0.0}


def test_an_alarm_belongs_to_the_machine_of_its_variable() -> None:
    """The source node is a configured variable: its machine and line; else the notifier's."""
    points = came(conditions(), HOT, HOT._replace(source_node="ns=9;i=1", condition="ns=2;s=Door"))

    assert [(one.series.machine, one.series.line) for one in points[:2]] == [("lathe", "line-2"), ("hall", "")]


def test_the_uri_of_the_namespace_finds_the_machine_too() -> None:
    """A variable that is configured by its namespace's URI is found after the indexes changed."""
    uri = "nsu=http://raceway.example/machine;s=speed"
    config = configured("opc.tcp://h:4840", [tag("speed", uri)], alarms=[{"machine": "hall"}])
    known = Conditions.of(config, plant="p")
    known.new_connection(lambda node: uri if node == "ns=7;s=speed" else node)

    assert came(known, HOT._replace(source_node="ns=7;s=speed"))[0].series.machine == "lathe"


def test_a_refresh_repeats_nothing_and_lists_what_stands() -> None:
    """What is known gives no second record; the list of what is retained is one."""
    known = conditions()
    came(known, HOT)
    points = came(known, Told.REFRESH_START, HOT, Told.REFRESH_END)

    assert records(points) == []
    (listed,) = records(points, "alarms_retained")
    assert (listed["alarms"], [one["name"] for one in listed["list"]]) == (1, ["Hot"])
    assert known.refreshed == {0}


def test_what_is_not_told_again_has_ended_unseen() -> None:
    """An alarm that went while nobody listened ends with the refresh: at our time, Uncertain."""
    known = conditions()
    came(known, HOT)
    points = came(known, Told.REFRESH_START, Told.REFRESH_END)
    (record,) = records(points)

    assert (record["name"], record["state"], record["ended"]) == ("Hot", "normal", "unseen")
    assert (points[0].t_ns, points[0].quality, points[0].clock) == (RECEIVED_NS, UNCERTAIN, Clock.GATEWAY)
    assert active(points) == {"lathe": 0.0}
    assert known.retained() == []


def test_a_refresh_of_one_notifier_ends_nothing_of_another() -> None:
    """Every notifier tells its own alarms again, one after the other."""
    known = conditions({"machine": "hall"}, {"machine": "yard", "node": "ns=2;i=5"})
    came(known, HOT, notifier=1)

    assert records(came(known, Told.REFRESH_START, Told.REFRESH_END, notifier=0)) == []
    assert len(records(came(known, Told.REFRESH_START, Told.REFRESH_END, notifier=1))) == 1


def test_a_connection_that_ends_in_a_refresh_ends_no_alarm() -> None:
    """Only a refresh that came to its end says that something is not retained any more."""
    known = conditions()
    came(known, HOT, Told.REFRESH_START)
    known.new_connection(str)
    came(known, HOT._replace(acked=True))

    assert [one["state"] for one in known.retained()] == ["acknowledged"]


def test_what_is_over_is_forgotten() -> None:
    """A condition that is not retained is recorded and takes no memory."""
    known = conditions()
    came(known, HOT)
    points = came(known, HOT._replace(active=False, acked=True, retain=False))

    assert [one["state"] for one in records(points)] == ["normal"]
    assert known.retained() == []


def test_an_older_event_that_comes_later_changes_no_state() -> None:
    """A message that was fetched again after newer ones came: its record is kept, how it stands is not touched."""
    known = conditions()
    came(known, HOT._replace(time=TICKS + 1, acked=True))
    points = came(known, HOT._replace(message="hot"), again=True)

    assert [one["message"] for one in records(points)] == ["hot"]
    assert [one["acked"] for one in known.retained()] == [True]


def test_a_server_whose_clock_was_set_back_still_ends_its_alarms() -> None:
    """What comes in its turn is how it stands, whatever time it says."""
    known = conditions()
    came(known, HOT)
    points = came(known, HOT._replace(time=TICKS - 36_000_000_000, active=False, acked=True, retain=False))

    assert [one["state"] for one in records(points)] == ["normal"]
    assert (known.retained(), active(points)) == ([], {"lathe": 0.0})


@pytest.mark.parametrize(
    "told", [(Told.REFRESH_START, Told.QUEUE_OVERFLOW, Told.REFRESH_END), (Told.QUEUE_OVERFLOW, Told.REFRESH_END)]
)
def test_a_refresh_of_which_a_part_was_lost_ends_no_alarm(told: tuple[Told, ...]) -> None:
    """What was not told again may have been what the server's queue could not hold."""
    known = conditions()
    came(known, HOT)
    points = came(known, *told)

    assert records(points) == []
    assert [one["name"] for one in known.retained()] == ["Hot"]


def test_texts_have_an_end() -> None:
    """A list of thousands and a message of a megabyte still fit into a database."""
    known = conditions()
    many = [HOT._replace(condition=f"ns=2;i={number}", message="x" * 10**6) for number in range(1, 2001)]
    points = came(known, Told.REFRESH_START, *many, Told.REFRESH_END)

    assert records(points, "alarms_retained")[0]["alarms"] == 2000
    assert max(len(str(point.value)) for point in points) < 65_536


def test_a_server_with_more_alarms_than_are_remembered() -> None:
    """Memory has an end and says so; every change is a record, and what is remembered still ends with a refresh."""
    known = conditions()
    many = [HOT._replace(condition=f"ns=2;i={number}") for number in range(MOST_RETAINED + 2)]
    points = came(known, Told.REFRESH_START, *many, Told.REFRESH_END)

    assert len(records(points)) == MOST_RETAINED + 2
    assert (len(known.retained()), known.is_full) == (MOST_RETAINED, True)
    (listed,) = records(points, "alarms_retained")
    assert (listed["alarms"], listed["whole"]) == (MOST_RETAINED, False)
    over = many[-1]._replace(active=False, acked=True, retain=False)
    assert [one["state"] for one in records(came(known, over))] == ["normal"]
    known.new_refresh()
    assert len(records(came(known, Told.REFRESH_START, *many[:10], Told.REFRESH_END))) == MOST_RETAINED - 10
    assert known.is_full is False


def test_names_of_a_megabyte_take_no_memory() -> None:
    """Whatever a server calls its conditions and their sources."""
    long = "x" * 10**6
    known = conditions()
    came(known, HOT._replace(condition=f"ns=2;s={long}", name=long, source_name=long, branch=f"ns=2;s=b{long}"))

    assert sum(len(str(one)) for one in known.retained()[0].values()) < 10_000


def test_a_branch_is_a_record_and_counts_no_alarm_twice() -> None:
    """An earlier state that still needs an acknowledgement has its own record."""
    points = came(conditions(), HOT, HOT._replace(branch="ns=2;i=77"))

    assert [one.get("branch") for one in records(points)] == [None, "ns=2;i=77"]
    assert active(points)["lathe"] == 1.0


def test_an_impossible_time_is_replaced_and_kept_beside() -> None:
    """A machine in 2068: our time, Uncertain, and both times in the record."""
    far = TICKS + 42 * 365 * 86_400 * 10**7
    (point, *_) = came(conditions(), HOT._replace(time=far))

    assert (point.t_ns, point.quality, point.clock) == (RECEIVED_NS, UNCERTAIN, Clock.GATEWAY)
    assert orjson.loads(str(point.value))["said_ns"] == TIME_NS + 42 * 365 * 86_400 * 10**9


def test_the_severity_lets_through_and_the_end_of_what_came_through() -> None:
    """Below the wanted severity nothing comes, but the end of an alarm that was recorded does."""
    known = conditions({"machine": "hall", "min_severity": 500})
    low = HOT._replace(condition="ns=2;s=Low", severity=100)

    assert records(came(known, low)) == []
    came(known, HOT)
    assert len(records(came(known, HOT._replace(severity=1, active=False, retain=False)))) == 1


def test_messages_come_where_they_are_wanted() -> None:
    """Events that are no alarms: by choice, and never what clients did to the server."""
    message = Event("i=2041", "i=2253", "Server", TICKS, TICKS, "tool 4 changed", 100)
    audit = message._replace(event_type="i=2058")
    wanted = conditions({"machine": "hall", "events": True}, named={"i=2058": "AuditSecurityEventType"})

    assert came(conditions(), message) == []
    assert [one["message"] for one in records(came(wanted, message, audit), "event")] == ["tool 4 changed"]


def test_the_server_says_that_it_lost_events() -> None:
    """An overflow of its queue, and a request for a refresh, both ask for one."""
    known = conditions()
    came(known, Told.QUEUE_OVERFLOW)

    assert (known.wants_refresh, known.overflowed) == (True, {0})
    assert [str(one) for one in known.series_of(known.overflowed)] == ["p/hall/alarm"]


def encoded(*fields: ua.Variant) -> bytes:
    """The body of an EventNotificationList with one event."""
    one = ua.EventFieldList(ClientHandle=FIRST_HANDLE, EventFields=list(fields))
    return bytes(struct_to_binary(ua.EventNotificationList(Events=[one])))


def variants() -> list[ua.Variant]:
    """All fields, as a server sends them: null, and status codes for what it does not have."""
    kinds = ua.VariantType
    given = {
        "event_type": ua.Variant(ua.NodeId(9341), kinds.NodeId),
        "time": ua.Variant(TIME, kinds.DateTime),
        "message": ua.Variant(ua.LocalizedText("过热"), kinds.LocalizedText),
        "severity": ua.Variant(700, kinds.UInt16),
        "condition": ua.Variant(ua.NodeId("Hot", 2), kinds.NodeId),
        "retain": ua.Variant(True, kinds.Boolean),
        "quality": ua.Variant(ua.StatusCode(0x8000_0000), kinds.StatusCode),
        "active": ua.Variant(ua.StatusCode(ua.StatusCodes.BadAttributeIdInvalid), kinds.StatusCode),
    }
    return [given.get(name, ua.Variant(None)) for name in FIELDS]


def test_events_are_read_from_their_bytes() -> None:
    """Times in ticks, texts without their language, and a status code in place of a field is no value."""
    body = encoded(*variants())
    ((handle, event),) = read_events(body, 0, len(body), read_variant)

    assert handle == FIRST_HANDLE
    assert (event.event_type, event.condition, event.message) == ("i=9341", "ns=2;s=Hot", "过热")
    assert (event.time, event.severity, event.retain) == (TICKS, 700, True)
    assert (event.quality, event.active, event.source_name) == (0x8000_0000, None, None)


def test_an_event_of_a_server_without_conditions() -> None:
    """Only the fields of every event were asked for."""
    body = encoded(*variants()[: len(SIMPLE)])
    ((_, event),) = read_events(body, 0, len(body), read_variant)

    assert (event.message, event.condition) == ("过热", None)


@pytest.mark.parametrize("n", [0, 3, len(FIELDS) + 1])
def test_another_number_of_fields_is_malformed(n: int) -> None:
    """Then nobody knows which field is which."""
    body = encoded(*(variants() * 2)[:n])
    with pytest.raises(Malformed):
        read_events(body, 0, len(body), read_variant)


def test_cut_events_are_malformed_at_every_byte() -> None:
    """An error, never a crash, wherever the bytes end."""
    body = encoded(*variants())
    for stop in range(len(body)):
        with pytest.raises(Malformed):
            read_events(body[:stop], 0, stop, read_variant)
