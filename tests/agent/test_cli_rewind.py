"""`raceway log rewind`: what it prints, and when it refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.store.config import StoreConfig
from agent.store.log import Log
from tests.agent.store.test_lanes import produce, take

CONFIG = """
plant: p
data_dir: data
sinks:
  - {kind: influxdb, url: "http://127.0.0.1:8086", org: o, bucket: b, token_file: token}
"""
QUICK = StoreConfig(linger_s=0.0, segment_mb=1.0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An agent that has delivered three points."""

    async def deliver() -> None:
        async with Log.open(QUICK, directory=tmp_path / "data" / "log", plant="p") as log:
            await produce(log, 1, 3)
            await take(log.lanes("influx").oldest, 10)

    asyncio.run(deliver())
    path = tmp_path / "plant.yaml"
    path.write_text(CONFIG)
    (tmp_path / "token").write_text("t")
    return path


def rewound(config: Path, *options: str) -> tuple[int, str]:
    """Exit code and everything that was printed."""
    result = CliRunner().invoke(main, ["log", "rewind", str(config), *options])
    return result.exit_code, result.output


def test_what_will_be_sent_again(config: Path) -> None:
    """The number of points, and when."""
    code, text = rewound(config, "--sink", "influx", "--to", "2020-01-01")

    assert (0, True) == (code, "about 3 points again" in text), text


def test_a_sink_that_is_not_configured(config: Path) -> None:
    """The names there are."""
    code, text = rewound(config, "--sink", "other", "--to", "2020-01-01")

    assert (2, True) == (code, "it has: influx" in text), text


def test_nothing_since_then(config: Path) -> None:
    """A time in the future changes nothing."""
    code, text = rewound(config, "--sink", "influx", "--to", "2100-01-01")

    assert (1, True) == (code, "nothing was changed" in text), text


def test_while_the_agent_runs(config: Path) -> None:
    """It says what to do."""

    async def running() -> tuple[int, str]:
        async with Log.open(QUICK, directory=config.parent / "data" / "log", plant="p"):
            return await asyncio.to_thread(rewound, config, "--sink", "influx", "--to", "2020-01-01")

    code, text = asyncio.run(running())

    assert (1, True) == (code, "stop it, rewind, and start it again" in text), text
