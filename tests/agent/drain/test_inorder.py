"""The loop between the log and a sink: in order, each until it is taken, and its status true at every moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from agent.backoff import Backoff
from agent.drain import drain
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from tests.agent.influx.worlds import MemoryCursor, entries_of


class FakeSink:
    """Takes everything; `troubles` are raised first, one a call."""

    name = "fake"

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.restored: bytes | None = None
        self.taken: list[int] = []
        self.calls = 0
        self.on_call: Callable[[], None] = lambda: None

    def restore(self, state: bytes) -> None:
        self.restored = state

    async def write(self, entries: Sequence[Entry]) -> bytes:
        self.calls += 1
        self.on_call()
        if self.troubles:
            raise self.troubles.pop(0)
        self.taken.extend(each.seq for each in entries)
        return b"after %d" % entries[-1].seq


async def drained(cursor: MemoryCursor, sink: FakeSink, status: SinkStatus, *, max_points: int = 300) -> None:
    """Run the loop until everything is committed."""
    backoff = Backoff(first_s=0.001, most_s=0.002)
    task = asyncio.create_task(drain(cursor, sink, status, max_points=max_points, linger_s=0, backoff=backoff))
    await cursor.done.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_position_and_state_are_committed_together() -> None:
    """Each read is written, then committed with the state that the sink returned for it."""
    cursor, sink = MemoryCursor(entries_of(5), state=b"before"), FakeSink()

    await drained(cursor, sink, SinkStatus("fake"))

    assert b"before" == sink.restored
    assert [1, 2, 3, 4, 5] == sink.taken
    assert [(3, b"after 3"), (5, b"after 5")] == cursor.commits


async def test_the_same_entries_come_until_they_are_taken() -> None:
    """Refusals and even a defect of the sink skip nothing and commit nothing."""
    cursor = MemoryCursor(entries_of(4))
    sink = FakeSink(Retry("no", blocked="auth"), Retry("no"), ZeroDivisionError("a defect"), Retry("no"))

    with structlog.testing.capture_logs() as events:
        await drained(cursor, sink, status := SinkStatus("fake"), max_points=100)

    assert [1, 2, 3, 4] == sink.taken
    assert 8 == sink.calls
    assert 4 == status.retries
    assert ["sink.blocked", "sink.failed", "sink.delivering"] == [event["event"] for event in events]


async def test_status_while_blocked() -> None:
    """The page sees why nothing moves, and how much waits since when."""
    cursor, sink, status = (
        MemoryCursor(entries_of(2)),
        FakeSink(Retry("the reason", blocked="bucket")),
        SinkStatus("fake"),
    )
    seen: list[tuple[str, str, str, int, bool]] = []
    sink.on_call = lambda: seen.append(
        (status.state, status.reason, status.blocked, status.pending_points, status.oldest_pending_ns > 0)
    )

    await drained(cursor, sink, status)

    assert ("blocked", "the reason", "bucket", 200, True) == seen[1]
    assert ("delivering", "", "", 0, 0) == (
        status.state,
        status.reason,
        status.blocked,
        status.pending_points,
        status.oldest_pending_ns,
    )
    assert status.last_delivery_ns > 0


async def test_dead_letters_are_not_delivered_points() -> None:
    """What a sink dead-lettered is counted there, and not as delivered."""
    cursor, sink, status = MemoryCursor(entries_of(1)), FakeSink(), SinkStatus("fake")

    def bury() -> None:
        status.dead_letters += 30

    sink.on_call = bury

    await drained(cursor, sink, status)

    assert (70, 30) == (status.points, status.dead_letters)


async def test_a_wish_to_wait_longer_is_kept() -> None:
    """Retry-After outlasts the back-off."""
    cursor, sink = MemoryCursor(entries_of(1)), FakeSink(Retry("busy", after_s=0.2))
    loop = asyncio.get_running_loop()
    started = loop.time()

    await drained(cursor, sink, SinkStatus("fake"))

    assert loop.time() - started >= 0.2
