"""An entry at which a sink fails by its own defect does not hold the others for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from agent.backoff import Backoff
from agent.drain import drain
from agent.drain.defects import Defects, Patience
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from collectors.points import DeadLetter
from tests.agent.influx.worlds import MemoryCursor, entries_of


class Poisoned:
    """Fails by a defect at whatever holds one of these numbers; may hold everything in the middle of it."""

    name = "poisoned"

    def __init__(self, *poison: int, holds_at_call: int = 0) -> None:
        self.poison = {*poison}
        self.taken: list[int] = []
        self.calls = 0
        self.enough = asyncio.Event()  # forty calls
        self._holds_at_call = holds_at_call

    def restore(self, state: bytes) -> None:
        self.taken.clear()

    async def write(self, entries: Sequence[Entry]) -> bytes:
        self.calls += 1
        if self.calls == 40:
            self.enough.set()
        if self.calls == self._holds_at_call:
            raise Retry("busy")
        if self.poison & {entry.seq for entry in entries}:
            raise ZeroDivisionError("a defect")
        self.taken.extend(entry.seq for entry in entries)
        return b"after %d" % entries[-1].seq


async def drained(sink: Poisoned, count: int, *, patience: Patience) -> tuple[
    MemoryCursor, SinkStatus, list[DeadLetter]
]:  # fmt: skip
    """Until everything is committed, or the sink was called forty times."""
    cursor, status, letters = MemoryCursor(entries_of(count, points=10), b"before"), SinkStatus("fake"), []

    async def keep(letter: DeadLetter) -> None:
        letters.append(letter)

    work = drain(
        cursor, sink, status, max_points=10_000, linger_s=0, dead_letter=keep,
        backoff=Backoff(first_s=0.001, most_s=0.001), patience=patience,
    )  # fmt: skip
    task = asyncio.create_task(work)
    ends = [asyncio.create_task(event.wait()) for event in (cursor.done, sink.enough)]
    await asyncio.wait(ends, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    for each in (task, *ends):
        each.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return cursor, status, letters


async def test_the_entry_is_found_and_buried_and_the_rest_goes_on() -> None:
    """Of eight entries one is a dead letter with the reason, seven are delivered in order, and the counts are true."""
    sink = Poisoned(5)
    cursor, status, letters = await drained(sink, 8, patience=Patience(5, 0.0))

    assert sink.taken == [1, 2, 3, 4, 6, 7, 8]
    assert [(letter.origin, letter.points) for letter in letters] == [("poisoned", 10)]
    assert "a defect in Raceway: ZeroDivisionError" in letters[0].reason
    assert (status.points, status.dead_letters, status.state, cursor.commits) == (
        70,
        10,
        "delivering",
        [(8, b"after 8")],
    )


async def test_one_alone_is_buried_with_the_state_before_it() -> None:
    """An entry that comes by itself is given up too, and the sink's state stays as it was."""
    cursor, _, letters = await drained(Poisoned(1), 1, patience=Patience(5, 0.0))

    assert ([letter.points for letter in letters], cursor.commits) == ([10], [(1, b"before")])


async def test_a_sink_that_fails_at_everything_is_to_blame_itself() -> None:
    """A defect that no entry escapes buries nothing: the sink is blocked, and says so."""
    cursor, status, letters = await drained(Poisoned(1, 2, 3, 4), 4, patience=Patience(2, 0.0))

    assert (letters, cursor.commits, status.blocked) == ([], [], "defect")


async def test_a_server_that_holds_in_the_middle_costs_nothing() -> None:
    """While the sink asks for patience nobody is given up; the search begins anew."""
    sink = Poisoned(2, holds_at_call=5)
    _, _, letters = await drained(sink, 4, patience=Patience(2, 0.0))

    assert [letter.points for letter in letters] == [10]
    assert {*sink.taken} == {1, 3, 4}


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [((0, 1, 2, 3, 4), False), ((0, 70), False), ((0, 20, 40, 59, 61), True)],
    ids=["often but at once", "long but twice", "often and long"],
)
def test_patience_is_both_times_and_time(times_s: Sequence[float], expected: bool) -> None:
    """Five times, and a minute."""
    defects = Defects(Patience(5, 60.0))

    assert [defects.note(now_s) for now_s in times_s] == [True] + [False] * (len(times_s) - 1)
    assert defects.is_hopeless == expected
