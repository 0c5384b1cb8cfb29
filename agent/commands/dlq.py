"""`raceway dlq`: list dead letters, send them again, or drop them. The running agent is not disturbed."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
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
from agent.config import AgentConfig
from agent.influx.again import fields_replaced
from agent.influx.answers import Verdict, hold, judge, words
from agent.influx.client import Client
from agent.influx.config import InfluxConfig
from agent.influx.parcel import Post
from agent.sink import Retry
from agent.store import Locked
from agent.store.dead_letters import HANDLED, LOCK, Letter, read_letters, settle, unhandled
from agent.store.inspect import series

_SHOWN = 60  # characters of a payload in the table
_BLOCK_LETTERS = 100  # are settled together, or what was delivered within so many seconds
_BLOCK_S = 1.0
_COUNTS = {
    "replayed": "",
    "refused_again": "",
    "kept": "are kept, for the server failed; look at its log, and replay them again",
    "figures": "hold figures that may have been corrected since; they can only be dropped. `raceway log rewind` sends "
    "the latest figures again.",
    "of_sources": "are messages that a source could not read; they cannot be replayed. Correct what their reason "
    "names; new messages follow it.",
    "others": "belong to no sink of this configuration and are left as they are",
}
"""What may become of a letter, and what is said of those; a text where there is a line of its own."""


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
    """Send the letters of sinks to those sinks again; what is delivered is settled."""
    config = loaded(path, as_json=as_json)
    directory = log_directory(path, as_json=as_json)
    if not any(sink in (None, each.name) for each in config.sinks):
        click.echo(f"{path} has no sink {sink!r}" if sink else f"{path} has no sinks", err=True)
        return WRONG
    letters, is_whole = _chosen(directory, numbers)
    replay = _Replay(config, directory, sink)
    try:
        replay.run(letters)
    finally:
        replay.end()
    said = _say_replayed(replay.counts, replay.trouble, as_json=as_json)
    return said if is_whole else FAILED


def drop_letters(path: Path, *, as_json: bool, numbers: Sequence[int], before: datetime | None, really: bool) -> int:
    """Settle letters without sending them."""
    directory = log_directory(path, as_json=as_json)
    before_ns = round(before.timestamp() * 1e9) if before else None
    letters, is_whole = _chosen(directory, numbers)
    found = [each for each in letters if before_ns is None or each.letter.received_ns < before_ns]
    points = sum(each.letter.points for each in found)
    if really and found and (trouble := _settle(directory, found)):
        click.echo(trouble, err=True)
        return FAILED
    if as_json:
        click.echo(json.dumps({"letters": len(found), "points": points, "dropped": really}))
    elif really:
        click.echo(f"{len(found)} letters dropped")
    else:
        click.echo(f"{len(found)} letters, {points} points; nothing was changed. Say --yes to drop them.")
    return OK if is_whole and (really or not found) else FAILED


_LINE = re.compile(rb'(?:[^"\n]|"(?:[^"\\]|\\.)*")+\n?', re.DOTALL)


def lines_of(payload: bytes) -> list[bytes]:
    """The lines of a letter. A text in quotes may have line ends of its own."""
    return _LINE.findall(payload)


class _ServerError(Exception):
    """A plain 500: of this letter or of the server, nobody knows. The letter stays, the next ones are tried."""


class _Replay:
    """One walk over the letters. What was delivered is settled in blocks: after a kill, some are sent once more."""

    def __init__(self, config: AgentConfig, directory: Path, only: str | None) -> None:
        self.counts = dict.fromkeys(_COUNTS, 0)
        self.trouble = ""  # why it ended early
        self._directory = directory
        self._sinks = {each.name: each for each in config.sinks if only in (None, each.name)}
        self._sources = {each.name for each in config.sources}
        self._tells_others = only is None
        self._clients: dict[str, Client] = {}
        self._replaced = fields_replaced(series(directory))
        self._delivered: list[Letter] = []
        self._settled_s = time.monotonic()

    def run(self, letters: Iterable[Letter]) -> None:
        """Try each letter, until there is trouble that is not of one letter."""
        for each in letters:
            sink = self._sinks.get(each.letter.origin)
            if sink is None or not each.letter.where:  # without an address: values that our own code could not encode
                self.counts["of_sources" if each.letter.origin in self._sources else "others"] += self._tells_others
                continue
            try:
                what, said = self._try(sink, each)
            except Retry as retry:
                self.trouble = f"{sink.name}: {retry.reason}"
                return
            self.counts[what] += 1
            if said:
                click.echo(printable(f"letter {each.seq} {said}"), err=True)
            if self._is_due() and not self._settle():
                return

    def end(self) -> None:
        """Settle the rest, and give the connections back."""
        self._settle()
        for client in self._clients.values():
            client.close()

    def _try(self, sink: InfluxConfig, each: Letter) -> tuple[str, str]:
        """Which count it belongs to, and words about it. Raises Retry."""
        if found := self._replaced.search(each.letter.payload):
            name = found[1].decode("utf-8", "replace")
            return "figures", f"is not sent: it holds the figure {name}, which may have been corrected since"
        if sink.name not in self._clients:
            self._clients[sink.name] = Client(sink)
        try:
            refused = _refused(self._clients[sink.name].post, lines_of(each.letter.payload))
        except _ServerError as error:
            return "kept", f"is kept, the server failed: {error}"
        if refused:
            return "refused_again", f"was refused again: {refused}"
        self._delivered.append(each)
        return "replayed", ""

    def _is_due(self) -> bool:
        age_s = time.monotonic() - self._settled_s
        return len(self._delivered) >= _BLOCK_LETTERS or age_s >= _BLOCK_S

    def _settle(self) -> bool:
        """Settle what was delivered since the last time; `trouble` says why that is impossible."""
        delivered, self._delivered = self._delivered, []
        trouble = _settle(self._directory, delivered) if delivered else ""
        self.trouble = trouble or self.trouble
        self._settled_s = time.monotonic()
        return not trouble


def _chosen(directory: Path, numbers: Sequence[int]) -> tuple[Iterable[Letter], bool]:
    """The letters that nobody has settled, or those with these numbers, and whether each number is there."""
    if not numbers:
        return unhandled(directory), True
    found = [each for each in unhandled(directory) if each.seq in numbers]
    missing = sorted(set(numbers) - {each.seq for each in found})
    for number in missing:
        click.echo(f"no unsettled letter {number}", err=True)
    return found, not missing


def _refused(post: Post, lines: Sequence[bytes]) -> str:
    """Deliver lines, by halves where some are refused; what the server says of those, empty if it took them all.

    Raises Retry, and _ServerError for a plain 500.
    """
    answer = post(igzip.compress(b"".join(lines)))
    match judge(answer):
        case Verdict.DELIVERED:
            return ""
        case Verdict.HOLD if answer.status == 500:
            raise _ServerError(words(answer) or "status 500")
        case Verdict.HOLD:
            raise hold(answer)
        case _ if len(lines) > 1:
            half = len(lines) // 2
            said = [_refused(post, part) for part in (lines[:half], lines[half:])]
            return next(filter(None, said), "")
        case _:
            return words(answer) or f"status {answer.status}"


def _settle(directory: Path, letters: Sequence[Letter]) -> str:
    """Remember it; why that is impossible, empty when it is done. The files stay the agent's, also where root asks."""
    try:
        try:
            settle(directory, letters)
        finally:
            if os.geteuid() == 0:
                _give_to_owner(directory)
    except Locked:
        return "another `raceway dlq` is at work; try again when it has ended"
    except OSError as error:
        return f"{error.filename or directory / HANDLED} cannot be written; check the rights and the disk. ({error})"
    return ""


def _give_to_owner(directory: Path) -> None:
    owner = directory.stat()
    for name in (LOCK, HANDLED):
        with suppress(FileNotFoundError):
            os.chown(directory / name, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _say_replayed(counts: Mapping[str, int], trouble: str, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({**counts, "trouble": trouble}))
    else:
        click.echo(f"{counts['replayed']} letters replayed, {counts['refused_again']} refused again")
        for name, text in _COUNTS.items():
            if text and counts[name]:
                click.echo(f"{counts[name]} letters {text}")
        if trouble:
            click.echo(f"stopped, the rest is untouched: {trouble}", err=True)
    return FAILED if trouble or counts["refused_again"] or counts["kept"] else OK


def _row(each: Letter) -> tuple[str, ...]:
    letter = each.letter
    payload = letter.payload.decode("utf-8", "backslashreplace")
    shown = payload if len(payload) <= _SHOWN else f"{payload[:_SHOWN]}..."
    points = f"{letter.points:,}" if letter.points else ""
    return str(each.seq), local_time(letter.received_ns), letter.origin, letter.where, points, letter.reason, shown
