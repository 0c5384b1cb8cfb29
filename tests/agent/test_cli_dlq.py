"""`raceway dlq`: what is listed, sent again and dropped, beside a running agent and without one."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.commands import dlq as replaying
from agent.influx.client import Client
from agent.influx.config import InfluxConfig
from agent.store.config import StoreConfig
from agent.store.dead_letters import Letter, settle, unhandled
from agent.store.log import Log
from collectors.points import Batch, DeadLetter, Kind, Point, Series
from tests.accounts import NOBODY
from tests.fakes.influx import FakeInflux, Turn, fake_influx

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


FIGURE = Series("p", "", "", "m1", "electricity_day", "kWh", Kind.WINDOW)


async def with_letters(
    folder: Path,
    work: Callable[[Callable[..., Awaitable[tuple[int, str]]], FakeInflux], Awaitable[None]],
    letters: Sequence[Batch | DeadLetter] = LETTERS,
) -> None:
    """A running log that holds the letters, a server, and `raceway dlq` beside them."""
    async with fake_influx() as server, Log.open(QUICK, directory=folder / "data" / "log", plant="p") as log:
        for letter in letters:
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


def test_a_letter_is_divided_between_lines_and_not_within_a_text() -> None:
    """A text of a machine may have line ends; half of it would be a line that nobody wrote."""
    lines = [b'raceway,machine=a note="one\nraceway,machine=b power=9 1\n \\"two\\"" 1\n', b"raceway power=1 2\n"]

    assert lines == replaying.lines_of(b"".join(lines))


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


def refused(payload: bytes) -> DeadLetter:
    """A letter of the sink."""
    return DeadLetter("influx", 1_000_000_000, "http://somewhere", "refused", payload, 1)


async def test_a_number_that_no_unsettled_letter_has_is_an_error(tmp_path: Path) -> None:
    """The letters that are there are dealt with all the same."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        assert (1, True) == found(await dlq("replay", "--id", "999", "--id", "1"), "no unsettled letter 999")
        assert 1 == server.writes
        assert (1, True) == found(await dlq("replay", "--id", "1"), "no unsettled letter 1")
        assert (1, True) == found(await dlq("drop", "--id", "999", "--id", "2", "--yes"), "1 letters dropped")
        assert (1, True) == found(await dlq("drop", "--id", "999", "--yes"), "no unsettled letter 999")

    await with_letters(tmp_path, work)


def found(said: tuple[int, str], text: str) -> tuple[int, bool]:
    """The exit code, and whether the words were among those said."""
    return said[0], text in said[1]


async def test_a_letter_that_the_server_fails_on_does_not_block_the_next(tmp_path: Path) -> None:
    """A plain 500 keeps that letter and no other; the JSON has the same keys whatever happened."""
    letters = [refused(b"raceway,machine=a power=%d %d\n" % (number, number)) for number in range(3)]

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        server.script.append(Turn(500, "a defect"))
        code, text = await dlq("replay", "--json")
        said = json.loads(text.splitlines()[-1])

        assert (1, 2, 1) == (code, said["replayed"], said["kept"])
        assert "letter 1 is kept, the server failed: a defect" in text
        again = json.loads((await dlq("replay", "--json"))[1])
        assert (1, 0, said.keys()) == (again["replayed"], again["kept"], again.keys())

    await with_letters(tmp_path, work, letters)


async def test_a_server_that_asks_to_wait_stops_the_replay_after_what_it_took(tmp_path: Path) -> None:
    """What was delivered before is settled."""
    letters = [refused(b"raceway,machine=a power=%d %d\n" % (number, number)) for number in range(3)]

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        server.script.extend([Turn(), Turn(503)])

        assert (1, True) == found(await dlq("replay"), "1 letters replayed")
        assert 2 == server.writes
        assert [2, 3] == [each.seq for each in unhandled(tmp_path / "data" / "log")]

    await with_letters(tmp_path, work, letters)


async def test_letters_are_settled_in_blocks_over_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not each for itself: that takes two syncs, and a greeting of the server."""
    letters = [refused(b"raceway,machine=a power=%d %d\n" % (number, number)) for number in range(5)]
    blocks: list[int] = []
    clients: list[Client] = []

    def counted(directory: Path, some: Sequence[Letter]) -> None:
        blocks.append(len(some))
        settle(directory, some)

    def connected(config: InfluxConfig) -> Client:
        clients.append(Client(config))
        return clients[-1]

    monkeypatch.setattr(replaying, "settle", counted)
    monkeypatch.setattr(replaying, "Client", connected)
    monkeypatch.setattr(replaying, "_BLOCK_LETTERS", 2)
    monkeypatch.setattr(replaying, "_BLOCK_S", float("inf"))

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        assert (0, True) == found(await dlq("replay"), "5 letters replayed")
        assert ([2, 2, 1], 1) == (blocks, len(clients))
        assert [] == list(unhandled(tmp_path / "data" / "log"))

    await with_letters(tmp_path, work, letters)


@pytest.mark.parametrize("field", ["electricity_day=1", "electricity_day_quality=0", "power=1,electricity_day=1"])
async def test_a_figure_that_may_have_been_corrected_is_not_sent(tmp_path: Path, field: str) -> None:
    """The newer one stands in the database; a measured value beside it is sent."""
    known: Batch | DeadLetter = Batch.of("carbon", [Point(FIGURE, 1, 2.0)], received_ns=1)
    letters = [known, refused(b"raceway,machine=m1,plant=p %b 1\n" % field.encode()), refused(LINES)]

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        code, text = await dlq("replay")

        assert (0, True) == (code, "letter 1 is not sent: it holds the figure electricity_day" in text), text
        assert (1, 2) == (server.writes, len(server.points))
        assert [1] == [each.seq for each in unhandled(tmp_path / "data" / "log")]

    await with_letters(tmp_path, work, letters)


async def test_files_that_root_writes_belong_to_the_agent(tmp_path: Path) -> None:
    """The lock too, or the agent's own account could settle nothing any more."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        log = tmp_path / "data" / "log"
        owner = NOBODY if os.geteuid() == 0 else os.geteuid()
        os.chown(log, owner, -1)
        await dlq("drop", "--id", "1", "--yes")

        assert {owner} == {(log / name).stat().st_uid for name in ("dlq.lock", "dlq.handled")}

    await with_letters(tmp_path, work)


async def test_a_lock_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """The file whose rights are wrong, not another one."""

    async def work(dlq: Callable[..., Awaitable[tuple[int, str]]], server: FakeInflux) -> None:
        (tmp_path / "data" / "log" / "dlq.lock").mkdir()

        assert (1, True) == found(await dlq("drop", "--all", "--yes"), "dlq.lock cannot be written")
        assert (1, True) == found(await dlq("replay"), "dlq.lock cannot be written")

    await with_letters(tmp_path, work)
