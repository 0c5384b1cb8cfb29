"""Servers that cannot do everything: no subscriptions, no filters."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from asyncua import ua

from collectors.opcua.polling import is_news
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.fakes.chaos import proxy
from tests.servers.opcua import asyncua_server


def reading(value: Any, *, status: int = 0, hour: int = 0) -> ua.DataValue:
    """A value as it was read."""
    moment = datetime(2026, 6, 1, hour, tzinfo=UTC)
    return ua.DataValue(ua.Variant(value), ua.StatusCode(cast(Any, status)), SourceTimestamp=moment)


NAN = math.nan


@pytest.mark.parametrize(
    ("before", "now", "deadband", "news"),
    [
        pytest.param(None, reading(1.0), 0, True, id="the first one"),
        pytest.param(reading(1.0), reading(2.0), 0, True, id="another value"),
        pytest.param(reading(1.0), reading(1.0, hour=1), 0, False, id="only another time"),
        pytest.param(reading(1.0), reading(1.0, status=0x4000_0000), 0, True, id="another status"),
        pytest.param(reading(NAN), reading(float("nan")), 0, False, id="no number twice"),
        pytest.param(reading(1.0), reading(NAN), 5, True, id="no number any more"),
        pytest.param(reading(1.0), reading(math.inf), 5, True, id="infinity"),
        pytest.param(reading([1.0, NAN]), reading([1.0, float("nan")]), 0, False, id="no number in an array"),
        pytest.param(reading([1.0, 2.0]), reading([1.0, 3.0]), 0, True, id="another array"),
        pytest.param(reading("a"), reading("b"), 0, True, id="another text"),
        pytest.param(reading(10), reading(15), 5, False, id="within the deadband"),
        pytest.param(reading(10), reading(16), 5, True, id="beyond the deadband"),
        pytest.param(reading(True), reading(False), 0, True, id="a bit"),
    ],
)
def test_a_reading_is_news_where_a_subscription_would_bring_it(
    before: ua.DataValue | None, now: ua.DataValue, deadband: float, news: bool
) -> None:
    """Its value or its status changed; that it is no number twice is no change."""
    assert is_news(before, now, deadband=deadband) is news


async def test_the_gap_of_a_polled_server_begins_with_the_last_reading() -> None:
    """Nothing has changed for a second, and all of that second was read: the hole is no longer than the cut."""
    recorder = Recorder()
    with asyncua_server(counters=0, subscribes=False, values={"Still": ["Double", 7.0]}) as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("Still")])
            async with supervised(config, recorder):
                await recorder.until(lambda: recorder.values("Still"))
                await asyncio.sleep(1)
                between.cut()
                await recorder.until(lambda: recorder.gaps)

    assert recorder.gaps[0].from_ns - recorder.batches[0].received_ns > 500_000_000


async def test_a_server_without_subscriptions_is_read_again_and_again() -> None:
    """In chunks of what it takes; what does not change is handed over once, a missing node costs only itself."""
    recorder = Recorder()
    names = [f"C{number}" for number in range(40)]
    tags = [tag(name) for name in [*names, "Still", "Late"]]
    values = {"Still": ["Double", 7.0]}
    with asyncua_server(counters=40, per_read=10, subscribes=False, values=values) as server:
        async with supervised(configured(server.url, tags), recorder) as source:
            await recorder.until(lambda: len(recorder.values("C39")) >= 10, within_s=20)
            troubles = dict(source.status.troubles)
            server.do("add", name="Late", value=1.0)
            await recorder.until(lambda: 1.0 in recorder.values("Late"), within_s=20)

    assert recorder.values("C0") == sorted(set(recorder.values("C0")))
    assert recorder.values("Still") == [7.0]
    assert "read every 100 ms" in troubles["(polling)"]
    assert "the server has no such node" in troubles["plant/lathe/Late"]
    assert recorder.gaps == []


async def test_a_cut_of_a_polled_server_is_a_gap() -> None:
    """Nobody keeps values for us meanwhile; afterwards the reading goes on."""
    recorder = Recorder()
    with asyncua_server(subscribes=False) as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("C0")])
            async with supervised(config, recorder):
                await recorder.until(lambda: len(recorder.values("C0")) >= 5)
                between.cut()
                await recorder.until(lambda: recorder.gaps)
                seen = len(recorder.values("C0"))
                await recorder.until(lambda: len(recorder.values("C0")) >= seen + 3)

    assert [gap.reason for gap in recorder.gaps] == ["link_lost"]


async def test_a_filter_is_tried_once() -> None:
    """A server that refuses deadbands is not asked for them again after a new session."""
    recorder = Recorder()
    with asyncua_server(filters=False) as server:
        async with supervised(configured(server.url, [tag("C0", deadband=5), tag("C1")]), recorder) as source:
            await recorder.until(lambda: len(recorder.values("C0")) >= 5)
            server.do("end_sessions")
            await recorder.until(lambda: recorder.gaps, within_s=20)
            seen = len(recorder.values("C0"))
            await recorder.until(lambda: len(recorder.values("C0")) > seen)
            tried = server.do("filters_tried")
            troubles = dict(source.status.troubles)

    assert tried == 1
    assert "every change comes" in troubles["(deadband)"]
