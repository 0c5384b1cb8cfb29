"""`raceway status`: what the running agent says of itself, asked over its own HTTP interface."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from agent.commands import FAILED, OK
from agent.commands.check import loaded
from agent.commands.table import ago, duration, printable, table
from agent.store.inspect import is_held

TIMEOUT_S = 5.0
Status = Mapping[str, Any]


class NotRunning(Exception):
    """No agent answers; the text says for people why, and what to check."""


def show_status(path: Path, *, as_json: bool) -> int:
    """Ask the agent that runs with the configuration at `path`."""
    config = loaded(path, as_json=as_json)
    try:
        status = fetch_status(config.data_dir)
    except NotRunning as reason:
        click.echo(json.dumps({"running": False, "reason": str(reason)}) if as_json else str(reason), err=not as_json)
        return FAILED
    if as_json:
        click.echo(json.dumps({"running": True, **status}, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(status, time.time_ns())))
    return OK


def fetch_status(data_dir: Path) -> Status:
    """The board of the agent that keeps its data in `data_dir`; raises NotRunning."""
    note = data_dir / "run.json"
    try:
        said = json.loads(note.read_text())
        address, pid = str(said["http"]), int(said.get("pid", 0))
    except FileNotFoundError:
        raise NotRunning(f"no agent runs with {data_dir}; start it: raceway run, or systemctl start raceway") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotRunning(f"{note} cannot be read; ask as the agent's own account, or as root ({error})") from None
    if not is_held(data_dir / "log"):
        raise NotRunning(f"no agent runs with {data_dir}; the last one was killed. Start it: systemctl start raceway")
    if not address:
        raise NotRunning(
            f"the agent runs (process {pid}) but serves no page yet; if its port is taken, set dashboard.listen to "
            "another one, see its journal: journalctl -u raceway"
        )
    if not address.startswith("http://"):
        raise NotRunning(f"{note} names no address; restart the agent: systemctl restart raceway ({address[:80]})")
    try:
        with urllib.request.urlopen(f"{address}/api/status", timeout=TIMEOUT_S) as answer:  # noqa: S310  # our own file
            status = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NotRunning(
            f"the agent does not answer at {address}; see its journal: journalctl -u raceway ({reason})"
        ) from None
    if not isinstance(status, dict) or not {"plant", "log", "sources", "sinks"} <= status.keys():
        raise NotRunning(f"what answers at {address} is not Raceway")
    return status


def _lines(status: Status, now_ns: int) -> list[str]:
    log = status.get("log", {})
    lines = [f"plant {status.get('plant', '')}, up {duration(status.get('up_s', 0))}", _log_line(log)]
    sources: Mapping[str, Status] = status.get("sources", {})
    sinks: Mapping[str, Status] = status.get("sinks", {})
    source_rows = [
        (name, s["kind"], s["state"], ago(s["since_ns"], now_ns), f"{s['points']:,}", ago(s["last_data_ns"], now_ns))
        for name, s in sources.items()
    ]
    sink_rows = [
        (name, s["kind"], s["state"], ago(s["since_ns"], now_ns), f"{s['points']:,}", f"{s['pending_points']:,}")
        for name, s in sinks.items()
    ]
    lines += ["", *_with_reasons(("source", "kind", "state", "for", "points", "newest"), source_rows, sources)]
    lines += ["", *_with_reasons(("sink", "kind", "state", "for", "points", "waiting"), sink_rows, sinks)]
    return lines


def _log_line(log: Status) -> str:
    parts = [f"log {log.get('state', 'unknown')}"]
    if "points" in log:
        parts.append(f"{log['points']:,} points durable")
    if "bytes_on_disk" in log and "quota_bytes" in log:
        parts.append(f"{log['bytes_on_disk'] / 1e6:,.0f} of {log['quota_bytes'] / 1e6:,.0f} MB")
    lost = {reason: count for reason, count in log.get("lost_points", {}).items() if count}
    parts.append("lost " + (", ".join(f"{count:,} ({reason})" for reason, count in lost.items()) or "nothing"))
    if log.get("reason"):
        parts.append(str(log["reason"]))
    return ", ".join(parts)


def _with_reasons(header: tuple[str, ...], rows: Sequence[Sequence[str]], statuses: Mapping[str, Status]) -> list[str]:
    """The table, each row followed by why it is not well."""
    head, *lines = table(header, rows, right=("points", "waiting", "newest", "for"))
    shown = [head]
    for line, status in zip(lines, statuses.values(), strict=True):
        shown.append(line)
        if status.get("reason"):
            shown.append(f"    → {printable(status['reason'])}")
        shown += [
            printable(f"    → {what}: {trouble}") for what, trouble in list(status.get("troubles", {}).items())[:20]
        ]
    return shown
