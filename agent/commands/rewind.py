"""`raceway log rewind`: send again what a sink had delivered."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.influx.memory import UNKNOWN
from agent.store import Locked
from agent.store.rewind import rewind


def rewind_log(path: Path, *, sink: str, to: datetime, as_json: bool) -> int:
    """Put the place of a sink back; the next start of the agent sends from there, beside what is new."""
    config = loaded(path)
    names = [each.name for each in config.sinks]
    if sink not in names:
        click.echo(f"{path} has no sink {sink!r}; it has: {', '.join(names) or 'none'}", err=True)
        return WRONG
    try:
        found = rewind(config.data_dir / "log", sink, to_ns=round(to.timestamp() * 1e9), state=UNKNOWN.pack())
    except Locked:
        click.echo("the agent is running and holds the log; stop it, rewind, and start it again", err=True)
        return FAILED
    except (KeyError, FileNotFoundError):
        click.echo(f"{sink} has never delivered anything from {config.data_dir}; there is nothing to rewind", err=True)
        return FAILED
    except OSError as error:
        click.echo(f"the log cannot be changed; check the rights and the disk. ({error})", err=True)
        return FAILED
    if found is None:
        click.echo(f"nothing that {sink} delivered since {to:%Y-%m-%d %H:%M:%S} is kept; nothing was changed", err=True)
        return FAILED
    facts = {"sink": sink, "after_seq": found.seq, "points": found.points}
    text = f"{sink} will send about {found.points:,} points again, beside what is new, at the agent's next start"
    click.echo(json.dumps(facts) if as_json else text)
    return OK
