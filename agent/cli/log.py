"""`raceway log`: a look into the durable log."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from agent.cli.options import FILE, TIMES, as_json, config_file


@click.group()
def log() -> None:
    """Look into the durable log: verify, dump, status; or rewind a sink.

    PATH is a configuration file, or the data_dir of an agent. All but rewind write nothing, and the agent may run.
    """


_log_path = click.argument("path", type=FILE)


@log.command("verify")
@_log_path
@as_json
def log_verify(path: Path, as_json: bool) -> None:
    """Read every byte and check it."""
    from agent.commands.log import verify_log

    sys.exit(verify_log(path, as_json=as_json))


@log.command("dump")
@_log_path
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--from", "from_seq", type=click.IntRange(0), default=0, help="Begin with this sequence number.")
@click.option("--limit", "most", type=click.IntRange(0), help="End after so many.")
@click.option("--dead-letters", is_flag=True, help="What could not be read or delivered, with the reason.")
def log_dump(path: Path, as_json: bool, from_seq: int, most: int | None, dead_letters: bool) -> None:
    """Print every point that the log holds."""
    from agent.commands.log import dump_log

    sys.exit(dump_log(path, as_json=as_json, from_seq=from_seq, most=most, only_dead_letters=dead_letters))


@log.command("rewind")
@config_file
@as_json
@click.option("--sink", required=True, help="The name of the sink, as in CONFIG.")
@click.option("--to", type=click.DateTime(TIMES), required=True, help="Local time, like 2026-11-24T08:00:00.")
def log_rewind(config: Path, sink: str, to: datetime, as_json: bool) -> None:
    """Send again what a sink has delivered since a time.

    For a database that was restored or lost its newest data. Delivered values are kept for store.rewind_hours. Sending
    a value twice changes nothing in InfluxDB. The agent must not be running.
    """
    from agent.commands.rewind import rewind_log

    sys.exit(rewind_log(config, sink=sink, to=to, as_json=as_json))


@log.command("status")
@_log_path
@as_json
def log_status(path: Path, as_json: bool) -> None:
    """Show what is kept, and how far its readers are."""
    from agent.commands.log import log_status

    sys.exit(log_status(path, as_json=as_json))
