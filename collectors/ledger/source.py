"""The ledger source: looks through its folder, and hands over each whole file once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import quote

from collectors.ledger.config import LedgerConfig
from collectors.ledger.entries import LedgerEntry
from collectors.ledger.folder import Document, Marks, Settled, Shape, read_document, shown_as, tables_in, troubles
from collectors.points import Batch, Clock, DeadLetter, Kind, Point, Series, Stream, Urgency
from collectors.source import Deliver, SourceLost, SourceStatus
from collectors.threads import in_daemon_thread

MOST_PAYLOAD = 64 * 1024  # of a file that is no table; the file itself stays in the folder
FILE = "file"
"""The signal that says which files were read."""

T = TypeVar("T")


class LedgerSource:
    """Every table in one folder, read once when it is whole."""

    def __init__(self, config: LedgerConfig, *, plant: str) -> None:
        self.name = config.name
        self.status = SourceStatus(kind="ledger", address=str(config.folder))
        self._folder = config.folder
        self._scan_s = config.scan_s
        self._marks_path = (config.marks or config.folder) / f"{quote(config.name, safe=' ')}.read"
        self._marks: Marks | None = None
        self._plant = plant
        self._settled = Settled()

    async def run(self, deliver: Deliver) -> NoReturn:
        """Look, hand over what is whole, look again, until the folder cannot be read."""
        if self._marks is None:
            self._marks = await self._attempt(partial(Marks, self._marks_path), self._marks_path)
        while True:
            found = await self._attempt(lambda: list(tables_in(self._folder)), self._folder)
            self.status.connected()
            here = {shown_as(path, self._folder) for path, _ in found}
            self.status.troubles = {name: why for name, why in self.status.troubles.items() if name in here}
            for path, shape in self._settled.look(found):
                await self._take(path, shape, self._marks, deliver)
            await asyncio.sleep(self._scan_s)

    async def _attempt(self, call: Callable[[], T], path: Path) -> T:
        try:
            return await in_daemon_thread(call)
        except OSError as error:
            raise SourceLost(
                f"{path} cannot be read ({error.strerror}). Is the share mounted, and may this account look into it?"
            ) from error

    async def _take(self, path: Path, shape: Shape, marks: Marks, deliver: Deliver) -> None:
        """Hand over a file that is not marked yet."""
        shown = shown_as(path, self._folder)
        try:
            document = await in_daemon_thread(partial(read_document, path, self._folder, shape))
        except OSError as error:
            self.status.troubles[shown] = f"the file cannot be read ({error.strerror}); check its rights"
            return
        if document is None:
            return
        if document.origin.sha256 not in marks:
            await self._hand_over(document, deliver)
            try:
                await in_daemon_thread(partial(marks.add, document.origin))
            except OSError as error:
                raise SourceLost(
                    f"{self._marks_path} cannot be written ({error.strerror}). Is the disk full? After a restart the "
                    "last files are read again; their entries count once"
                ) from error
        self._settled.done(path, shape)

    async def _hand_over(self, document: Document, deliver: Deliver) -> None:
        """Deliver what cannot be understood, then all entries and the file's own record at once."""
        received_ns = time.time_ns()
        letters = list(dead_letters(self.name, document, received_ns))
        for letter in letters:
            await deliver(letter)
        self.status.dead_letters += len(letters)
        self.status.messages += 1
        points = list(points_of(self._plant, self.name, document, received_ns))
        await deliver(Batch.of(self.name, points, received_ns=received_ns, urgency=Urgency.NOW, stream=Stream.RECORDS))
        if told := troubles(document):
            self.status.troubles[document.origin.file] = "; ".join(told)


def dead_letters(source: str, document: Document, received_ns: int) -> Iterator[DeadLetter]:
    """What of a file cannot be understood: each row with its line, or the whole file."""
    if document.reading is None:
        where = f"{document.origin.file} line {document.line}" if document.line else document.origin.file
        yield DeadLetter(source, received_ns, where, document.trouble, document.content[:MOST_PAYLOAD])
        return
    for one in document.reading.refused:
        where = f"{document.origin.file} line {one.line}"
        yield DeadLetter(source, received_ns, where, one.reason, one.row.encode(), points=1)


def points_of(plant: str, source: str, document: Document, received_ns: int) -> Iterator[Point]:
    """The entries of a file and, last, the file itself; a nanosecond lies between two."""
    entries = document.reading.entries if document.reading else ()
    for number, entry in enumerate(entries):
        yield Point(series_of(plant, source, entry), received_ns + number, entry.to_text(), clock=Clock.GATEWAY)
    told = {
        **document.origin._asdict(),
        "mtime_ns": document.shape.mtime_ns,
        "entries": len(entries),
        "refused": len(document.reading.refused) if document.reading else None,
        "trouble": document.trouble,
    }
    series = Series(plant, "", "", source, FILE, "", Kind.EVENT)
    yield Point(series, received_ns + len(entries), json.dumps(told, ensure_ascii=False), clock=Clock.GATEWAY)


def series_of(plant: str, source: str, entry: LedgerEntry) -> Series:
    """The events of one form."""
    return Series(plant, "", "", source, entry.kind, "", Kind.EVENT)
