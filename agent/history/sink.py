"""HistorySink: the reader of the log that keeps the local history, in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from agent.history.config import HistoryConfig
from agent.history.file import UNREADABLE, Held, HistoryFile, put_aside
from agent.history.rollups import risen
from agent.sink import Entry, Retry
from agent.status import SinkStatus
from collectors.points import Series, Values

T = TypeVar("T")

NO_ROWS: Values = np.zeros((7, 0))


class HistorySink:
    """Keeps rollups of everything in the log, and answers questions about the past.

    `write` returns when the entries are on disk together with their place in the log. How much one commit covers is
    the reader's choice: `linger_s` and `max_points` say what suits flash memory.
    """

    name = "history"
    max_points = 200_000

    def __init__(self, path: Path, config: HistoryConfig, *, status: SinkStatus) -> None:
        self.status = status
        self.linger_s = config.commit_s
        self.points: Mapping[str, int] = {}  # taken in so far, over all runs, by source
        self._path = path
        self._keep_s = config.keep_s()
        self._quota_bytes = int(config.quota_mb * 1e6)
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
        """Let go of the file; what was written is on disk already."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._forget)
        self._thread.shutdown()

    def restore(self, state: bytes) -> None:
        """The file knows its own place in the log; a state says that it is still the same log."""
        self._is_same_log = bool(state)

    async def write(self, entries: Sequence[Entry]) -> bytes:
        """Keep what is new; raises Retry while the file cannot be written."""
        try:
            await self._call(lambda file: file.take(entries, is_same_log=self._is_same_log))
        except sqlite3.Error as error:
            raise Retry(_why(self._path, error), blocked="disk") from error
        return str(entries[-1].seq).encode() if entries else b""

    async def read(self, series: Series, from_s: int, to_s: int, *, width_s: int) -> Values:
        """(4, m) f8: start of window in s since 1970 UTC, low, mean, high; oldest first, no row where nothing is."""
        rows = await self._call(lambda file: file.read(series, from_s, to_s, width_s=width_s), otherwise=NO_ROWS)
        t_s, n, low, high, total = rows[:5]
        return np.stack((t_s, low, total / n, high))

    async def risen(self, counters: Sequence[Series], from_s: int, to_s: int) -> list[float | None]:
        """How much each counter rose in the time; None where nothing is known of it."""

        def ask(file: HistoryFile) -> list[float | None]:
            found = [file.read(series, from_s, to_s, width_s=900) for series in counters]
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
                    self._file = HistoryFile(self._path, keep_s=self._keep_s, quota_bytes=self._quota_bytes)
                answer = question(self._file)
                self.points = dict(self._file.taken)
            except sqlite3.Error as error:
                self._forget()  # opened anew by the next question, from what is on disk
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in UNREADABLE:
                    put_aside(self._path, why=str(error))
                if otherwise is not None:
                    return otherwise
                raise
            return answer

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _why(path: Path, error: sqlite3.Error) -> str:
    return (
        f"The local history {path} cannot be written. Is the disk full, read-only or used by another agent? "
        f"Data waits in the log meanwhile. ({error})"
    )
