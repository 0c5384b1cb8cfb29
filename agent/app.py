"""The composition root: one task group, sources supervised, sinks drained. The only file that knows everyone."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from agent.backoff import Backoff
from agent.carbon.config import CarbonConfig
from agent.config import AgentConfig, AnySink
from agent.dashboard.latest import Latest
from agent.dashboard.server import serve
from agent.drain import Pace, Reader, drain, drain_live_first
from agent.heartbeat import Heartbeat
from agent.history.sink import HistorySink, Patient
from agent.metrics import Measurements, render
from agent.parts import make_sink, make_source
from agent.sink import Sink
from agent.status import Board, SinkStatus
from agent.store import inspect
from agent.store.log import Log
from agent.supervise import supervise
from agent.systemd import notify
from agent.watchdog import keep_watchdog
from collectors.points import Batch
from collectors.source import Source

logger = structlog.get_logger(__name__)

SLOWEST_RETRY_S = 1.0  # of sources: data must flow again within 2 s of a machine's return; a refusal asks for longer


class Stopped(Exception):
    """Ends the task group: everything is on disk, or was never acknowledged."""


class Whole(Sink, Protocol):
    """A sink that takes the whole log in order, and says how much of it suits one write."""

    max_points: int
    linger_s: float


@dataclass(frozen=True, slots=True)
class Wiring:
    """Sources and sinks around one log, each a task of one group and a line on the board."""

    config: AgentConfig
    board: Board
    log: Log
    tasks: asyncio.TaskGroup
    started: list[asyncio.Task[None]] = field(default_factory=list)

    async def end(self) -> None:
        """Cancel everything until it has ended: a library may swallow a cancellation that comes at a bad moment."""
        while running := [task for task in self.started if not task.done()]:
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=0.3)

    def _start(self, work: Coroutine[Any, Any, Any], *, name: str) -> None:
        self.started.append(self.tasks.create_task(work, name=name))

    def read(self, source: Source) -> None:
        """Keep a source alive."""
        self.board.sources[source.name] = source.status
        work = supervise(source, self.log.append, backoff=Backoff(first_s=0.5, most_s=SLOWEST_RETRY_S))
        self._start(work, name=f"source:{source.name}")

    def feed(self, sink: Whole, cursor: Reader, status: SinkStatus) -> None:
        """Hand the log to a sink, in order."""
        work = drain(
            cursor,
            sink,
            status,
            max_points=sink.max_points,
            linger_s=sink.linger_s,
            dead_letter=self.log.append,
        )
        self._start(work, name=f"sink:{sink.name}")

    def deliver(self, wanted: AnySink) -> None:
        """Hand the log to a server, the newest first after an outage."""
        status = self.board.sinks[wanted.name] = SinkStatus(wanted.kind, wanted.url)
        work = drain_live_first(
            self.log.lanes(wanted.name),
            partial(make_sink, wanted, status=status, dead_letter=self.log.append),
            status,
            max_points=wanted.max_points,
            linger_s=wanted.linger_s,
            dead_letter=self.log.append,
            pace=Pace(
                most_per_s=wanted.backlog_points_per_s or math.inf, begin_within_s=wanted.backlog_begins_within_s
            ),
        )
        self._start(work, name=f"sink:{wanted.name}")

    def account(self, carbon: CarbonConfig) -> None:
        """Keep the books of energy and carbon."""
        from agent.carbon.sink import make_sink as make_books  # only a plant that keeps books pays for it

        recall = partial(inspect.records, self.config.data_dir / "log")
        books = make_books(carbon, self.config.plant, deliver=self.log.append, recall=recall)
        status = self.board.sinks[books.name] = SinkStatus("carbon")
        self.feed(books, self.log.cursor(books.name), status)

    def _recorded(self) -> Iterator[Batch]:
        """The records that are on disk."""
        return (entry.batch for entry in inspect.records(self.config.data_dir / "log"))

    async def show(self, history: HistorySink, on_page: Callable[[str], None]) -> None:
        """Keep the local history, and serve the page."""
        latest = Latest(recent_points=self.config.dashboard.recent_points)
        latest.recall(await history.newest())
        self.feed(history, Patient(self.log.cursor(history.name)), history.status)
        self.feed(latest, self.log.follow(latest.name), SinkStatus("page"))
        page = serve(
            self.config.dashboard,
            board=self.board,
            latest=latest,
            past=history,
            metrics=lambda: render(self.board),
            on_bound=on_page,
        )
        self._start(page, name="page")

    async def everything(self, history: HistorySink, on_page: Callable[[str], None]) -> None:
        """All that is configured: sinks first, so that they are there for the first value."""
        for server in self.config.sinks:
            self.deliver(server)
        if self.config.carbon is not None:
            self.account(self.config.carbon)
        await self.show(history, on_page)
        for wanted in self.config.sources:
            self.read(make_source(wanted, self.config.plant, self.log.last_time, self._recorded))
        self.read(Heartbeat(self.board, Measurements(self.board)))
        self._start(keep_watchdog(self.board), name="watchdog")


async def run(
    config: AgentConfig, *, stop: asyncio.Event, on_page: Callable[[str], None] = lambda _address: None
) -> None:
    """Read, keep and deliver until `stop` is set. `on_page` gets the page's address.

    Raises what opening the log raises: a store that another agent holds, a data folder that cannot be written.
    """
    board = Board(plant=config.plant)
    kept = board.sinks["history"] = SinkStatus("history")

    def bound(address: str) -> None:
        _write_note(config.data_dir, address)
        on_page(address)

    async with (
        Log.open(config.store, directory=config.data_dir / "log", plant=config.plant) as log,
        HistorySink(config.data_dir / "history.sqlite", config.history, status=kept) as history,
    ):
        board.log = log.status
        _write_note(config.data_dir, "")
        try:
            async with asyncio.TaskGroup() as tasks:
                wiring = Wiring(config, board, log, tasks)
                await wiring.everything(history, bound)
                notify("READY=1")
                logger.info("agent.started", plant=config.plant, sources=len(config.sources), sinks=len(config.sinks))
                await stop.wait()
                notify("STOPPING=1")
                await wiring.end()
                raise Stopped
        except* Stopped:
            logger.info("agent.stopped", points=log.status()["points"])
    (config.data_dir / "run.json").unlink(missing_ok=True)


def _write_note(data_dir: Path, address: str) -> None:
    """Say who runs, and where the page answers once it is served, for `raceway status`."""
    note = data_dir / "run.json.new"
    note.write_text(json.dumps({"pid": os.getpid(), "http": address}), encoding="utf-8")
    note.rename(data_dir / "run.json")
