"""`raceway dlq`: dead letters, looked at and settled."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from agent.cli.options import FILE, TIMES, as_json, config_file


@click.group()
def dlq() -> None:
    """Dead letters: what could not be read or delivered, with the reason.

    The agent may run. A letter that was replayed or dropped is no longer listed; its bytes stay in the log until the
    share of dead letters in the quota is full.
    """


_path = click.argument("path", type=FILE)
_numbers = click.option(
    "--id", "numbers", type=click.IntRange(1), multiple=True, help="Only this one; may be repeated."
)


@dlq.command("list")
@_path
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the whole payload.")
@click.option("--limit", "most", type=click.IntRange(0), help="End after so many.")
@click.option("--all", "with_handled", is_flag=True, help="Those too that were replayed or dropped.")
def dlq_list(path: Path, as_json: bool, most: int | None, with_handled: bool) -> None:
    """List them: number, time, who refused it, where it came from or should have gone, and why.

    PATH is a configuration file, or the data_dir of an agent.
    """
    from agent.commands.dlq import list_letters

    sys.exit(list_letters(path, as_json=as_json, most=most, with_handled=with_handled))


@dlq.command("replay")
@config_file
@as_json
@_numbers
@click.option("--sink", help="Only letters of this sink, as named in CONFIG.")
def dlq_replay(config: Path, as_json: bool, numbers: tuple[int, ...], sink: str | None) -> None:
    """Send again what a sink had refused, when the server is ready for it.

    The lines go to the same sink with their own timestamps; a measured value that is sent twice changes nothing.
    Figures that are computed (of an hour, a day, a month) may have been corrected since, so letters that hold some are
    not sent: drop them. What the server refuses again, or fails on, stays a dead letter. A message that a source could
    not read cannot be replayed: correct the mapping, new messages follow it.
    """
    from agent.commands.dlq import replay_letters

    sys.exit(replay_letters(config, as_json=as_json, numbers=numbers, sink=sink))


@dlq.command("drop")
@_path
@as_json
@_numbers
@click.option("--before", type=click.DateTime(TIMES), help="Those received before this local time.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--yes", is_flag=True, help="Do it; without this the number is said and nothing is changed.")
def dlq_drop(
    path: Path, as_json: bool, numbers: tuple[int, ...], before: datetime | None, everything: bool, yes: bool
) -> None:
    """List letters no more: nobody will need them.

    PATH is a configuration file, or the data_dir of an agent.
    """
    from agent.commands.dlq import drop_letters

    if not (numbers or before or everything):
        raise click.UsageError("say which: --id, --before or --all")
    sys.exit(drop_letters(path, as_json=as_json, numbers=numbers, before=before, really=yes))
