"""A row of a form as an entry of the log, and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from collectors.ledger.cells import read_cell
from collectors.ledger.forms import FORMS, Column, Form
from collectors.tables import Lines, Unreadable

TITLE_ROWS = 10  # so many rows may stand above the header


class Origin(NamedTuple):
    """Where a file came from."""

    file: str
    sha256: str
    owner: str  # the account that the file belongs to


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What somebody wrote down, for ever. `values` are plain texts: decimals, ISO dates, Raceway's units."""

    kind: str
    number: str
    day: date
    values: Mapping[str, str]
    corrects: str
    by: str
    origin: Origin
    line: int

    @property
    def id(self) -> str:
        """Which row of which file."""
        return f"{self.origin.sha256[:16]}:{self.line}"

    @property
    def content(self) -> tuple[object, ...]:
        """What it says, whoever says it: two rows that agree in it are one."""
        return self.kind, self.number, self.day, tuple(sorted(self.values.items())), self.corrects

    def to_text(self) -> str:
        """JSON, as it stands in the log."""
        told = {
            "kind": self.kind, "number": self.number, "date": self.day.isoformat(), "values": dict(self.values),
            "corrects": self.corrects, "by": self.by, **self.origin._asdict(), "line": self.line,
        }  # fmt: skip
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> LedgerEntry:
    """The entry that such a text says. Raises ValueError for any other text."""
    try:
        said = json.loads(text)
        return LedgerEntry(
            kind=FORMS[said["kind"]].name,
            number=said["number"],
            day=date.fromisoformat(said["date"]),
            values=said["values"],
            corrects=said["corrects"],
            by=said["by"],
            origin=Origin(said["file"], said["sha256"], said["owner"]),
            line=said["line"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{text[:80]!r} is no entry of a ledger") from error


class Refused(NamedTuple):
    """A row that cannot be understood: its line, what is wrong and what to do, and its cells."""

    line: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says."""

    entries: tuple[LedgerEntry, ...]
    refused: tuple[Refused, ...]
    unused: tuple[str, ...]  # headers that mean nothing here


def read_rows(lines: Lines, form: Form, origin: Origin) -> Reading:
    """Every row below the header. Raises Unreadable where there is no header, or a column is missing."""
    at, columns = _header(lines, form)
    entries: dict[str, LedgerEntry] = {}
    refused: list[Refused] = []
    for line, cells in lines[at + 1 :]:
        if not any(cells) or cells[0].startswith("#"):
            continue
        try:
            entry = _entry(cells, columns, form, origin, line)
            if entry.number in entries:
                first = entries[entry.number].line
                raise ValueError(f"the number '{entry.number}' stands in line {first} already; number each row once")
        except ValueError as error:
            refused.append(Refused(line, str(error), ",".join(cells)))
        else:
            entries[entry.number] = entry
    unused = tuple(cell for cell in lines[at][1] if cell and form.column(cell) is None)
    return Reading(tuple(entries.values()), tuple(refused), unused)


def _header(lines: Lines, form: Form) -> tuple[int, Mapping[str, int]]:
    """Which line names the columns, and where each stands."""
    for at, (line, cells) in enumerate(lines[:TITLE_ROWS]):
        named = [(column.name, index) for index, cell in enumerate(cells) if (column := form.column(cell))]
        if len(named) < 2:
            continue
        columns = dict(reversed(named))
        if len(columns) < len(named):
            twice = next(name for name, _ in named if sum(name == other for other, _ in named) > 1)
            raise Unreadable(f"the column '{twice}' stands here twice", "keep one of the two", line=line)
        missing = [column.title for column in form.columns if column.is_required and column.name not in columns]
        if missing:
            raise Unreadable(
                f"the column {', '.join(missing)} is missing", f"run 'raceway ledger template {form.name}'", line=line
            )
        return at, columns
    raise Unreadable("no line names the columns", f"run 'raceway ledger template {form.name}' and fill in its columns")


def _entry(
    cells: Sequence[str], columns: Mapping[str, int], form: Form, origin: Origin, line: int
) -> LedgerEntry:  # fmt: skip
    values = dict(_values(cells, columns, form.columns))
    number, day = values.pop("number"), date.fromisoformat(values.pop("date"))
    corrects, by = values.pop("corrects", ""), values.pop("by", "")
    if corrects == number:
        raise ValueError("the row corrects itself; give it a number of its own")
    return LedgerEntry(form.name, number, day, values, corrects, by, origin, line)


def _values(
    cells: Sequence[str], columns: Mapping[str, int], wanted: Sequence[Column]
) -> Iterator[tuple[str, str]]:  # fmt: skip
    for column in wanted:
        index = columns.get(column.name, len(cells))
        text = cells[index] if index < len(cells) else ""
        if text:
            yield column.name, read_cell(text, column)
        elif column.is_required:
            raise ValueError(f"'{column.title}' is empty; every row needs it")
