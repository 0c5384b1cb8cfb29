"""The files of a folder: which of them are whole, what they hold, and which were read already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from collectors.ledger.entries import Origin, Reading, read_rows
from collectors.ledger.forms import FORMS, form_of
from collectors.tables import TEXTS, WORKBOOKS, Unreadable, read_lines
from collectors.texts import legible

MOST_BYTES = 16 * 2**20
MOST_ROWS_TOLD = 3
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")


class Shape(NamedTuple):
    """What changes when somebody writes to a file."""

    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read, with what it says or why it says nothing."""

    origin: Origin
    shape: Shape
    content: bytes
    reading: Reading | None
    trouble: str = ""  # for people: "what is wrong; what to do"
    line: int = 0


def tables_in(folder: Path) -> Iterator[tuple[Path, Shape]]:
    """Every table in the folder and below, by name. Raises OSError where the folder cannot be read.

    Hidden files, the lock files of Excel and WPS, and what browsers and copying programs call their halves are none.
    """
    found: list[tuple[Path, Shape]] = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if name.startswith((".", "~")) or name.lower().endswith(_UNFINISHED):
                continue
            if path.suffix.lower() in (*TEXTS, *WORKBOOKS) and (shape := shape_of(path)) is not None:
                found.append((path, shape))
    yield from sorted(found)


def _raise(error: OSError) -> None:
    raise error


def shown_as(path: Path, folder: Path) -> str:
    """The file's name below the folder, as it can be kept."""
    return legible(path.relative_to(folder).as_posix())


def shape_of(path: Path) -> Shape | None:
    """How the file is now; None where it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Shape(status.st_ino, status.st_size, status.st_mtime_ns)


class Settled:
    """Knows which files did not change between two looks, so that a copy in progress is not read. Pure."""

    def __init__(self) -> None:
        self._before: dict[Path, Shape] = {}
        self._done: dict[Path, Shape] = {}

    def look(self, found: list[tuple[Path, Shape]]) -> list[tuple[Path, Shape]]:
        """Those that are as they were at the last look, and not done in this shape."""
        before, self._before = self._before, dict(found)
        self._done = {path: shape for path, shape in self._done.items() if self._before.get(path) == shape}
        return [
            (path, shape)
            for path, shape in found
            if shape.size and before.get(path) == shape and self._done.get(path) != shape
        ]

    def done(self, path: Path, shape: Shape) -> None:
        """Nothing is to be done with the file while it stays so."""
        self._done[path] = shape


def read_document(path: Path, folder: Path, shape: Shape) -> Document | None:
    """The file's rows; None where it changed or went while it was read. Raises OSError."""
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
        owner = _owner(os.fstat(file.fileno()).st_uid)
    if shape_of(path) != shape:
        return None
    origin = Origin(shown_as(path, folder), hashlib.sha256(content).hexdigest(), owner)
    try:
        return Document(origin, shape, content, _reading(path, origin, content))
    except Unreadable as unreadable:
        return Document(origin, shape, content, None, str(unreadable), unreadable.line)


def troubles(document: Document) -> list[str]:
    """What is wrong with a file, for people; the first rows only."""
    if document.reading is None:
        return [document.trouble]
    rows = [f"line {one.line}: {one.reason}" for one in document.reading.refused]
    more = [f"and {len(rows) - MOST_ROWS_TOLD} more rows"] if len(rows) > MOST_ROWS_TOLD else []
    unused = [f"columns that are not used: {', '.join(document.reading.unused)}"] if document.reading.unused else []
    return [*rows[:MOST_ROWS_TOLD], *more, *unused]


def _reading(path: Path, origin: Origin, content: bytes) -> Reading:
    if len(content) > MOST_BYTES:
        raise Unreadable("the file is larger than 16 MiB", "split it into several files")
    form = form_of(path.name, path.parent.name)
    if form is None:
        known = ", ".join(f"{one.name} ({one.chinese.split()[0]})" for one in FORMS.values())
        raise Unreadable("the file's name does not say which table it is", f"let it begin with one of {known}")
    is_workbook = path.suffix.lower() in WORKBOOKS
    return read_rows(read_lines(content, is_workbook=is_workbook), form, origin)


def _owner(uid: int) -> str:
    """The account's name, or its number where it has none (and on Windows, where there is no pwd)."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


class Marks:
    """The SHA-256 of every file that was read, one a line.

    A mark that is lost in a crash lets the file be read again; its entries have the same ids then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[str] = []
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self._read = {line.partition(" ")[0] for line in text.splitlines()}

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._read

    def add(self, origin: Origin) -> None:
        """Remember a file. Raises OSError where that is not on disk; it is tried again with the next one."""
        self._read.add(origin.sha256)
        self._waiting.append(f"{origin.sha256} {origin.file!r}\n")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(self._waiting)
            file.flush()
            os.fsync(file.fileno())
        self._waiting.clear()
