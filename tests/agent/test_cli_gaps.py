"""`raceway gaps`: every hole is listed with its cause and with what came back of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Gap, Series

T_NS = 1_800_000_000_000_000_000
S_NS = 1_000_000_000
SERIES = tuple(Series("p", "", "line-1", "磨床1", name) for name in ("speed", "power", "state"))


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder whose log knows of two holes."""
    recovered = Gap("machines", T_NS, T_NS + 90 * S_NS, "link_lost", detail="12 points recovered")
    lost = Gap("machines", T_NS + 100 * S_NS, T_NS + 101 * S_NS, "queue_overflow", points=7, series=SERIES)
    async with Log.open(StoreConfig(linger_s=0), directory=tmp_path / "log", plant="p") as log:
        await log.append(lost)
        await log.append(recovered)
    return tmp_path


def test_gaps_are_listed_oldest_first(data: Path) -> None:
    """With cause, length, series and what is known of them; the reasons are counted."""
    result = CliRunner().invoke(main, ["gaps", str(data)])
    _, first, second, *_ = result.output.splitlines()

    assert 0 == result.exit_code
    assert [part in first for part in ("machines", "90 s", "link lost", "all", "12 points recovered")] == [True] * 5
    assert [part in second for part in ("1.0 s", "queue overflow", "line-1/磨床1/speed", "and 1 more", "7")] == [
        True
    ] * 5
    assert "2 gaps: 1 link_lost, 1 queue_overflow" in result.output


async def test_a_hole_that_was_said_twice_is_listed_once(tmp_path: Path) -> None:
    """A long recovery says its hole again at the end: what is known last counts."""
    ends = (T_NS, T_NS + 90 * S_NS)
    async with Log.open(StoreConfig(linger_s=0), directory=tmp_path / "log", plant="p") as log:
        await log.append(Gap("machines", *ends, "agent_down", detail="its recovery goes on", recovered=0))
        await log.append(Gap("machines", *ends, "agent_down", detail="12 points recovered", recovered=12))
    (line,) = CliRunner().invoke(main, ["gaps", "--json", str(tmp_path)]).stdout.splitlines()

    assert (12, "12 points recovered") == (json.loads(line)["recovered"], json.loads(line)["detail"])


def test_gaps_as_json(data: Path) -> None:
    """One object a line, with times in nanoseconds and the whole names of the series."""
    lines = [json.loads(line) for line in CliRunner().invoke(main, ["gaps", "--json", str(data)]).stdout.splitlines()]

    assert [(one["reason"], one["from_ns"], one["points"]) for one in lines] == [
        ("link_lost", T_NS, None),
        ("queue_overflow", T_NS + 100 * S_NS, 7),
    ]
    assert lines[1]["series"] == [str(one) for one in SERIES]


def test_a_log_without_gaps_says_so(tmp_path: Path) -> None:
    """An empty list is an answer; a folder without a log is not."""
    assert 2 == CliRunner().invoke(main, ["gaps", str(tmp_path)]).exit_code
