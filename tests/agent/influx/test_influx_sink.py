"""The sink against a fake server: every class of answer, every kind of broken connection."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from agent.backoff import Backoff
from agent.drain import drain
from agent.influx.config import InfluxConfig
from agent.influx.probe import probe
from agent.sink import Retry
from collectors.points import BAD, Point, Series
from tests.agent.influx.worlds import MemoryCursor, Outcome, T, config_for, entries_of, entry, values
from tests.fakes.influx import FakeInflux, Turn, fake_influx

METER = Series("plant", "", "", "meter-1", "power", "kW")


@pytest.fixture
async def fake() -> AsyncIterator[FakeInflux]:
    async with fake_influx() as server:
        yield server


@pytest.fixture
def token_file(tmp_path: Path, fake: FakeInflux) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{fake.token}\n")
    return path


@pytest.fixture
def config(fake: FakeInflux, token_file: Path) -> InfluxConfig:
    return config_for(fake.url, token_file, timeout_s=2)


def held(fake: FakeInflux) -> dict[tuple[str, str, int], float | str]:
    """(machine, signal, ns) to value of everything in the fake."""
    return {(key.series.split("machine=")[1].split(",")[0], key.field, key.t_ns): v for key, v in fake.points.items()}


def put(path: Path, content: bytes | None) -> None:
    """Write a file, or remove it."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


async def test_every_point_arrives(fake: FakeInflux, config: InfluxConfig) -> None:
    """A thousand points of eighty series are delivered, counted, and nothing is dead-lettered."""
    out = Outcome(config)

    state = await out.sink.write(entries_of(10))

    assert values(entries_of(10)) == held(fake)
    assert b"" == state
    assert (1, []) == (out.status.requests, out.dead_letters)
    assert 0 < out.status.bytes_sent < 10_000


UNUSUAL = {
    "captive portal": Turn(200, "<html>Please log in</html>", {"Content-Type": "text/html"}),
    "portal in GBK": Turn(200, "<html>\udcb5\udcc7\udcc2\udcbc</html>", {"Content-Type": "text/html"}),
    "202 accepted": Turn(202),
    "redirect": Turn(302, "", {"Location": "http://portal.invalid/"}),
    "unauthorized": Turn(401, '{"code":"unauthorized","message":"unauthorized access"}'),
    "forbidden": Turn(403, '{"code":"forbidden","message":"insufficient permissions for write"}'),
    "no bucket": Turn(404, '{"code":"not found","message":"bucket \\"telemetry\\" not found"}'),
    "throttled": Turn(429, "", {"Retry-After": "1"}),
    "internal error": Turn(500, '{"code":"internal error","message":"An internal error has occurred"}'),
    "bad gateway": Turn(502, "Bad Gateway"),
    "busy": Turn(503, "", {"Retry-After": "1"}),
    "busy, no hint": Turn(503),
    "applied, then 503": Turn(503, applies=True),
    "applied, then silence": Turn(applies=True, ends="silence"),
    "applied, then reset": Turn(applies=True, ends="reset"),
    "reset in the body": Turn(reset_after_bytes=100),
    "reset before the answer": Turn(503, ends="reset"),
    "silence": Turn(503, ends="silence"),
    "too slow": Turn(delay_s=60.0),
}


@pytest.mark.parametrize("turn", UNUSUAL.values(), ids=UNUSUAL.keys())
async def test_anything_but_204_is_a_retry(fake: FakeInflux, config: InfluxConfig, turn: Turn) -> None:
    """Nothing is committed or dead-lettered; the next try delivers all, and a resend changes no value."""
    fake.script.append(turn)
    out = Outcome(config)

    with pytest.raises(Retry) as caught:
        await out.sink.write(entries_of(5))
    await out.sink.write(entries_of(5))

    assert values(entries_of(5)) == held(fake)
    assert [] == out.dead_letters
    assert not fake.database.rewritten
    assert fake.token not in repr((caught.value.reason, caught.value, vars(out.sink), out.status))


async def test_retry_after_is_honoured(fake: FakeInflux, config: InfluxConfig) -> None:
    """The server's wish reaches the loop that waits."""
    fake.script.append(Turn(503, "", {"Retry-After": "17"}))

    with pytest.raises(Retry) as caught:
        await Outcome(config).sink.write(entries_of(1))

    assert (17.0, "throttled") == (caught.value.after_s, caught.value.blocked)


async def test_a_rotated_token_needs_no_restart(fake: FakeInflux, config: InfluxConfig, token_file: Path) -> None:
    """A wrong token holds everything; the file is read again at the next try."""
    put(token_file, b"revoked")
    out = Outcome(config)

    with pytest.raises(Retry) as caught:
        await out.sink.write(entries_of(1))
    put(token_file, fake.token.encode())
    await out.sink.write(entries_of(1))

    assert "auth" == caught.value.blocked
    assert values(entries_of(1)) == held(fake)


@pytest.mark.parametrize(
    "content", [None, b"", b"two\nlines", "Schlüssel".encode()], ids=["missing", "empty", "lines", "umlaut"]
)
async def test_a_file_without_a_token_holds(config: InfluxConfig, token_file: Path, content: bytes | None) -> None:
    """No file, or one that holds no token, is a hold that names the file and not its content."""
    put(token_file, content)

    with pytest.raises(Retry) as caught:
        await Outcome(config).sink.write(entries_of(1))

    assert "auth" == caught.value.blocked
    assert str(token_file) in caught.value.reason
    assert "two" not in caught.value.reason


@pytest.mark.parametrize(
    ("url", "blocked"),
    [("http://127.0.0.1:9", "refused"), ("http://influx.invalid:8086", "dns")],
    ids=["nothing listens", "no such name"],
)
async def test_no_server(token_file: Path, url: str, blocked: str) -> None:
    """No connection says which address, and what to check."""
    with pytest.raises(Retry) as caught:
        await Outcome(config_for(url, token_file)).sink.write(entries_of(1))

    assert blocked == caught.value.blocked
    assert url in caught.value.reason


async def test_tls_to_a_plain_server(fake: FakeInflux, token_file: Path) -> None:
    """https:// to a server that speaks http:// says so."""
    config = config_for(fake.url.replace("http:", "https:"), token_file, timeout_s=2)

    with pytest.raises(Retry) as caught:
        await Outcome(config).sink.write(entries_of(1))

    assert "tls" == caught.value.blocked


async def test_poison_is_dead_lettered_with_the_servers_words(fake: FakeInflux, config: InfluxConfig) -> None:
    """A type conflict and a value InfluxDB cannot hold: both kept as line protocol, the rest delivered."""
    fake.database.write(b'raceway,machine=other power="on" %d\n' % T)
    fake.points.clear()
    spare = Series("plant", "", "", "meter-1", "spare")
    out = Outcome(config)

    await out.sink.write([entry(1, Point(METER, T, 1.0), Point(spare, T, 2.0), Point(spare, T + 1, math.inf))])

    assert {("meter-1", "spare", T): 2.0} == held(fake)
    assert 2 == out.status.dead_letters
    infinite, conflict = out.dead_letters
    assert "not finite" in infinite.reason
    assert "already exists as str" in conflict.reason
    assert b"raceway,machine=meter-1,plant=plant power=1.0 1795526024000000000\n" == conflict.payload
    assert ("influx", config.url, 1) == (conflict.origin, conflict.where, conflict.points)


async def test_the_memory_of_qualities_is_the_state(fake: FakeInflux, config: InfluxConfig) -> None:
    """A new process that is restored tells the return to Good that the old one did not live to see."""
    first, second = Outcome(config), Outcome(config)

    state = await first.sink.write([entry(1, Point(METER, T, math.nan, BAD))])
    second.sink.restore(state)
    after = await second.sink.write([entry(2, Point(METER, T + 1, 5.0))])

    assert (4, b"") == (len(state), after)
    assert {
        ("meter-1", "power_quality", T): float(BAD),
        ("meter-1", "power", T + 1): 5.0,
        ("meter-1", "power_quality", T + 1): 0.0,
    } == held(fake)


async def test_a_try_that_failed_moves_no_memory(fake: FakeInflux, config: InfluxConfig) -> None:
    """What a failed try said of qualities is said again, byte for byte."""
    fake.keep_bodies = True
    fake.script.extend([Turn(applies=True, ends="reset"), Turn(applies=True, ends="silence")])
    out = Outcome(config)
    entries = [entry(1, Point(METER, T, math.nan, BAD), Point(METER, T + 1, 1.0))]

    for _ in range(2):
        with pytest.raises(Retry):
            await out.sink.write(entries)
    await out.sink.write(entries)

    assert 3 == len(fake.bodies)
    assert 1 == len(set(fake.bodies))


async def test_drained_through_trouble(fake: FakeInflux, config: InfluxConfig) -> None:
    """A script of refusals between the log and the server: in the end everything is there, and the status says so."""
    fake.script.extend([*UNUSUAL.values()][:6])
    cursor, out = MemoryCursor(entries_of(40)), Outcome(config)
    quick = Backoff(first_s=0.001, most_s=0.01)

    with structlog.testing.capture_logs() as events:
        task = asyncio.create_task(drain(cursor, out.sink, out.status, max_points=500, linger_s=0, backoff=quick))
        await cursor.done.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    assert values(entries_of(40)) == held(fake)
    assert ("delivering", 4_000, 6, 0) == (
        out.status.state,
        out.status.points,
        out.status.retries,
        out.status.pending_points,
    )
    assert ["sink.blocked", "sink.delivering"] == [event["event"] for event in events]
    assert fake.token not in repr(events)


async def test_cancelled_at_once_while_the_server_is_silent(fake: FakeInflux, token_file: Path) -> None:
    """Stopping the agent does not wait for a request that hangs."""
    fake.always = Turn(ends="silence")
    out = Outcome(config_for(fake.url, token_file, timeout_s=60))
    task = asyncio.create_task(out.sink.write(entries_of(1)))
    await fake.arrived.wait()

    task.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_probe_of_a_good_server_writes_nothing(fake: FakeInflux, config: InfluxConfig) -> None:
    """The probe is well and leaves no point behind."""
    found = await probe(config, timeout_s=2)

    assert found.is_well
    assert {} == fake.points
    assert fake.token not in repr(found)


async def test_probe_says_what_is_wrong(fake: FakeInflux, token_file: Path) -> None:
    """A bucket that is not there is the probe's result, not an exception."""
    found = await probe(config_for(fake.url, token_file, bucket="other"), timeout_s=2)

    assert "no such bucket" in found.trouble
