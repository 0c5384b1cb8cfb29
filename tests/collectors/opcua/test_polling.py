"""Servers that cannot do everything: no subscriptions, no filters."""

from __future__ import annotations

from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.fakes.chaos import proxy
from tests.servers.opcua import asyncua_server


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
