"""HistorySink: the reader of the log that keeps the local history, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np

from agent.history.config import HistoryConfig
from agent.history.file import Held, HistoryFile
from agent.history.rollups import risen
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from collectors.points import Series, Values

T = TypeVar("T")

NO_ROWS: Values = np.zeros((7, 0))
SAME_LOG = b"same"  # always the same: then the log need not hurry with the place, which the file knows better
LINGER_S = 5.0  # between two looks into the log; what is taken waits in memory for the commit


class Place(Protocol):
    """A place in the log; see `agent.drain.Reader`."""

    @property
    def state(self) -> bytes:
        """What was committed beside it."""
        ...

    async def read(self, *, max_points: int, linger_s: float) -> list[Entry]:
        """What comes next."""
        ...

    async def commit(self, seq: int, state: bytes) -> None:
        """Everything up to `seq` is done."""
        ...

    def pending(self) -> tuple[int, int]:
        """Points not committed, and the time of the oldest."""
        ...


class Patient:
    """A place in the log that moves only with a state: what is in memory only comes again after a kill.

    What is in memory is taken, and no longer waits.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._in_memory = 0  # points
        self._read = (0, 0)  # points of the last read, received_ns of its newest

    @property
    def state(self) -> bytes:
        """What was committed beside it."""
        return self._place.state

    async def read(self, *, max_points: int, linger_s: float) -> list[Entry]:
        """What comes next."""
        entries = await self._place.read(max_points=max_points, linger_s=linger_s)
        self._read = (sum(len(entry.batch) for entry in entries), entries[-1].batch.received_ns if entries else 0)
        return entries

    async def commit(self, seq: int, state: bytes) -> None:
        """Commit what is on disk."""
        self._in_memory += self._read[0]
        if state:
            await self._place.commit(seq, state)
            self._in_memory = 0

    def pending(self) -> tuple[int, int]:
        """Points not taken yet, and the time of the oldest."""
        points, oldest_ns = self._place.pending()
        waiting = points - self._in_memory
        return (waiting, max(oldest_ns, self._read[1])) if waiting > 0 else (0, 0)


class HistorySink:
    """Keeps rollups of everything in the log, and answers questions about the past.

    `write` returns the state of a place in the log that is on disk, or b"" while the entries are in memory only: such a
    place must not be committed (`Patient`).
    """

    name = "history"
    max_points = 50_000

    def __init__(self, path: Path, config: HistoryConfig, *, status: SinkStatus) -> None:
        self.status = status
        self.linger_s = min(config.commit_s, LINGER_S)
        self.points: Mapping[str, int] = {}  # taken in so far, over all runs, by source
        self._path = path
        self._keep_s = config.keep_s()
        self._quota_bytes = int(config.quota_mb * 1e6)
        self._commit_s = config.commit_s
        self._is_same_log = False
        self._file: HistoryFile | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        status.address = str(path)

    async def __aenter__(self) -> Self:
        """Begin; a file that cannot be opened is said by the first write, which waits."""
        try:
            await self._call(HistoryFile.size)
        except sqlite3.Error as error:
            self.status.hold(_why(self._path, error), "disk")
        return self

    async def __aexit__(self, *error: object) -> None:
        """Write what is in memory, if the disk takes it, and let go of the file."""
        with contextlib.suppress(sqlite3.Error):
            await self._call(HistoryFile.close_whole)
        self._thread.shutdown()

    def restore(self, state: bytes) -> None:
        """The file knows its own place in the log; a state says that it is still the same log."""
        self._is_same_log = bool(state)

    async def write(self, entries: Sequence[Entry]) -> bytes:
        """Keep what is new; raises Retry while the file cannot be written."""

        def take(file: HistoryFile) -> bool:
            file.take(entries, is_same_log=self._is_same_log)
            return file.is_written

        try:
            is_written = await self._call(take)
        except sqlite3.Error as error:
            raise Retry(_why(self._path, error), blocked="disk") from error
        return SAME_LOG if is_written else b""

    async def read(self, series: Series, from_s: int, to_s: int, *, width_s: int) -> Values:
        """(4, m) f8: start of window in s since 1970 UTC, low, mean, high; oldest first, no row where nothing is."""
        rows = await self._call(lambda file: file.read(series, from_s, to_s, width_s=width_s), otherwise=NO_ROWS)
        t_s, n, low, high, total = rows[:5]
        return np.stack((t_s, low, total / n, high))

    async def risen(self, counters: Sequence[Series], from_s: int, to_s: int) -> list[float | None]:
        """How much each counter rose in the time; None where nothing is known of it."""

        def ask(file: HistoryFile) -> list[float | None]:
            found = file.read_all(counters, from_s, to_s, width_s=900)
            return [risen(row[5], row[6], row[2], row[3]) if row.shape[1] else None for row in found]

        return await self._call(ask, otherwise=[None] * len(counters))

    async def newest(self) -> list[Held]:
        """The last known value of every series and the last events, oldest first."""
        return await self._call(HistoryFile.newest, otherwise=[])

    async def _call(self, question: Callable[[HistoryFile], T], otherwise: T | None = None) -> T:
        """Ask in the thread; `otherwise` is the answer where the file cannot be read."""

        def ask() -> T:
            try:
                if self._file is None:
                    self._file = HistoryFile(
                        self._path, keep_s=self._keep_s, quota_bytes=self._quota_bytes, commit_s=self._commit_s
                    )
                answer = question(self._file)
                self.points = dict(self._file.taken)
            except sqlite3.Error as error:
                if self._file is not None:
                    self._file.fail(error)
                if otherwise is not None:
                    return otherwise
                raise
            return answer

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)


def _why(path: Path, error: sqlite3.Error) -> str:
    return (
        f"The local history {path} cannot be written. Is the disk full, read-only or used by another agent? "
        f"Data waits in the log meanwhile. ({error})"
    )
