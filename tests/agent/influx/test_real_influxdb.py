"""The sink against a real InfluxDB 2.7: what is written is there, what is refused is dead-lettered, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from agent.backoff import Backoff
from agent.drain import drain
from agent.influx.config import InfluxConfig
from agent.influx.probe import probe
from agent.sink import Entry, Retry
from collectors.points import BAD, GOOD, Kind, Point, Series
from collectors.secrets import SecretFile
from tests.agent.influx.worlds import MemoryCursor, Outcome, config_for, entries_of, entry, values
from tests.servers.influxdb import SHORT_BUCKET, RealInfluxDB, real_influxdb

pytestmark = pytest.mark.real("influxd")

NOW = time.time_ns()
METER = Series("plant", "", "", "meter-1", "power", "kW")


@pytest.fixture(scope="module")
def server() -> Iterator[RealInfluxDB]:
    with real_influxdb() as running:
        yield running


@pytest.fixture
def config(server: RealInfluxDB, request: pytest.FixtureRequest) -> InfluxConfig:
    """Each test has a measurement of its own."""
    return config_for(server.url, server.token_file(), measurement=request.node.name, timeout_s=10)


def held(server: RealInfluxDB, config: InfluxConfig, bucket: str = "telemetry") -> dict[tuple[str, str, int], object]:
    return dict(server.points(bucket=bucket, measurement=config.measurement))


async def test_values_and_timestamps_are_equal(server: RealInfluxDB, config: InfluxConfig) -> None:
    """Doubles at the edges of what a double can be, Chinese names and texts with every sign come back equal."""
    order = Series("plant", "车间 1", "a=b,c", 'cnc "1"', "工单", kind=Kind.TEXT)
    numbers = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, -1e21, 2.0**53 + 2, 1e-7]
    texts = ["M-1", "", 'say "\\"', "two\nlines", "\\", "tab\t, comma = equals", "轴承 🙂", "'; DROP"]
    points = [Point(METER, NOW + n, number) for n, number in enumerate(numbers)]
    points += [Point(order, NOW + n, text) for n, text in enumerate(texts)]

    await Outcome(config).sink.write([entry(1, *points)])

    assert {(point.series.machine, point.series.signal, point.t_ns): point.value for point in points} == held(
        server, config
    )


async def test_four_signals_share_a_line_and_a_resend_changes_nothing(
    server: RealInfluxDB, config: InfluxConfig
) -> None:
    """Ten thousand points, sent twice: ten thousand values."""
    entries = entries_of(100, from_ns=NOW)

    for _ in range(2):
        await (out := Outcome(config)).sink.write(entries)

    assert values(entries) == held(server, config)
    assert 1 == out.status.requests


async def test_bad_values_are_only_qualities(server: RealInfluxDB, config: InfluxConfig) -> None:
    """A Bad point has a quality and no value; the first Good one after has quality 0."""
    points = [Point(METER, NOW, 1.0), Point(METER, NOW + 1, math.nan, BAD), Point(METER, NOW + 2, 3.0, GOOD)]

    await Outcome(config).sink.write([entry(1, *points)])

    assert {
        ("meter-1", "power", NOW): 1,
        ("meter-1", "power_quality", NOW + 1): BAD,
        ("meter-1", "power", NOW + 2): 3,
        ("meter-1", "power_quality", NOW + 2): 0,
    } == held(server, config)


async def test_type_conflicts(server: RealInfluxDB, config: InfluxConfig) -> None:
    """Forty points of a signal that was text before: dead-lettered in few requests, their neighbours are there."""
    text = Outcome(config)
    await text.sink.write([entry(1, Point(replace(METER, signal="signal_2", kind=Kind.TEXT), NOW, "was text"))])
    entries = entries_of(2, points=80, machines=20, from_ns=NOW)
    out = Outcome(config)

    await out.sink.write(entries)

    good = {key: value for key, value in values(entries).items() if key[1] != "signal_2"}
    assert {**good, ("meter-1", "signal_2", NOW): "was text"} == held(server, config)
    assert 40 == out.status.dead_letters == sum(letter.points for letter in out.dead_letters)
    assert "already exists as type string" in out.dead_letters[0].reason
    assert 40 == out.dead_letters[0].payload.count(b"signal_2=")
    assert 8 >= out.status.requests


async def test_malformed_lines(server: RealInfluxDB, config: InfluxConfig) -> None:
    """Timestamps that InfluxDB cannot parse are taken out by name; nothing else is dead-lettered."""
    entries = entries_of(1, from_ns=NOW)
    poison = entry(2, Point(METER, -(2**63), 1.0), Point(METER, 2**63 - 1, 2.0), Point(METER, NOW, 3.0))
    out = Outcome(config)

    await out.sink.write([*entries, poison])

    assert {**values(entries), ("meter-1", "power", NOW): 3.0} == held(server, config)
    assert 2 == out.status.requests
    assert ["unable to parse: time outside range -9223372036854775806 - 9223372036854775806"] == [
        letter.reason for letter in out.dead_letters
    ]


async def test_beyond_retention(server: RealInfluxDB, config: InfluxConfig) -> None:
    """Points older than the bucket keeps are dead-lettered, the young ones are there."""
    short = config.model_copy(update={"bucket": SHORT_BUCKET})
    old = [Point(METER, NOW - 7_200 * 10**9 + n, float(n)) for n in range(30)]
    young = [Point(METER, NOW + n, float(n)) for n in range(30)]
    out = Outcome(short)

    await out.sink.write([entry(1, *[point for pair in zip(old, young, strict=True) for point in pair])])

    assert {("meter-1", "power", NOW + n): n for n in range(30)} == held(server, short, SHORT_BUCKET)
    assert 30 == out.status.dead_letters
    assert "retention" in out.dead_letters[0].reason
    assert 4 >= out.status.requests


async def test_a_text_longer_than_the_server_takes(server: RealInfluxDB, config: InfluxConfig) -> None:
    """More than a mebibyte of text is dead-lettered whole; half of it is stored."""
    program = replace(METER, signal="program", kind=Kind.TEXT)
    out = Outcome(config)

    await out.sink.write([entry(1, Point(program, NOW, "x" * 1_048_577), Point(program, NOW + 1, "y" * 500_000))])

    assert {("meter-1", "program", NOW + 1): "y" * 500_000} == held(server, config)
    assert 1 == out.status.dead_letters
    assert "too long" in out.dead_letters[0].reason


REFUSED = {
    "wrong token": ({"token": "nobody"}, "auth"),
    "read-only token": ({"token": "read"}, "auth"),
    "missing bucket": ({"bucket": "nowhere"}, "bucket"),
    "missing organisation": ({"org": "nobody"}, "bucket"),
}


@pytest.mark.parametrize(("change", "blocked"), REFUSED.values(), ids=REFUSED.keys())
async def test_refusals_hold_and_the_probe_says_why(
    server: RealInfluxDB, config: InfluxConfig, change: dict[str, str], blocked: str
) -> None:
    """Nothing is dead-lettered for a wrong token or name, and `raceway test` finds the same words."""
    token = {"read": server.read_token, "": server.write_token}.get(change.get("token", ""), "nobody")
    names = {name: value for name, value in change.items() if name != "token"}
    wrong = config.model_copy(update={"token_file": SecretFile(server.token_file(token)), **names})
    out = Outcome(wrong)

    with pytest.raises(Retry) as caught:
        await out.sink.write(entries_of(1, from_ns=NOW))

    assert (blocked, []) == (caught.value.blocked, out.dead_letters)
    assert caught.value.reason == (await probe(wrong, timeout_s=5)).trouble


async def test_probe_writes_no_point(server: RealInfluxDB, config: InfluxConfig) -> None:
    """A good server is well, tells its version, and holds nothing new."""
    found = await probe(config, timeout_s=5)

    assert found.is_well
    assert found.facts is not None
    assert found.facts["product"].startswith("InfluxDB v2.")
    assert {} == held(server, config)


async def test_a_bucket_deleted_and_made_again(server: RealInfluxDB, config: InfluxConfig) -> None:
    """While the bucket is gone everything is held; once it is back everything is there."""
    server.make_bucket("brief")
    operator = SecretFile(server.token_file(server.operator_token))
    brief = config.model_copy(update={"bucket": "brief", "token_file": operator})
    server.delete_bucket("brief")
    out, entries = Outcome(brief), entries_of(3, from_ns=NOW)

    with pytest.raises(Retry):
        await out.sink.write(entries)
    server.make_bucket("brief")
    await out.sink.write(entries)

    assert values(entries) == held(server, brief, "brief")
    assert [] == out.dead_letters


async def _drained(
    server: RealInfluxDB, config: InfluxConfig, entries: list[Entry], disturb: Callable[[], None]
) -> Outcome:
    """Drain everything while `disturb` runs once in the middle."""
    out, cursor = Outcome(config), MemoryCursor(entries)
    backoff = Backoff(first_s=0.05, most_s=0.3)
    task = asyncio.create_task(drain(cursor, out.sink, out.status, max_points=200, linger_s=0, backoff=backoff))
    await asyncio.wait_for(cursor.started.wait(), 10)
    await asyncio.to_thread(disturb)
    await asyncio.wait_for(cursor.done.wait(), 30)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return out


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
async def test_restarted_while_writing(config: InfluxConfig, server: RealInfluxDB, kill: bool) -> None:
    """A server that ends in the middle and comes back holds every point, and none is dead-lettered."""
    entries = entries_of(200, from_ns=NOW)

    def disturb() -> None:
        server.stop(kill=kill)
        time.sleep(0.3)
        server.start()

    out = await _drained(server, config, entries, disturb)

    assert values(entries) == held(server, config)
    assert [] == out.dead_letters
    assert out.status.retries > 0


async def test_frozen_while_writing(config: InfluxConfig, server: RealInfluxDB) -> None:
    """A server that hangs is a time-out; it writes what it had when it wakes, and the resend changes nothing."""
    impatient = config.model_copy(update={"timeout_s": 0.4})
    entries = entries_of(200, from_ns=NOW)

    def disturb() -> None:
        with server.frozen():
            time.sleep(1.5)

    out = await _drained(server, impatient, entries, disturb)

    assert values(entries) == held(server, impatient)
    assert ([], 20_000) == (out.dead_letters, out.status.points)
