"""`raceway dlq`: what is listed, sent again and dropped, beside a running agent and without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from click.testing import CliRunner

from agent.cli import main
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import DeadLetter
from tests.fakes.influx import FakeInflux, fake_influx

CONFIG = """
plant: p
data_dir: data
sources:
  - kind: mqtt
    name: meters
    url: "mqtt://127.0.0.1:1"
    mappings:
      - {{topic: "t/{{machine}}", signals: [{{signal: power, path: p, unit: kW}}]}}
sinks:
  - {{kind: influxdb, url: "{url}", org: plant, bucket: telemetry, token_file: token}}
"""
QUICK = StoreConfig(linger_s=0.0, segment_mb=1.0)
LINES = b"raceway,machine=a power=1 1000000000000000000\nraceway,machine=b power=2 1000000000000000000\n"
LETTERS = (
    DeadLetter("influx", 1_000_000_000, "http://somewhere", "field type conflict", LINES, 2),
    DeadLetter("meters", 2_000_000_000, "t/a", "no such field", b'{"x":', 1),
    DeadLetter("influx", 3_000_000_000, "", "a defect in Raceway", b'{"series": []}', 3),
)


async def with_letters(
    folder: Path, work: Callable[[Callable[..., Awaitable[tuple[int, str]]], FakeInflux], Awaitable[None]]
) -> None:
    """A running log that holds the letters, a server, and `raceway dlq` beside them."""
    async with fake_influx() as server, Log.open(QUICK, directory=folder / "data" / "log", plant="p") as log:
        for letter in LETTERS:
            await log.append(letter)
        (folder / "token").write_text(server.token)
        (folder / "token").chmod(0o600)
        (folder / "plant.yaml").write_text(CONFIG.format(url=server.url))

        async def dlq(command: str, *options: str) -> tuple[int, str]:
            arguments = ["dlq", command, str(folder / "plant.yaml"), *options]
            result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
            return result.exit_code, result.output

        await work(dlq, server)


async def test_letters_are_listed_with_number_reason_and_origin(tmp_path: Path) -> None:
    """As a table for people and as JSON lines for scripts."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        _, text = await dlq("list")
        _, lines = await dlq("list", "--json")

        assert ["1", "2", "3"] == [line.split()[0] for line in text.splitlines()[1:]]
        assert "field type conflict" in text
        assert [(1, "influx"), (2, "meters"), (3, "influx")] == [
            (said["id"], said["origin"]) for said in map(json.loads, lines.splitlines())
        ]

    await with_letters(tmp_path, work)


async def test_what_a_sink_refused_is_sent_again_and_then_listed_no_more(tmp_path: Path) -> None:
    """Its lines reach the server, once; a message that could not be read is said to be none of those."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        code, text = await dlq("replay")

        assert (0, True) == (code, "1 letters replayed, 0 refused again" in text), text
        assert "1 letters are messages that a source could not read" in text
        assert [1.0, 2.0] == sorted(float(value) for value in server.points.values())
        assert ["2", "3"] == [line.split()[0] for line in (await dlq("list"))[1].splitlines()[1:]]
        assert 3 == len((await dlq("list", "--all"))[1].splitlines()[1:])
        writes = server.writes
        await dlq("replay")
        assert writes == server.writes

    await with_letters(tmp_path, work)


async def test_what_is_refused_again_stays(tmp_path: Path) -> None:
    """One line of two has a wrong type: the other arrives, the letter stays, with the server's words."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        server.database.write(b'raceway,machine=a power="text" 1\n')
        code, text = await dlq("replay", "--sink", "influx")

        assert (1, True) == (code, "1 refused again" in text), text
        assert 3 == len((await dlq("list"))[1].splitlines()[1:])

    await with_letters(tmp_path, work)


async def test_a_server_that_is_not_ready_stops_the_replay(tmp_path: Path) -> None:
    """Nothing is settled, and it is said what to check."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        (tmp_path / "token").write_text("wrong")
        code, text = await dlq("replay")

        assert (1, True) == (code, "stopped, the rest is untouched" in text), text
        assert 3 == len((await dlq("list"))[1].splitlines()[1:])

    await with_letters(tmp_path, work)


async def test_letters_are_dropped_only_when_it_is_confirmed(tmp_path: Path) -> None:
    """By number, by age, or all; without --yes the number is said."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        code, text = await dlq("drop", "--all")
        assert (1, True) == (code, "3 letters, 6 points; nothing was changed" in text), text
        assert 2 == (await dlq("drop", "--yes"))[0]

        assert "1 letters dropped\n" == (await dlq("drop", "--id", "2", "--yes"))[1]
        assert "2 letters dropped\n" == (await dlq("drop", "--before", "2020-01-01", "--yes"))[1]
        assert "no dead letter\n" == (await dlq("list"))[1]

    await with_letters(tmp_path, work)
