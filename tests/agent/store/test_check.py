"""What the log refuses at its door, and that nothing else suffers from it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.store.check import Check
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Batch, DeadLetter, Gap, Kind, Point, Series, Urgency

NUMBER = Series("p", "", "", "m", "n")
TEXT = Series("p", "", "", "m", "t", kind=Kind.TEXT)
HALF = "x\ud800y"
QUICK = StoreConfig(linger_s=0.05)


def numbers(t_ns: int = 1) -> Batch:
    return Batch.of("s", [Point(NUMBER, t_ns + i, float(i)) for i in range(10)], received_ns=t_ns)


def pointing_beyond() -> Batch:
    batch = Batch.of("s", [Point(TEXT, 1, "x")], received_ns=1)
    batch.value = batch.value + 7
    return batch


REFUSED = {
    "a text": Batch.of("s", [Point(TEXT, 1, HALF)], received_ns=1),
    "a signal": Batch.of("s", [Point(replace(NUMBER, signal=HALF), 1, 1.0)], received_ns=1),
    "a unit": Batch.of("s", [Point(replace(NUMBER, unit=HALF), 1, 1.0)], received_ns=1),
    "a source": Batch.of(HALF, [Point(NUMBER, 1, 1.0)], received_ns=1),
    "no such text": pointing_beyond(),
}


@pytest.mark.parametrize("batch", REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_stored_is_refused_alone(tmp_path: Path, batch: Batch) -> None:
    """Its owner hears of it; neighbours of the same commit are durable, once."""
    async with Log.open(QUICK, directory=tmp_path / "log", plant="p") as log:
        one, refused, two = await asyncio.gather(
            log.append(numbers()), log.append(batch), log.append(numbers(1000)), return_exceptions=True
        )

        assert isinstance(refused, ValueError)
        assert (one.points, two.points, log.status()["points"], log.status()["duplicates"]) == (10, 10, 20, 0)  # type: ignore[union-attr]


async def test_what_the_agent_tells_is_made_legible(tmp_path: Path) -> None:
    """A gap or a dead letter is kept whatever its words are."""
    async with Log.open(QUICK, directory=tmp_path / "log", plant="p") as log:
        await log.append(Gap("s", 1, 2, "corrupt", series=(replace(NUMBER, signal=HALF),), detail=HALF))
        await log.append(DeadLetter("s", 1, HALF, HALF, b"\xff"))

        assert (log.status()["gaps"], log.status()["dead_letters"], log.status()["state"]) == (1, 1, "ok")


async def test_a_delivery_that_fails_late_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    """What only the writer can find is found before anything is settled."""
    odd = Gap("s", 1, 2, "corrupt", points=object())  # type: ignore[arg-type]
    async with Log.open(QUICK, directory=tmp_path / "log", plant="p") as log:
        one, refused = await asyncio.gather(log.append(numbers()), log.append(odd), return_exceptions=True)

        assert isinstance(refused, ValueError)
        assert (one.points, log.status()["points"]) == (10, 10)  # type: ignore[union-attr]


async def test_who_waits_for_room_hears_of_a_failed_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that wait behind a full queue are not forgotten when the writer ends."""
    monkeypatch.setattr("agent.store.log.QUEUE_BYTES", 1)
    async with Log.open(QUICK, directory=tmp_path / "log", plant="p") as log:

        def broken() -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(log._journal, "flush", broken)
        ended = await asyncio.wait_for(
            asyncio.gather(*(log.append(numbers(t)) for t in range(1, 9)), return_exceptions=True), 5
        )

        assert [type(each).__name__ for each in ended] == ["StoreFailed"] * 8


def test_a_table_is_looked_at_once() -> None:
    """A known table costs nothing but a look at its identity, and NaN of a Bad text is fine."""
    check = Check()
    table = (NUMBER, TEXT)
    batch = Batch.of("s", [Point(NUMBER, 1, 1.0), Point(TEXT, 1, float("nan"), 0x8000_0000)], received_ns=1)
    batch.series = table
    batch.urgency = Urgency.NOW
    check(batch)
    check(batch)

    assert [known[0] for known in check._tables.values()] == [table]
    assert np.isnan(batch.value[1])
