"""Rewinding: what was delivered comes again, new data does not wait for it, and never under a running agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.store import Locked
from agent.store.config import StoreConfig
from agent.store.log import Log
from agent.store.rewind import rewind
from tests.agent.store.test_lanes import produce, rest, take

QUICK = StoreConfig(linger_s=0.0, segment_mb=1.0)


async def delivered(directory: Path) -> None:
    """Five records, all confirmed."""
    async with Log.open(QUICK, directory=directory, plant="p") as log:
        await produce(log, 1, 5)
        await take(log.lanes("influx").oldest, 10)


async def test_what_was_delivered_comes_again(tmp_path: Path) -> None:
    """From the time on, in a lane of its own: the live lane goes on where it was."""
    await delivered(tmp_path)

    found = rewind(tmp_path, "influx", to_ns=0, state=b"fresh")

    assert (0, 5) == found
    async with Log.open(QUICK, directory=tmp_path, plant="p") as log:
        await produce(log, 6, 6)
        lanes = log.lanes("influx")
        assert (2, b"fresh", b"") == (len(lanes), lanes.oldest.state, lanes.live.state)
        assert [6] == await take(lanes.live)
        assert 5 == lanes.pending()[0]
        assert [1, 2, 3, 4, 5] == await rest(lanes)


async def test_nothing_so_new(tmp_path: Path) -> None:
    """A time after everything changes nothing."""
    await delivered(tmp_path)

    assert rewind(tmp_path, "influx", to_ns=2**62, state=b"") is None


async def test_not_under_a_running_agent(tmp_path: Path) -> None:
    """The running agent holds the place; it is not moved under its feet."""
    async with Log.open(QUICK, directory=tmp_path, plant="p"):
        with pytest.raises(Locked):
            rewind(tmp_path, "influx", to_ns=0, state=b"")


async def test_a_reader_that_is_not_there(tmp_path: Path) -> None:
    """A name nobody has is said."""
    await delivered(tmp_path)

    with pytest.raises(KeyError):
        rewind(tmp_path, "other", to_ns=0, state=b"")
