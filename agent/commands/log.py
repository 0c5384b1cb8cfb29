"""`raceway log`: look at the durable log, while the agent runs or not. Nothing here writes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson

from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.commands.progress import Bar
from agent.commands.table import ago, local_time, printable, table
from agent.sink import Entry
from agent.store import inspect
from collectors.points import DeadLetter

MOST_FLAWS = 50


def log_directory(path: Path, *, as_json: bool = False) -> Path:
    """The log's folder, found from itself, the data folder or a configuration; ends the program where there is none."""
    data_dir = path if os.path.isdir(path) else loaded(path, as_json=as_json).data_dir  # noqa: PTH112 - is_dir raises
    said = f"there is no log in {data_dir}; name the data_dir of an agent that has run, or its configuration"
    try:
        for directory in (data_dir, data_dir / "log"):
            if (directory / "store.id").exists():
                return directory
    except PermissionError:
        said = f"this account may not look into {data_dir}; ask as the agent's own account, or as root"
    click.echo(said, err=True)
    raise SystemExit(WRONG)


def verify_log(path: Path, *, as_json: bool) -> int:
    """Read every byte and check it."""
    directory = log_directory(path, as_json=as_json)
    with Bar("verifying") as bar:
        report = inspect.verify(directory, progress=bar.show)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        for flaw in report.flaws[:MOST_FLAWS]:
            lost = "" if flaw.points is None else f", {flaw.points:,} points"
            click.echo(f"{flaw.segment} at byte {flaw.offset:,} ({flaw.length:,} bytes{lost}): {flaw.why}")
        if len(report.flaws) > MOST_FLAWS:
            click.echo(f"... and {len(report.flaws) - MOST_FLAWS} more; --json lists them all")
        verdict = "all as it was written" if report.is_well else f"{len(report.flaws)} flaws"
        click.echo(
            f"{directory}: {verdict}; {report.segments} segments ({report.sealed} sealed), {report.records:,} records, "
            f"{report.points:,} points, {report.bytes_read / 1e6:,.1f} MB"
        )
    return OK if report.is_well else FAILED


def dump_log(path: Path, *, as_json: bool, from_seq: int, most: int | None, only_dead_letters: bool) -> int:
    """Print every point, or every dead letter; with `as_json` one JSON object a line."""
    directory = log_directory(path, as_json=as_json)
    if only_dead_letters:
        rows: Iterable[Mapping[str, Any]] = map(letter_facts, inspect.dead_letters(directory))
        text = _letter_line
    else:
        rows, text = _points(entry for entry in inspect.entries(directory) if entry.seq >= from_seq), _point_line
    for row in islice(rows, most):
        click.echo(orjson.dumps(row).decode() if as_json else printable(text(row)))
    return OK


def log_status(path: Path, *, as_json: bool) -> int:
    """Print what is in the log and how far its readers are."""
    status: Mapping[str, Any] = inspect.status(log_directory(path, as_json=as_json))
    if as_json:
        click.echo(json.dumps(status))
        return OK
    now_ns = time.time_ns()
    streams = [
        (
            name,
            str(one["segments"]),
            f"{one['bytes'] / 1e6:,.1f}",
            f"{one['sealed_points']:,}",
            ago(one["oldest_ns"], now_ns),
        )
        for name, one in status["streams"].items()
    ]
    readers = [(name, f"{seq:,}") for name, seq in status["cursors"].items()]
    click.echo(f"log {status['store']}, {status['series']} series, {status['quarantined']} quarantined files")
    header = ("stream", "segments", "MB", "sealed points", "oldest")
    click.echo("\n".join(["", *table(header, streams, right=header[1:])]))
    click.echo("\n".join(["", *table(("reader", "confirmed up to"), readers, right=("confirmed up to",))]))
    return OK


def _points(entries: Iterable[Entry]) -> Iterator[dict[str, object]]:
    for entry in entries:
        for point in entry.batch.points():
            series = point.series
            yield {
                "seq": entry.seq,
                "source": entry.batch.source,
                "received_ns": entry.batch.received_ns,
                **{name: getattr(series, name) for name in ("plant", "area", "line", "machine", "signal", "unit")},
                "kind": series.kind.value,
                "t_ns": point.t_ns,
                "value": point.value,
                "quality": point.quality,
                "clock": point.clock.name.lower(),
            }


def letter_facts(letter: DeadLetter) -> dict[str, object]:
    """A dead letter, ready for JSON."""
    return {
        "origin": letter.origin,
        "received_ns": letter.received_ns,
        "where": letter.where,
        "reason": letter.reason,
        "points": letter.points,
        "payload": letter.payload.decode("utf-8", "backslashreplace"),
    }


def _point_line(row: Mapping[str, Any]) -> str:
    who = "/".join(row[name] for name in ("area", "line", "machine", "signal") if row[name])
    quality = "" if row["quality"] == 0 else f" 0x{row['quality']:08X}"
    return f"{row['seq']} {local_time(row['t_ns'])} {who} {row['value']} {row['unit']}{quality}".rstrip()


def _letter_line(row: Mapping[str, Any]) -> str:
    return f"{local_time(row['received_ns'])} {row['origin']} {row['where']}: {row['reason']} | {row['payload'][:200]}"
