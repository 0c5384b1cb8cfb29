"""The composition root: one task group, sources supervised, sinks drained. The only file that knows everyone."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from agent.backoff import Backoff
from agent.config import AgentConfig
from agent.dashboard.latest import Latest
from agent.dashboard.server import serve
from agent.drain import Pace, Reader, drain, drain_live_first
from agent.heartbeat import Heartbeat
from agent.history.sink import HistorySink
from agent.metrics import Measurements, render
from agent.sink import Sink
from agent.status import Board, SinkStatus
from agent.store import inspect
from agent.store.log import Log
from agent.supervise import supervise
from agent.systemd import notify
from agent.watchdog import keep_watchdog
from collectors.source import Source

logger = structlog.get_logger(__name__)

SLOWEST_RETRY_S = 3.0  # of sources: data must flow again within 5 s of a machine's return


class Stopped(Exception):
    """Ends the task group: everything is on disk, or was never acknowledged."""


async def run(
    config: AgentConfig, *, stop: asyncio.Event, on_page: Callable[[str], None] = lambda _address: None
) -> None:
    """Read, keep and deliver until `stop` is set. `on_page` gets the page's address.

    Raises what opening the log raises: a store that another agent holds, a data folder that cannot be written.
    """
    board = Board(plant=config.plant)
    latest = Latest(recent_points=config.dashboard.recent_points)

    def bound(address: str) -> None:
        _write_note(config.data_dir, address)
        on_page(address)

    kept = board.sinks["history"] = SinkStatus("history")
    async with (
        Log.open(config.store, directory=config.data_dir / "log", plant=config.plant) as log,
        HistorySink(config.data_dir / "history.sqlite", config.history, status=kept) as history,
    ):
        board.log = log.status
        _write_note(config.data_dir, "")
        try:
            async with asyncio.TaskGroup() as tasks:

                def read(source: Source) -> None:
                    board.sources[source.name] = source.status
                    work = supervise(source, log.append, backoff=Backoff(first_s=0.5, most_s=SLOWEST_RETRY_S))
                    tasks.create_task(work, name=f"source:{source.name}")

                def feed(sink: Sink, cursor: Reader, status: SinkStatus, *, max_points: int, linger_s: float) -> None:
                    work = drain(cursor, sink, status, max_points=max_points, linger_s=linger_s, dead_letter=log.append)
                    tasks.create_task(work, name=f"sink:{sink.name}")

                for wanted in config.sinks:
                    status = board.sinks[wanted.name] = SinkStatus(wanted.kind, wanted.url)
                    work = drain_live_first(
                        log.lanes(wanted.name),
                        partial(wanted.sink, status=status, dead_letter=log.append),
                        status,
                        max_points=wanted.max_points,
                        linger_s=wanted.linger_s,
                        dead_letter=log.append,
                        pace=Pace(
                            most_per_s=wanted.backlog_points_per_s, begin_within_s=wanted.backlog_begins_within_s
                        ),
                    )
                    tasks.create_task(work, name=f"sink:{wanted.name}")
                if config.carbon is not None:
                    recall = partial(inspect.records, config.data_dir / "log")
                    books = config.carbon.sink(config.plant, deliver=log.append, recall=recall)
                    status = board.sinks[books.name] = SinkStatus("carbon")
                    feed(books, log.cursor(books.name), status, max_points=books.max_points, linger_s=books.linger_s)
                cursor = log.cursor(history.name)
                feed(history, cursor, kept, max_points=history.max_points, linger_s=history.linger_s)
                latest.recall(await history.newest())
                shown = SinkStatus("page")
                feed(latest, log.follow(latest.name), shown, max_points=latest.max_points, linger_s=latest.linger_s)
                page = serve(
                    config.dashboard,
                    board=board,
                    latest=latest,
                    past=history,
                    metrics=lambda: render(board),
                    on_bound=bound,
                )
                tasks.create_task(page, name="page")
                for connection in config.sources:
                    read(connection.source(config.plant, log.last_time))
                read(Heartbeat(board, Measurements(board)))
                tasks.create_task(keep_watchdog(board), name="watchdog")
                notify("READY=1")
                logger.info("agent.started", plant=config.plant, sources=len(config.sources), sinks=len(config.sinks))
                await stop.wait()
                notify("STOPPING=1")
                raise Stopped
        except* Stopped:
            logger.info("agent.stopped", points=log.status()["points"])
    (config.data_dir / "run.json").unlink(missing_ok=True)


def _write_note(data_dir: Path, address: str) -> None:
    """Say who runs, and where the page answers once it is served, for `raceway status`."""
    note = data_dir / "run.json.new"
    note.write_text(json.dumps({"pid": os.getpid(), "http": address}), encoding="utf-8")
    note.rename(data_dir / "run.json")
