"""A disk that refuses: nothing is acknowledged that is not on it, readers go on, and it ends by itself."""

from __future__ import annotations

import asyncio
import errno

import pytest

from agent.store import writer
from agent.store.log import Log
from agent.store.writer import StoreFailed
from collectors.points import Batch, Urgency
from tests.agent.store.journals import DIRECTORY, batch, gaps, read, start, values
from tests.agent.store.test_log import QUICK
from tests.model.simfs import SimClocks, SimFiles

REFUSALS = [(errno.ENOSPC, "full"), (errno.EDQUOT, "full"), (errno.EROFS, "read_only"), (errno.EIO, "read_only")]


@pytest.fixture(autouse=True)
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses is tried again a hundred times a second."""
    monkeypatch.setattr(writer, "PROBE_S", 0.01)


def now(t_ns: int, *numbers: float) -> Batch:
    """A batch that does not linger."""
    urgent = batch(t_ns, *numbers)
    urgent.urgency = Urgency.NOW
    return urgent


def refuse(files: SimFiles, number: int) -> None:
    """No segment can be written any more; files that are there can be overwritten in place."""
    files.fault = lambda method, path: number if method in ("write", "sync") and path.suffix == ".seg" else None


async def until_held(log: Log) -> None:
    """Return when the writer says that the disk refuses."""
    async with asyncio.timeout(5):
        while log.status()["state"] == "ok":  # noqa: ASYNC110 - the writer is a thread and tells nobody
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("number", "state"), REFUSALS)
async def test_what_is_not_on_disk_is_never_acknowledged_when_the_agent_stops(number: int, state: str) -> None:
    """Stopped while the disk refuses: the append is cancelled, not answered, and the value is not there."""
    files = SimFiles()
    async with Log.open(QUICK, directory=DIRECTORY, plant="p", files=files, clocks=SimClocks()) as log:
        await log.append(now(1, 1.0))
        refuse(files, number)
        waiting = asyncio.create_task(log.append(now(2, 2.0)))
        await until_held(log)
        late = asyncio.create_task(log.append(now(3, 3.0)))
        await asyncio.sleep(0)
        assert log.status()["state"] == state
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await late

    files.fault = lambda method, path: None
    journal = start(files)
    journal.flush()
    kept = read(journal)
    assert values(kept) == [1.0] or [points for _, points in gaps(kept)] == [1]


@pytest.mark.parametrize(("number", "state"), REFUSALS)
async def test_it_goes_on_by_itself_when_the_disk_takes_again(number: int, state: str) -> None:
    """The append waits meanwhile, the backlog can be read and confirmed durably, then the append is answered."""
    files = SimFiles()
    async with Log.open(QUICK, directory=DIRECTORY, plant="p", files=files, clocks=SimClocks()) as log:
        cursor = log.cursor("sink")
        await log.append(now(1, 1.0))
        await cursor.commit((await cursor.read(max_points=1, linger_s=0.0))[-1].seq, b"first")
        await log.append(now(2, 2.0))
        refuse(files, number)
        waiting = asyncio.create_task(log.append(now(3, 3.0)))
        await until_held(log)

        backlog = await cursor.read(max_points=10, linger_s=0.0)
        await asyncio.wait_for(cursor.commit(backlog[-1].seq, b"second"), 5)
        assert values(backlog) == [2.0]
        assert (waiting.done(), log.status()["state"]) == (False, state)

        files.fault = lambda method, path: None
        assert (await asyncio.wait_for(waiting, 5)).points == 1
        assert log.status()["state"] == "ok"
        assert values(await cursor.read(max_points=10, linger_s=0.0)) == [3.0]


async def test_a_fault_of_the_writer_itself_is_told_to_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever: those who wait and those who come later hear of it, and the log can be left."""
    async with Log.open(QUICK, directory=DIRECTORY, plant="p", files=SimFiles(), clocks=SimClocks()) as log:

        def broken() -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(log._journal, "flush", broken)
        with pytest.raises(StoreFailed, match="a bug"):
            await log.append(now(1, 1.0))
        with pytest.raises(StoreFailed, match="a bug"):
            await log.append(now(2, 2.0))
        assert log.status()["state"] == "failed"
