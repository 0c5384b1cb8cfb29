"""The durable log in virtual time and without threads, over any disk: what is appended is durable at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from agent.store.config import StoreConfig
from agent.store.cursor import CursorFile
from agent.store.files import Files
from agent.store.journal import Journal
from agent.store.lanes import Feed, Lanes
from collectors.points import Delivery
from tests.model.simfs import SimClocks

DIRECTORY = Path("/store")
SMALL = StoreConfig(segment_mb=1 / 16)


class InLoop(Executor):
    """Runs what it is given at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LoopClocks(SimClocks):
    """Clocks that go with the event loop's."""

    def __init__(self, wall_ns: int) -> None:
        super().__init__()
        self._began_ns = wall_ns

    def wall_ns(self) -> int:
        return self._began_ns + self.boottime_ns()

    def boottime_ns(self) -> int:
        try:
            return int(asyncio.get_running_loop().time() * 1e9)
        except RuntimeError:
            return 0


class SimLog:
    """One life of the log; another `SimLog` over the same files is the next one."""

    def __init__(
        self, files: Files, clocks: SimClocks, *, config: StoreConfig = SMALL, directory: Path = DIRECTORY
    ) -> None:
        self.journal = Journal(directory, plant="p", config=config, files=files, clocks=clocks)
        self.journal.open()
        self._feed = Feed(self.journal, self._save_cursors, pool=InLoop())

    def append(self, delivery: Delivery) -> None:
        """Durable on return."""
        self.journal.stage([delivery])
        self.journal.flush()
        self._feed.committed()

    def lanes(self, name: str) -> Lanes:
        """As `Log.lanes`."""
        return Lanes(self._feed, self.journal.cursor(name))

    def place(self, name: str) -> CursorFile:
        """Where a reader stands, for looking at."""
        return self.journal.cursor(name)

    def _save_cursors(self) -> asyncio.Future[None]:
        self.journal.flush_cursors()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future
