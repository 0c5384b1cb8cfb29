"""Time as a source: one tick a second in the log, and now and then what the agent measures of itself.

What follows from silence ("no data for 60 s") or from the passing of time (a window's end) is computed from these
ticks, never from a clock, so that a replay of the log gives the same results.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from agent.status import Board
from collectors.points import Batch, Clock, Point, Urgency
from collectors.source import Deliver, SourceStatus, heartbeat_series

MEASURE_EVERY = 10  # ticks
KEPT_TICKS = 600  # while the log takes nothing


class Heartbeat:
    """A source that ticks each second. Ticks that could not be delivered yet travel together with the next one."""

    name = "raceway"

    def __init__(self, board: Board, measure: Callable[[], Sequence[Point]], *, interval_s: float = 1.0) -> None:
        self.status = SourceStatus(kind="heartbeat", address="this gateway")
        self._board = board
        self._measure = measure
        self._interval_s = interval_s
        self._tick = heartbeat_series(board.plant)

    async def run(self, deliver: Deliver) -> NoReturn:
        """Tick until cancelled."""
        loop = asyncio.get_running_loop()
        self.status.connected()
        waiting: list[Point] = []
        due = loop.time()
        ticks = 0
        async with asyncio.TaskGroup() as tasks:
            sending: asyncio.Task[None] | None = None
            while True:
                due += self._interval_s
                await asyncio.sleep(due - loop.time())
                late_s = loop.time() - due
                self._board.loop_lag_s = late_s
                if late_s > self._interval_s:  # the machine slept: start a new rhythm instead of catching up
                    due = loop.time()
                waiting.extend(self._points(measured=ticks % MEASURE_EVERY == 0))
                ticks += 1
                del waiting[:-KEPT_TICKS]
                if sending is None or sending.done():
                    batch = Batch.of(self.name, waiting, received_ns=time.time_ns(), urgency=Urgency.IDLE)
                    sending = tasks.create_task(deliver(batch), name="heartbeat:deliver")
                    waiting = []

    def _points(self, *, measured: bool) -> list[Point]:
        up_s = round(time.monotonic() - self._board.started_monotonic, 1)
        tick = Point(self._tick, time.time_ns(), up_s, clock=Clock.GATEWAY)
        return [tick, *self._measure()] if measured else [tick]
