"""After a restart of the agent: what the log says of the alarms, and what the first refresh makes of it."""

from __future__ import annotations

import pytest

from collectors.opcua.alarm_past import Past, still_standing
from collectors.opcua.conditions import MOST_RETAINED, Conditions, Told
from collectors.points import Batch, Point, Stream
from tests.collectors.opcua.test_conditions import HOT, RECEIVED_NS, TICKS, active, came, conditions, records

DOOR = HOT._replace(source_node="ns=9;i=1", condition="ns=2;s=Door", name="Door")
OVER = {"active": False, "acked": True, "retain": False}


def logged(*points: Point, source: str = "machines") -> list[Batch]:
    """The log after these."""
    return [Batch.of(source, [one], received_ns=RECEIVED_NS, stream=Stream.RECORDS) for one in points]


def places(known: Conditions) -> set[object]:
    """The machines of a source."""
    return {*known.places, *known.place_of.values()}


async def restarted(known: Conditions, log: list[Batch]) -> Conditions:
    """The same source in a new agent."""
    await Past("machines", known, lambda: log).restore()
    return known


async def test_what_is_told_again_unchanged_gives_no_second_record() -> None:
    """It stood before, it stands now; and it counts."""
    log = logged(*came(conditions(), HOT))
    known = await restarted(conditions(), log)
    points = came(known, Told.REFRESH_START, HOT, Told.REFRESH_END)

    assert records(points) == []
    assert active(points) == {"lathe": 1.0, "hall": 0.0}


async def test_what_is_not_told_again_has_ended() -> None:
    """Nobody was there when it ended."""
    log = logged(*came(conditions(), HOT, DOOR))
    known = await restarted(conditions(), log)
    points = came(known, Told.REFRESH_START, HOT, Told.REFRESH_END)

    assert [(one["name"], one["ended"]) for one in records(points)] == [("Door", "unseen")]


async def test_every_notifier_must_have_told_what_stands() -> None:
    """The log does not say which one an alarm came from: only what none of them tells again is over."""
    notifiers = ({"machine": "hall"}, {"machine": "yard", "node": "ns=2;i=5"})
    known = await restarted(conditions(*notifiers), logged(*came(conditions(*notifiers), HOT)))

    assert records(came(known, Told.REFRESH_START, Told.QUEUE_OVERFLOW, Told.REFRESH_END, notifier=0)) == []
    assert records(came(known, Told.REFRESH_START, Told.REFRESH_END, notifier=1)) == []
    assert len(records(came(known, Told.REFRESH_START, Told.REFRESH_END, notifier=0))) == 1


async def test_the_end_of_an_earlier_alarm_is_recorded_whatever_its_severity() -> None:
    """Servers lower the severity of what is over."""
    log = logged(*came(conditions(), HOT))
    known = await restarted(conditions({"machine": "hall", "min_severity": 500}), log)

    assert len(records(came(known, HOT._replace(severity=1, **OVER)))) == 1


def test_only_what_stands_of_this_source_is_taken() -> None:
    """Not what ended, not what another source said, not of a machine that is not configured any more."""
    known = conditions()
    points = came(known, HOT, DOOR, HOT._replace(time=TICKS + 1, **OVER))

    found = still_standing(logged(*points), source="machines", places=places(known))
    assert [one.record["name"] for one in found.values()] == ["Door"]
    assert still_standing(logged(*points, source="other"), source="machines", places=places(known)) == {}
    assert still_standing(logged(*points), source="machines", places=[]) == {}


def test_what_is_taken_has_a_bound() -> None:
    """A log of many alarms is no reason for much memory."""
    known = conditions()
    points = came(known, *(HOT._replace(condition=f"ns=2;i={number}") for number in range(MOST_RETAINED + 5)))

    assert len(still_standing(logged(*points), source="machines", places=places(known))) == MOST_RETAINED


async def test_a_log_that_cannot_be_read_is_tried_again() -> None:
    """The first try raises what the disk said, the second one brings what stood."""
    log, broken = logged(*came(conditions(), HOT)), [True]

    def recall() -> list[Batch]:
        if broken.pop():
            broken.append(False)
            raise OSError("no such file")
        return log

    known = conditions()
    past = Past("machines", known, recall)
    with pytest.raises(OSError, match="no such file"):
        await past.restore()
    await past.restore()

    assert len(known.retained()) == 1
