"""What happens to servers and networks, done to asyncua's own server in a child process."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from collectors.opcua.config import OpcUaConfig
from collectors.opcua.source import OpcUaSource
from collectors.points import OVERFLOW, Batch
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.fakes.chaos import proxy
from tests.servers.opcua import URI, asyncua_server

BACK_WITHIN_S = 5.0


def newest(recorder: Recorder) -> float:
    """The newest value of the counter."""
    return max((value for value in recorder.values("C0") if isinstance(value, float)), default=-1.0)


def whole(recorder: Recorder) -> set[float]:
    """Every value of the counter from its first one to its newest."""
    values = [float(value) for value in recorder.values("C0")]
    return set(np.arange(min(values), max(values) + 1))


async def flows(recorder: Recorder, *, within_s: float = 10.0) -> float:
    """Wait for a new value; how long it took."""
    start = len(recorder.values("C0"))
    return await recorder.until(lambda: len(recorder.values("C0")) > start, within_s=within_s)


async def test_every_value_arrives_once_and_in_order() -> None:
    """A counter arrives without a hole, and its time is the source's."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0"), tag("C1")]), recorder) as source:
            await recorder.until(lambda: len(recorder.values("C0")) >= 20)
            assert source.status.state == "connected"
    values = recorder.values("C0")

    assert values == list(np.arange(values[0], values[0] + len(values)))
    assert {point.clock for point in recorder.points("C0")} == {0}
    assert recorder.gaps == []


async def test_the_series_table_is_one_object() -> None:
    """Every batch carries the same tuple of series, also after a new connection: caches are keyed by it."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with proxy(server.port) as between:
            url = f"opc.tcp://127.0.0.1:{between.port}"
            async with supervised(configured(url, [tag("C0"), tag("C1")]), recorder):
                await flows(recorder)
                between.cut()
                await recorder.until(lambda: between.connections == 2)
                await flows(recorder)

    assert len({id(batch.series) for batch in recorder.batches}) == 1


@pytest.mark.parametrize("cuts", [1, 3])
async def test_a_cut_costs_no_value_while_the_session_survives(cuts: int) -> None:
    """The session and its subscription go on over a new connection; what was on its way is fetched again."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("C0")])
            async with supervised(config, recorder) as source:
                for number in range(cuts):
                    await flows(recorder)
                    between.cut()
                    await recorder.until(lambda number=number: between.connections == number + 2)  # type: ignore[misc]
                took_s = await flows(recorder)
                assert server.do("sessions") == 1
                assert source.status.gaps == 0
        assert server.do("sessions") == 0

    assert took_s < BACK_WITHIN_S
    assert set(recorder.values("C0")) == whole(recorder)
    assert recorder.gaps == []


async def test_messages_into_a_dead_connection_are_fetched_again() -> None:
    """What the server sent while nothing got through is only in its retransmission queue, and is asked for."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("C0")])
            async with supervised(config, recorder):
                await flows(recorder)
                between.swallow()
                await asyncio.sleep(0.5)
                between.cut()
                between.flow()
                await recorder.until(lambda: between.connections == 2)
                await recorder.until(lambda: len(recorder.values("C0")) > 15)

    assert set(recorder.values("C0")) == whole(recorder)
    assert recorder.gaps == []


async def test_a_session_that_the_server_forgot_is_made_anew() -> None:
    """Without its session the subscription is created again, and the hole is recorded."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("C0")])
            async with supervised(config, recorder) as source:
                await flows(recorder)
                await between.close()
                server.do("end_sessions")
                await between.open()
                took_s = await recorder.until(lambda: recorder.gaps)
                await flows(recorder)
                assert source.status.gaps == 1
                assert server.do("sessions") == 1
    (gap,) = recorder.gaps
    before = recorder.deliveries[recorder.deliveries.index(gap) - 1]

    assert took_s < BACK_WITHIN_S
    assert gap.reason == "link_lost"
    assert isinstance(before, Batch)
    assert before.received_ns <= gap.from_ns < gap.to_ns <= recorder.batches[-1].received_ns


async def test_after_a_short_freeze_nothing_is_lost() -> None:
    """A server that stands still for less than three keep-alives goes on where it was."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")]), recorder):
            await flows(recorder)
            server.freeze()
            await asyncio.sleep(1.5)
            server.thaw()
            took_s = await flows(recorder)
    values = recorder.values("C0")

    assert took_s < BACK_WITHIN_S
    assert values == list(np.arange(values[0], values[0] + len(values)))
    assert recorder.gaps == []


async def test_after_a_long_freeze_the_session_goes_on() -> None:
    """Silence on an open connection ends it after three keep-alives; after the return nothing is missing."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")]), recorder) as source:
            await flows(recorder)
            server.freeze()
            lost_s = await recorder.until(lambda: source.status.state == "lost")
            assert "said nothing" in source.status.reason
            await asyncio.sleep(2)
            server.thaw()
            took_s = await flows(recorder)
            assert server.do("sessions") == 1

    assert lost_s < 5  # three keep-alives of one second, looked at twice in each
    assert took_s < BACK_WITHIN_S
    assert set(recorder.values("C0")) == whole(recorder)
    assert recorder.gaps == []


async def test_a_session_that_was_ended_without_a_word_is_asked_for() -> None:
    """A keep-alive that does not come is followed by a question, and its answer says that the session is gone."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")], keep_alive_s=2), recorder) as source:
            await flows(recorder)
            server.do("end_sessions")
            await recorder.until(lambda: source.status.state == "lost")
            reason = source.status.reason
            await recorder.until(lambda: recorder.gaps)

    assert "Session" in reason


async def test_a_half_open_connection_is_given_up() -> None:
    """Bytes that vanish on the way are noticed like a frozen server; the queues bridge it."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("C0")])
            async with supervised(config, recorder) as source:
                await flows(recorder)
                between.swallow()
                await recorder.until(lambda: source.status.state == "lost")
                between.cut()
                between.flow()
                assert await flows(recorder) < BACK_WITHIN_S
                await recorder.until(lambda: source.status.state == "connected")

    assert set(recorder.values("C0")) == whole(recorder)
    assert recorder.gaps == []


async def test_a_restarted_server_is_recognised() -> None:
    """Kill and restart: data flows again, and the hole says that it was a restart."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")]), recorder):
            await flows(recorder)
            killed_ns = time.time_ns()
            server.kill()
            await asyncio.sleep(1)
            server.start()
            took_s = await recorder.until(lambda: recorder.gaps)

    (gap,) = recorder.gaps
    before = recorder.deliveries[recorder.deliveries.index(gap) - 1]

    assert took_s < BACK_WITHIN_S
    assert gap.reason == "server_restarted"
    assert before.received_ns <= gap.from_ns < killed_ns < gap.to_ns


async def test_namespaces_in_another_order_give_the_same_machine() -> None:
    """After a restart with swapped namespace indexes the URI still leads to the right node."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")]), recorder):
            await flows(recorder)
            server.kill()
            server.start(swapped=True)
            await recorder.until(lambda: recorder.gaps)
            await recorder.until(lambda: newest(recorder) > 0)

    assert -1.0 not in recorder.values("C0")  # what the other namespace's C0 says


async def test_a_lost_message_becomes_a_gap() -> None:
    """A sequence number that never comes is a hole, also when nothing but a keep-alive shows it."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")]), recorder):
            await flows(recorder)
            server.do("drop_next")
            await recorder.until(lambda: recorder.gaps)

    assert [gap.reason for gap in recorder.gaps] == ["sequence_gap"]


async def test_a_missing_node_is_told_and_taken_up_when_it_appears() -> None:
    """One wrong tag costs only itself; it runs as soon as the server has it, and runs again after it was away."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0"), tag("Late")]), recorder) as source:
            await recorder.until(lambda: source.status.troubles)
            await flows(recorder)
            told = dict(source.status.troubles)
            server.do("add", name="Late", value=1.0)
            await recorder.until(lambda: 1.0 in recorder.values("Late"))
            await recorder.until(lambda: not source.status.troubles)

    (text,) = told.values()
    assert list(told) == ["plant/lathe/Late"]
    assert "the server has no such node" in text
    assert recorder.gaps == []


async def test_an_item_that_was_created_and_then_is_unknown_is_retried() -> None:
    """Some servers accept any node id and say BadNodeIdUnknown as its first value: told, kept as Bad, tried again."""
    recorder = Recorder()
    unknown = 0x8034_0000
    with asyncua_server() as server:
        server.do("add", name="Late", value=1.0)
        server.do("write", name="Late", value=0.0, status=unknown)
        async with supervised(configured(server.url, [tag("C0"), tag("Late")]), recorder) as source:
            await recorder.until(lambda: "plant/lathe/Late" in source.status.troubles)
            server.do("write", name="Late", value=2.0)
            await recorder.until(lambda: 2.0 in recorder.values("Late"))
            await recorder.until(lambda: not source.status.troubles)
    first = recorder.points("Late")[0]

    assert first.quality == unknown
    assert isinstance(first.value, float)
    assert np.isnan(first.value)


async def test_an_unknown_namespace_is_told() -> None:
    """A namespace that the server does not have is named, with those that it has."""
    recorder = Recorder()
    wrong = tag("C1", "nsu=http://nobody.example/;s=C1")
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0"), wrong]), recorder) as source:
            await recorder.until(lambda: source.status.troubles)
            await flows(recorder)
            (text,) = source.status.troubles.values()

    assert "no namespace http://nobody.example/" in text
    assert URI in text


@pytest.mark.slow
async def test_the_first_values_do_not_wait_for_the_last_item() -> None:
    """Where nothing can be missing yet, values are handed over while other items are still being created."""
    recorder = Recorder()
    tags = [tag(f"C{number}") for number in range(1500)]
    with asyncua_server(counters=1500, period_s=3600, per_call=1) as server:
        async with supervised(configured(server.url, tags), recorder) as source:
            await recorder.until(lambda: recorder.batches)
            created = sum(source._items.running())
            await recorder.until(lambda: len(seen(recorder)) == 1500, within_s=50)

    assert created < 1500
    assert recorder.gaps == []


async def test_a_limit_per_call_is_kept() -> None:
    """A server that takes 7 items and reads 3 nodes in one call is asked in chunks; every tag gets its first value."""
    recorder = Recorder()
    tags = [tag(f"C{number}") for number in range(40)]
    with asyncua_server(counters=40, per_call=7, per_read=3) as server:
        async with supervised(configured(server.url, tags), recorder):
            await recorder.until(lambda: {f"C{n}" for n in range(40)} <= seen(recorder))


async def test_a_limit_that_is_not_told_is_learnt() -> None:
    """BadTooManyOperations halves the call until the server takes it."""
    recorder = Recorder()
    tags = [tag(f"C{number}") for number in range(40)]
    with asyncua_server(counters=40, per_call=7, tells_limits=False) as server:
        async with supervised(configured(server.url, tags), recorder):
            await recorder.until(lambda: {f"C{n}" for n in range(40)} <= seen(recorder))


def seen(recorder: Recorder) -> set[str]:
    """The signals that have at least one value."""
    return {batch.series[which].signal for batch in recorder.batches for which in batch.which.tolist()}


@pytest.mark.slow
async def test_three_thousand_items_all_get_their_first_value() -> None:
    """No first value is lost in a queue that is too short for the first message."""
    recorder = Recorder()
    tags = [tag(f"C{number}") for number in range(3000)]
    with asyncua_server(counters=3000, period_s=3600) as server:
        async with supervised(configured(server.url, tags, publishing_ms=500), recorder):
            await recorder.until(lambda: sum(map(len, recorder.batches)) >= 3000, within_s=30)

    assert seen(recorder) == {f"C{number}" for number in range(3000)}


async def test_a_revised_keep_alive_does_not_end_the_connection() -> None:
    """Silence is judged by what the server promised, not by what was asked."""
    recorder = Recorder()
    with asyncua_server(counters=1, period_s=3600, keep_alive=40) as server:
        config = configured(server.url, [tag("C0")], keep_alive_s=0.5)
        async with supervised(config, recorder) as source:
            await flows(recorder)
            await asyncio.sleep(3)
            assert source.status.state == "connected"
    assert recorder.gaps == []


async def test_nothing_is_acknowledged_before_it_is_durable() -> None:
    """While the log does not answer, the server keeps every message; once it answers, all are let go."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0")]), recorder):
            await flows(recorder)
            recorder.answers.clear()
            asked = recorder.asked
            await recorder.until(lambda: recorder.asked >= asked + 5)
            held = server.do("unacknowledged")
            recorder.answers.set()
            await flows(recorder)
            await recorder.until(lambda: server.do("unacknowledged") <= 3)

    assert held >= 5
    assert recorder.gaps == []


async def test_a_log_that_never_answers_parks_the_source() -> None:
    """A full disk for longer than every patience: no more is asked for, nothing acknowledged, the session lives on."""
    recorder = Recorder()
    with asyncua_server() as server:
        config = configured(server.url, [tag("C0", queue_size=1000)])
        async with supervised(config, recorder) as source:
            await flows(recorder)
            recorder.answers.clear()
            asked = recorder.asked
            await asyncio.sleep(5)
            begun = recorder.asked - asked
            assert source.status.state == "connected"
            recorder.answers.set()
            await recorder.until(lambda: len(recorder.values("C0")) > 60)
    values = recorder.values("C0")

    assert begun <= 10
    assert values == list(np.arange(values[0], values[0] + len(values)))
    assert recorder.gaps == []


async def test_a_queue_that_was_too_small_is_a_gap() -> None:
    """The overflow bit of the server becomes a hole that names the series; the value itself is kept, and is Good."""
    recorder = Recorder()
    with asyncua_server() as server:
        async with supervised(configured(server.url, [tag("C0"), tag("C1")]), recorder):
            await flows(recorder)
            server.do("write", name="C1", value=7.0, status=OVERFLOW)
            await recorder.until(lambda: recorder.gaps)
    (gap,) = recorder.gaps

    assert gap.reason == "queue_overflow"
    assert [series.signal for series in gap.series] == ["C1"]
    assert (7.0, OVERFLOW) in [(point.value, point.quality) for point in recorder.points("C1")]


async def test_the_hole_of_a_cut_is_filled_from_the_history() -> None:
    """A cut that outlasts the server's queue costs no value either, where the server keeps a history."""
    recorder = Recorder()
    with asyncua_server(historizing=True) as server:
        async with proxy(server.port) as between:
            tags = [tag("C0", queue_size=2), tag("C1")]
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", tags)
            async with supervised(config, recorder):
                await flows(recorder)
                await between.close()
                await asyncio.sleep(2)
                await between.open()
                await recorder.until(lambda: recorder.gaps)
                await flows(recorder)
    (gap,) = recorder.gaps
    values = sorted(set(recorder.values("C0")))

    assert values == list(np.arange(values[0], values[0] + len(values)))
    assert "points recovered from the server's history" in gap.detail
    assert [series.signal for series in gap.series] == ["C0"]


async def test_a_killed_agent_reads_what_it_missed() -> None:
    """A new agent with the old log fills its own absence before anything newer is kept, and says the hole."""
    recorder = Recorder()
    with asyncua_server(historizing=True) as server:
        config = configured(server.url, [tag("C0"), tag("C1")])
        async with supervised(config, recorder):
            await flows(recorder)
        ended = len(recorder.deliveries)
        await asyncio.sleep(2)
        async with supervised(config, recorder):
            await recorder.until(lambda: recorder.gaps)
            await flows(recorder)
    (gap,) = recorder.gaps
    values = sorted(set(recorder.values("C0")))
    newer = [one for one in recorder.deliveries[ended : recorder.deliveries.index(gap)] if isinstance(one, Batch)]

    assert gap.reason == "agent_down"
    assert values == list(np.arange(values[0], values[0] + len(values)))
    assert sum(map(len, newer)) == int(gap.detail.split()[0]) > 20


async def test_another_address_is_taken_when_one_is_away() -> None:
    """The twin's values come while the first server is dead, and the first one's again when the twin is."""
    recorder = Recorder()
    with asyncua_server() as first, asyncua_server() as twin:
        async with supervised(configured(first.url, [tag("C0")], failover=[twin.url]), recorder) as source:
            await flows(recorder)
            assert source.status.address == first.url
            first.kill()
            await recorder.until(lambda: recorder.gaps)
            await flows(recorder)
            assert source.status.address == twin.url
            first.start()
            twin.kill()
            await recorder.until(lambda: len(recorder.gaps) == 2)
            assert source.status.address == first.url
        twin.start()

    assert [gap.reason for gap in recorder.gaps] == ["link_lost", "link_lost"]


async def test_a_server_that_is_not_there_is_said_in_words() -> None:
    """A refused connection says what to check."""
    config: OpcUaConfig = configured("opc.tcp://127.0.0.1:1", [tag("C0")])
    source = OpcUaSource(config, plant="plant", last_time=lambda _: 0)
    with pytest.raises(Exception, match="nothing listens there; check the port") as lost:
        await source.run(Recorder().deliver)

    assert "ConnectionRefusedError" in str(lost.value)
