"""`raceway log`: what is kept can be verified, listed and read without the agent."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Batch, DeadLetter, Kind, Point, Series

SPEED = Series("p", "turning", "line-1", "磨床1", "speed", "rpm")
PROGRAM = Series("p", "turning", "line-1", "磨床1", "program", kind=Kind.TEXT)
T_NS = 1_800_000_000_000_000_000


def raceway(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder whose log holds two batches and a dead letter, and a configuration beside it."""
    first = Batch.of("machines", [Point(SPEED, T_NS, 1500.5), Point(PROGRAM, T_NS, "O1234\x1b[2J")], received_ns=T_NS)
    second = Batch.of("machines", [Point(SPEED, T_NS + 10**9, float("nan"), 0x8002_0000)], received_ns=T_NS)
    letter = DeadLetter("meters", T_NS, "plant/a", "not JSON", b"\xffhello", points=1)
    async with Log.open(StoreConfig(linger_s=0), directory=tmp_path / "data" / "log", plant="p") as log:
        for delivery in (first, letter, second):
            await log.append(delivery)
    tmp_path.joinpath("plant.yaml").write_text("plant: p\ndata_dir: data\n")
    return tmp_path / "data"


def test_a_sound_log_verifies(data: Path) -> None:
    """Found by its own folder, by the data folder and by the configuration alike."""
    for path in (data, data / "log", data.parent / "plant.yaml"):
        result = raceway("log", "verify", path)

        assert 0 == result.exit_code
        assert "all as it was written" in result.output
    assert json.loads(raceway("log", "verify", "--json", data).stdout)["ok"]


def test_a_damaged_log_says_where(data: Path) -> None:
    """One flipped byte inside a record is found, named with file and offset, and ends with 1."""
    segment = max((data / "log" / "telemetry").glob("*.seg"), key=lambda path: path.stat().st_size)
    content = bytearray(segment.read_bytes())
    at = content.find(b"O1234")
    at = at if at > 0 else 200
    content[at] ^= 0xFF
    segment.write_bytes(content)

    result = raceway("log", "verify", data)

    assert 1 == result.exit_code
    assert f"telemetry/{segment.name} at byte " in result.output


def test_every_point_can_be_read(data: Path) -> None:
    """One line a point: number, time, who, value, unit, and the quality where it is not Good."""
    lines = raceway("log", "dump", data).output.splitlines()

    assert 3 == len(lines)
    assert lines[0].endswith("turning/line-1/磨床1/speed 1500.5 rpm")
    assert lines[1].endswith("turning/line-1/磨床1/program O1234�[2J")
    assert lines[2].endswith("speed nan rpm 0x80020000")


def test_scripts_read_one_object_a_line(data: Path) -> None:
    """`--json` gives every column; a value that is not there is null."""
    points = [json.loads(line) for line in raceway("log", "dump", "--json", data).stdout.splitlines()]

    assert [1500.5, "O1234\x1b[2J", None] == [point["value"] for point in points]
    assert ("磨床1", "rpm", "gauge", T_NS) == tuple(points[0][key] for key in ("machine", "unit", "kind", "t_ns"))
    assert 1 == len(raceway("log", "dump", "--limit", "1", data).output.splitlines())
    assert 1 == len(raceway("log", "dump", "--from", str(points[2]["seq"]), data).output.splitlines())


def test_dead_letters_can_be_read(data: Path) -> None:
    """What could not be used is shown with its origin, topic, reason and bytes."""
    line = raceway("log", "dump", "--dead-letters", data).output
    letter = json.loads(raceway("log", "dump", "--dead-letters", "--json", data).stdout)

    assert "meters plant/a: not JSON | \\xffhello" in line
    assert ("not JSON", 1) == (letter["reason"], letter["points"])


def test_the_status_of_a_log(data: Path) -> None:
    """Streams and readers, for people and scripts."""
    shown = raceway("log", "status", data).output

    assert all(name in shown for name in ("telemetry", "records", "dlq", "confirmed up to"))
    assert {"telemetry", "records", "dlq"} == set(
        json.loads(raceway("log", "status", "--json", data).stdout)["streams"]
    )


def test_a_folder_without_a_log_is_said(tmp_path: Path) -> None:
    """Nothing to look at is a wrong path, not an empty log."""
    result = raceway("log", "verify", tmp_path)

    assert 2 == result.exit_code
    assert "there is no log" in result.stderr
