"""`raceway dlq`: list dead letters, send them again, or drop them. The running agent is not disturbed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

import click
import orjson
from isal import igzip

from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.commands.log import letter_facts, log_directory
from agent.commands.table import local_time, printable, table
from agent.influx.answers import Verdict, hold, judge, words
from agent.influx.client import Client
from agent.influx.config import InfluxConfig
from agent.influx.parcel import Post
from agent.sink import Retry
from agent.store import Locked
from agent.store.dead_letters import HANDLED, Letter, read_letters, settle, unhandled

_SHOWN = 60  # characters of a payload in the table


def list_letters(path: Path, *, as_json: bool, most: int | None, with_handled: bool) -> int:
    """Print the letters, oldest first."""
    directory = log_directory(path, as_json=as_json)
    found = list(islice((read_letters if with_handled else unhandled)(directory), most))
    if as_json:
        for each in found:
            click.echo(orjson.dumps({"id": each.seq, **letter_facts(each.letter)}).decode())
        return OK
    if not found:
        click.echo("no dead letter")
        return OK
    header = ("id", "time", "refused by", "from or to", "points", "why", "payload")
    click.echo("\n".join(table(header, [_row(each) for each in found], right=("id", "points"))))
    return OK


def replay_letters(path: Path, *, as_json: bool, numbers: Sequence[int], sink: str | None) -> int:
    """Send the letters of sinks to those sinks again; what is delivered is settled at once."""
    config = loaded(path, as_json=as_json)
    directory = log_directory(path, as_json=as_json)
    sinks = {each.name: each for each in config.sinks if sink in (None, each.name)}
    if not sinks:
        click.echo(f"{path} has no sink {sink!r}" if sink else f"{path} has no sinks", err=True)
        return WRONG
    sources = {each.name for each in config.sources}
    counts: Counter[str] = Counter()
    trouble = ""
    for each in _chosen(unhandled(directory), numbers):
        to = sinks.get(each.letter.origin)
        if to is None or not each.letter.where:  # without an address: values that our own code could not encode
            counts["of sources" if each.letter.origin in sources else "others"] += sink is None
            continue
        try:
            refused = _sent(to, each.letter.payload)
        except Retry as retry:
            trouble = f"{to.name}: {retry.reason}"
            break
        counts["refused again"] += bool(refused)
        if refused:
            click.echo(printable(f"letter {each.seq} was refused again: {refused}"), err=True)
        elif not _settled(directory, [each]):
            return FAILED
        else:
            counts["replayed"] += 1
    return _say_replayed(counts, trouble, as_json=as_json)


def drop_letters(path: Path, *, as_json: bool, numbers: Sequence[int], before: datetime | None, really: bool) -> int:
    """Settle letters without sending them."""
    directory = log_directory(path, as_json=as_json)
    before_ns = round(before.timestamp() * 1e9) if before else None
    found = [
        each
        for each in _chosen(unhandled(directory), numbers)
        if before_ns is None or each.letter.received_ns < before_ns
    ]
    points = sum(each.letter.points for each in found)
    if really and found and not _settled(directory, found):
        return FAILED
    if as_json:
        click.echo(json.dumps({"letters": len(found), "points": points, "dropped": really}))
    elif really:
        click.echo(f"{len(found)} letters dropped")
    else:
        click.echo(f"{len(found)} letters, {points} points; nothing was changed. Say --yes to drop them.")
    return OK if really or not found else FAILED


def _chosen(letters: Iterable[Letter], numbers: Sequence[int]) -> Iterator[Letter]:
    return (each for each in letters if not numbers or each.seq in numbers)


def _sent(sink: InfluxConfig, payload: bytes) -> str:
    """Deliver lines; what the server says of those that it refuses again, empty if it took them all. Raises Retry."""
    client = Client(sink)
    try:
        return _delivered(client.post, payload.splitlines(keepends=True))
    finally:
        client.close()


def _delivered(post: Post, lines: Sequence[bytes]) -> str:
    """All lines at once, or by halves where some are refused: their neighbours may be good."""
    answer = post(igzip.compress(b"".join(lines)))
    match judge(answer):
        case Verdict.DELIVERED:
            return ""
        case Verdict.HOLD:
            raise hold(answer)
        case _ if len(lines) > 1:
            half = len(lines) // 2
            said = [_delivered(post, part) for part in (lines[:half], lines[half:])]
            return next(filter(None, said), "")
        case _:
            return words(answer) or f"status {answer.status}"


def _settled(directory: Path, letters: Sequence[Letter]) -> bool:
    """Remember it; the file belongs to the agent's account, also where root asks."""
    try:
        settle(directory, letters)
        if os.geteuid() == 0:
            owner = directory.stat()
            os.chown(directory / HANDLED, owner.st_uid, owner.st_gid)
    except Locked:
        click.echo("another `raceway dlq` is at work; try again when it has ended", err=True)
        return False
    except OSError as error:
        click.echo(f"{directory / HANDLED} cannot be written; check the rights and the disk. ({error})", err=True)
        return False
    return True


def _say_replayed(counts: Counter[str], trouble: str, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({**counts, "trouble": trouble}))
    else:
        click.echo(f"{counts['replayed']} letters replayed, {counts['refused again']} refused again")
        if counts["of sources"]:
            click.echo(
                f"{counts['of sources']} letters are messages that a source could not read; they cannot be replayed. "
                "Correct what their reason names; new messages follow it."
            )
        if counts["others"]:
            click.echo(f"{counts['others']} letters belong to no sink of this configuration and are left as they are")
        if trouble:
            click.echo(f"stopped, the rest is untouched: {trouble}", err=True)
    return FAILED if trouble or counts["refused again"] else OK


def _row(each: Letter) -> tuple[str, ...]:
    letter = each.letter
    payload = letter.payload.decode("utf-8", "backslashreplace")
    shown = payload if len(payload) <= _SHOWN else f"{payload[:_SHOWN]}..."
    points = f"{letter.points:,}" if letter.points else ""
    return str(each.seq), local_time(letter.received_ns), letter.origin, letter.where, points, letter.reason, shown
