"""Alarms over the wire: asyncua's server, which only sends events, and node-opcua, which has conditions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from asyncua import ua

from collectors.opcua.alarms import Alarms
from collectors.opcua.conditions import FIRST_HANDLE, Conditions, Told
from collectors.opcua.eventlist import FIELDS, Event
from collectors.opcua.probe import probe
from collectors.opcua.session import Session
from collectors.points import Stream, Urgency
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.fakes.chaos import proxy
from tests.servers.opcua import Child, asyncua_server
from tests.servers.opcua_node import node_opcua_server

HALL = {"machine": "hall", "events": True}


class SmallServer:
    """A session's services as a server without conditions has them: it refuses what it does not know."""

    def __init__(self, *, refuses_more_than: int) -> None:
        self.fields: list[int] = []
        self._most = refuses_more_than

    async def create_monitored_items(self, wanted: Any) -> list[ua.MonitoredItemCreateResult]:
        """One item for events, if its filter is not too much."""
        (item,) = wanted.ItemsToCreate
        self.fields.append(len(item.RequestedParameters.Filter.SelectClauses))
        if self.fields[-1] > self._most:
            code = ua.StatusCode(ua.StatusCodes.BadEventFilterInvalid)
            return [ua.MonitoredItemCreateResult(StatusCode=code)]
        return [ua.MonitoredItemCreateResult()]


def alarms_on(server: SmallServer, conditions: Conditions) -> Alarms:
    """The alarms of a connection to it."""
    config = configured("opc.tcp://h:4840", [], alarms=[HALL])
    session = SimpleNamespace(
        client=SimpleNamespace(uaclient=SimpleNamespace(session=server)),
        node=lambda _: ua.NodeId(2253),
        namespaces=[],
        continues=False,
    )
    return Alarms(config, cast(Session, session), conditions)


class Overflowing:
    """A server whose queue of events is too short for its standing alarms."""

    def __init__(self) -> None:
        self.told = 0
        self.alarms: Alarms | None = None

    async def call(self, _: Any) -> list[ua.CallMethodResult]:
        """ConditionRefresh: the beginning of what it tells is lost."""
        assert self.alarms is not None
        self.told += 1
        lost = [Told.QUEUE_OVERFLOW, Told.REFRESH_END]
        self.alarms.hear([(FIRST_HANDLE, Event(event_type=one.value)) for one in lost], 1)
        return [ua.CallMethodResult(StatusCode=ua.StatusCode())]


async def test_a_queue_that_is_too_short_is_not_overrun_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarms are told again ever more seldom, and people see why."""
    now = [1000.0]
    monkeypatch.setattr("collectors.opcua.alarms.time.monotonic", lambda: now[0])
    server, conditions = Overflowing(), Conditions.of(configured("opc.tcp://h:4840", [], alarms=[HALL]), plant="p")
    server.alarms = alarms = alarms_on(cast(SmallServer, server), conditions)
    conditions.running, conditions.wants_refresh = {0}, True
    for _ in range(3600):
        await alarms.refresh(1)
        now[0] += 1.0

    assert server.told == 11  # 10, 20, 40, 80, 160, 320, 600, 600, … seconds apart
    assert "overflows" in alarms.troubles()["(alarms)"]


@pytest.mark.parametrize(
    ("most", "asked", "running"), [(100, [len(FIELDS)], {0}), (7, [len(FIELDS), 7], {0}), (0, [len(FIELDS), 7], set())]
)
async def test_a_server_that_refuses_fields_is_asked_for_fewer(most: int, asked: list[int], running: set[int]) -> None:
    """All fields, else those of every event, else a trouble that names the node."""
    server = SmallServer(refuses_more_than=most)
    conditions = Conditions.of(configured("opc.tcp://h:4840", [], alarms=[HALL]), plant="p")
    alarms = alarms_on(server, conditions)
    await alarms.ask(1)

    assert (server.fields, conditions.running) == (asked, running)
    assert list(alarms.troubles()) == ([] if running else ["(alarm hall)"])
    assert conditions.wants_refresh is bool(running)


def records(recorder: Recorder, signal: str = "alarm") -> list[Any]:
    """The records of a signal, in order of arrival."""
    return [orjson.loads(str(point.value)) for point in recorder.points(signal)]


def states(recorder: Recorder) -> list[tuple[str, str]]:
    """Name and state of every record."""
    return [(one["name"], one["state"]) for one in records(recorder)]


@pytest.mark.slow
async def test_events_of_a_server_without_conditions() -> None:
    """They come at once, into the records; that the server cannot tell them again is said."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")], alarms=[HALL]), recorder) as source:
            await recorder.until(lambda: "(alarms)" in source.status.troubles)
            server.do("alarm", name="Hot", active=True)
            await recorder.until(lambda: records(recorder))
            server.do("alarm", name="Hot", active=False)
            await recorder.until(lambda: len(records(recorder)) == 2)
            assert list(source.status.troubles) == ["(alarms)"]
            assert "only what changes from now on is seen" in source.status.troubles["(alarms)"]
    batch = next(one for one in recorder.batches if one.stream is Stream.RECORDS)

    assert states(recorder) == [("Hot", "unacknowledged"), ("Hot", "normal")]
    assert records(recorder)[0]["condition"] == "nsu=http://raceway.example/machine;s=Hot"
    assert recorder.values("alarms_active") == [1.0, 0.0]
    assert batch.urgency is Urgency.NOW


@pytest.mark.slow
async def test_values_do_not_wait_for_the_standing_alarms() -> None:
    """A server that takes the question and never answers: the hole is said and values flow long before we give up."""
    recorder = Recorder()
    with asyncua_server(refreshes=True) as server:
        async with supervised(configured(server.url, [tag("C0")], alarms=[HALL]), recorder) as source:
            await recorder.until(lambda: recorder.values("C0"))
            server.kill()
            server.start()
            await recorder.until(lambda: recorder.gaps, within_s=30)
            seen = len(recorder.values("C0"))
            await recorder.until(lambda: len(recorder.values("C0")) > seen)
            assert "(alarms)" not in source.status.troubles
            await recorder.until(lambda: "within 5 s" in source.status.troubles.get("(alarms)", ""), within_s=30)


@pytest.mark.slow
async def test_a_notifier_that_is_not_there_is_a_trouble_of_its_own() -> None:
    """The values come, the other notifier's events come, and the trouble names the node."""
    recorder = Recorder()
    with asyncua_server() as server:
        alarms = [{"machine": "hall"}, {"machine": "yard", "node": "ns=2;s=Nowhere"}]
        async with supervised(configured(server.url, [tag("C0")], alarms=alarms), recorder) as source:
            await recorder.until(lambda: "(alarm yard)" in source.status.troubles)
            server.do("alarm", name="Hot", active=True)
            await recorder.until(lambda: records(recorder))
            assert "ns=2;s=Nowhere reports no events" in source.status.troubles["(alarm yard)"]


@pytest.mark.slow
async def test_a_lost_message_with_an_alarm_is_a_gap_or_is_there() -> None:
    """A message that is lost on its way, and that this server does not send again: the gap covers the alarms too."""
    recorder = Recorder()
    with asyncua_server(counters=1, period_s=0.1) as server:
        async with supervised(configured(server.url, [tag("C0")], alarms=[HALL]), recorder) as source:
            await recorder.until(lambda: "(alarms)" in source.status.troubles)
            server.do("drop_next")
            server.do("alarm", name="Hot", active=True)
            await recorder.until(lambda: recorder.gaps)
            await recorder.until(lambda: "(alarms)" in source.status.troubles)

    assert [gap.reason for gap in recorder.gaps] == ["sequence_gap"]
    assert recorder.gaps[0].series == ()  # every series of the source


@pytest.mark.slow
async def test_a_server_without_subscriptions_cannot_report_alarms() -> None:
    """Its values are polled, and that alarms cannot come is said."""
    recorder = Recorder()
    with asyncua_server(subscribes=False) as server:
        async with supervised(configured(server.url, [tag("C0")], alarms=[HALL]), recorder) as source:
            await recorder.until(lambda: len(recorder.values("C0")) > 2)
            assert "cannot report alarms" in source.status.troubles["(alarms)"]


def heat(server: Child, value: float) -> None:
    """Set the temperature."""
    server.do("heat", value=value)


@pytest.mark.real("node-opcua")
@pytest.mark.slow
async def test_alarms_of_node_opcua(tmp_path: Path) -> None:
    """What stands already is told at the connection; changes follow; the machine is that of the variable."""
    recorder = Recorder()
    tags = [tag("Temperature", line="line-2")]
    with node_opcua_server(tmp_path) as server:
        heat(server, 90)
        config = configured(server.url, tags, connect_timeout_s=20, alarms=[{"machine": "hall"}])
        async with supervised(config, recorder) as source:
            await recorder.until(lambda: records(recorder, "alarms_retained"), within_s=30)
            assert states(recorder) == [("Hot", "unacknowledged")]
            heat(server, 120)
            await recorder.until(lambda: "HighHigh" in records(recorder)[-1]["message"])
            heat(server, 20)
            await recorder.until(lambda: states(recorder)[-1] == ("Hot", "normal"))
            assert source.status.troubles == {}
    point = recorder.points("alarm")[0]

    assert (point.series.machine, point.series.line) == ("lathe", "line-2")
    assert [one["name"] for one in records(recorder, "alarms_retained")[0]["list"]] == ["Hot"]
    assert recorder.points("alarms_active")[-1].value == 0.0


@pytest.mark.real("node-opcua")
@pytest.mark.slow
async def test_an_alarm_that_went_in_an_outage_ends_with_the_refresh(tmp_path: Path) -> None:
    """The server is killed with an alarm and comes back without: the alarm ends, and the gap says what is not known."""
    recorder = Recorder()
    with node_opcua_server(tmp_path) as server:
        heat(server, 90)
        config = configured(server.url, [tag("C0")], connect_timeout_s=20, alarms=[{"machine": "hall"}])
        async with supervised(config, recorder):
            await recorder.until(lambda: records(recorder), within_s=30)
            server.kill()
            server.start()
            await recorder.until(lambda: len(records(recorder)) == 2, within_s=30)
            await recorder.until(lambda: recorder.gaps)

    assert [one.get("ended") for one in records(recorder)] == [None, "unseen"]
    assert records(recorder, "alarms_retained")[-1]["alarms"] == 0
    assert "came and went in it are not known" in recorder.gaps[0].detail


@pytest.mark.real("node-opcua")
@pytest.mark.slow
async def test_an_alarm_that_went_while_the_agent_was_away_ends(tmp_path: Path) -> None:
    """A second agent knows from the log what the first one said, and ends what the server does not tell again."""
    recorder = Recorder()
    with node_opcua_server(tmp_path) as server:
        heat(server, 90)
        config = configured(server.url, [tag("C0")], connect_timeout_s=20, alarms=[{"machine": "hall"}])
        async with supervised(config, recorder):
            await recorder.until(lambda: records(recorder, "alarms_retained"), within_s=30)
        server.kill()
        server.start()
        async with supervised(config, recorder):
            await recorder.until(lambda: len(records(recorder, "alarms_retained")) == 2, within_s=30)

    assert [one.get("ended") for one in records(recorder)] == [None, "unseen"]
    assert recorder.values("alarms_active")[-1] == 0.0


@pytest.mark.real("node-opcua")
@pytest.mark.slow
async def test_a_cut_costs_no_alarm(tmp_path: Path) -> None:
    """The session goes on: what came meanwhile was kept by the server, and the refresh adds nothing."""
    recorder = Recorder()
    with node_opcua_server(tmp_path) as server:
        async with proxy(server.port) as between:
            config = configured(
                f"opc.tcp://127.0.0.1:{between.port}", [tag("C0")], connect_timeout_s=20, alarms=[{"machine": "hall"}]
            )
            async with supervised(config, recorder):
                await recorder.until(lambda: records(recorder, "alarms_retained"), within_s=30)
                await between.close()
                heat(server, 90)
                heat(server, 20)
                await between.open()
                await recorder.until(lambda: len(records(recorder, "alarms_retained")) == 2, within_s=30)

    assert [one["state"] for one in records(recorder) if "branch" not in one] == ["unacknowledged", "normal"]
    assert recorder.gaps == []


@pytest.mark.real("node-opcua")
@pytest.mark.slow
async def test_a_probe_shows_the_standing_alarms(tmp_path: Path) -> None:
    """`raceway test` lists them, says where there is none, and what is wrong with a notifier."""
    alarms = [{"machine": "hall"}, {"machine": "yard", "node": "ns=2;s=Nowhere"}]
    with node_opcua_server(tmp_path) as server:
        config = configured(server.url, [], connect_timeout_s=20, alarms=alarms)
        calm = await probe(config, plant="p", timeout_s=20)
        heat(server, 90)
        found = await probe(config, plant="p", timeout_s=20)

    assert [(one.tag, one.value, bool(one.trouble)) for one in calm.tags] == [
        ("p/hall/alarm", "no alarm", False),
        ("p/yard/alarm", None, True),
    ]
    assert found.tags[0].value == "unacknowledged: Hot"
