"""`raceway ledger`: forms, and the entries in force."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from agent.commands import FAILED, OK
from agent.commands.log import log_directory
from agent.commands.output import put
from agent.commands.table import table
from agent.sink import Entry
from agent.store import inspect
from collectors.ledger.books import Books, in_force
from collectors.ledger.entries import LedgerEntry, from_text
from collectors.ledger.forms import FORMS
from collectors.ledger.templates import FORMATS
from collectors.points import Kind


def write_template(kind: str, *, form: str, out: Path | None) -> int:
    """Write an empty form."""
    content = FORMATS[form](FORMS[kind])
    return put(content, out, what="the form")


def list_entries(path: Path, *, kind: str, as_json: bool) -> int:
    """Print what counts, oldest first, and what contradicts itself."""
    books = books_in(log_directory(path, as_json=as_json))
    shown = [entry for entry in books.entries if kind in ("", entry.kind)]
    unclear = [one for one in books.contradictions if kind in ("", one.entries[0].kind)]
    if as_json:
        entries = [json.loads(entry.to_text()) | {"id": entry.id} for entry in shown]
        found = {"entries": entries, "contradictions": [one.why for one in unclear]}
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        header = ("date", "kind", "number", "what", "by", "file", "line")
        click.echo("\n".join(table(header, [_row(entry) for entry in shown], right=("line",))))
        for one in unclear:
            click.echo(f"not counted: {one.why}")
    return FAILED if unclear else OK


def books_in(directory: Path) -> Books:
    """What counts of everything that was ever written down in a log."""
    return in_force(_entries(inspect.records(directory)))


def _entries(entries: Iterable[Entry]) -> Iterator[LedgerEntry]:
    for entry in entries:
        if any(series.kind is Kind.EVENT and series.signal in FORMS for series in entry.batch.series):
            for point in entry.batch.points():
                if point.series.signal in FORMS and isinstance(point.value, str):
                    yield from _entry(point.value)


def _entry(text: str) -> Iterator[LedgerEntry]:
    try:
        yield from_text(text)
    except ValueError:  # an event of the same name from another source
        return


def _row(entry: LedgerEntry) -> tuple[str, ...]:
    what = ", ".join(f"{name} {value}" for name, value in entry.values.items())
    by = entry.by or entry.origin.owner
    return entry.day.isoformat(), entry.kind, entry.number, what, by, entry.origin.file, str(entry.line)
