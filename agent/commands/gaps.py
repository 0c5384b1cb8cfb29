"""`raceway gaps`: the holes in the data that the log knows of, why they are there, and what came back of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from agent.commands import OK
from agent.commands.log import log_directory
from agent.commands.table import duration, local_time, table
from agent.store import inspect
from collectors.points import Kind

SHOWN_SERIES = 2


def show_gaps(path: Path, *, as_json: bool, since_ns: int = 0) -> int:
    """Print every recorded hole that ended after `since_ns`, oldest first; with `as_json` one JSON object a line."""
    said = [gap for gap in _gaps(log_directory(path, as_json=as_json), since_ns) if gap["to_ns"] >= since_ns]
    found = sorted({_hole(gap): gap for gap in said}.values(), key=lambda gap: gap["from_ns"])
    if as_json:
        for gap in found:
            click.echo(orjson.dumps(gap).decode())
        return OK
    if not found:
        click.echo("no gap is recorded")
        return OK
    header = ("source", "from", "lasted", "why", "series", "points", "what is known of it")
    click.echo("\n".join(table(header, [_row(gap) for gap in found], right=("lasted", "points"))))
    reasons = Counter(gap["reason"] for gap in found)
    click.echo(f"\n{len(found)} gaps: {', '.join(f'{count} {reason}' for reason, count in reasons.most_common())}")
    return OK


def _gaps(directory: Path, since_ns: int) -> Iterator[dict[str, Any]]:
    for entry in inspect.records(directory, since_ns):
        for point in entry.batch.points():
            if point.series.signal == "gap" and point.series.kind is Kind.EVENT and isinstance(point.value, str):
                yield {"source": point.series.machine, **orjson.loads(point.value)}


def _hole(gap: Mapping[str, Any]) -> tuple[object, ...]:
    """Which hole it is: one whose recovery took long was said again at its end."""
    return gap["source"], gap["from_ns"], gap["to_ns"], gap["reason"], *gap["series"]


def _row(gap: Mapping[str, Any]) -> tuple[str, ...]:
    names = [name.partition("/")[2] or name for name in gap["series"]]
    more = f" and {len(names) - SHOWN_SERIES} more" if len(names) > SHOWN_SERIES else ""
    return (
        gap["source"],
        local_time(gap["from_ns"]),
        duration((gap["to_ns"] - gap["from_ns"]) / 1e9),
        gap["reason"].replace("_", " "),
        ", ".join(names[:SHOWN_SERIES]) + more or "all",
        "" if gap["points"] is None else f"{gap['points']:,}",
        gap["detail"],
    )
