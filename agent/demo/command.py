"""The command line of the demonstration."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from agent.demo.files import MACHINES, METERS, Influx
from agent.demo.processes import DidNotWork, Status
from agent.demo.run import Outcome, Wish, demonstrate

OK, FAILED, INTERRUPTED = 0, 1, 130
PORT = 8484
PLAIN_LINE_EVERY_S, PLAIN_WAIT_EVERY_S = 10.0, 2.0
_PROTOCOL = {"opcua": "OPC UA", "mqtt": "MQTT"}
_UNIT_S = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def duration(text: str) -> float:
    """Seconds, from 60s, 5min or 2h; what click calls to convert an option."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no length of time; write 60s, 5min or 2h")
    return float(match[1]) * _UNIT_S[match[2]]


@click.command()
@click.option("--for", "for_s", type=duration, help="End after this long: 60s, 5min. Without it, Ctrl-C ends it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output at the end, for scripts.")
@click.option("--port", type=click.IntRange(0, 65535), help=f"Port of the page; {PORT} if it is free, else any.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep configuration, log and data here.")
@click.option("--influx", "url", help="Stream to this InfluxDB as well, like http://192.168.1.20:8086.")
@click.option("--org", help="Its organisation.")
@click.option("--bucket", help="The bucket to write into.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a token that may write.",
)
def command(
    for_s: float | None,
    as_json: bool,
    port: int | None,
    keep: Path | None,
    url: str | None,
    org: str | None,
    bucket: str | None,
    token_file: Path | None,
) -> None:
    """Show the whole chain on this machine, with a simulated bearing plant.

    Ends with code 1 if any value that the plant emitted is missing, or if two counts do not agree.
    """
    influx = Influx(url, org, bucket, token_file) if url and org and bucket and token_file else None
    if influx is None and (url or org or bucket or token_file):
        raise click.UsageError("--influx, --org, --bucket and --token-file belong together")
    if importlib.util.find_spec("amqtt") is None:
        raise click.UsageError("the simulated broker is not part of a gateway; in a checkout run: scripts/demo")
    with _folder(keep) as directory:
        live = LiveLine()
        wish = Wish(
            directory,
            for_s,
            _free(PORT) if port is None else port,
            influx,
            live.show,
            live.say,
            live.wait,
            port is None,
        )
        try:
            outcome = asyncio.run(demonstrate(wish))
        except DidNotWork as error:
            live.say(f"The demonstration did not work: {error}")
            sys.exit(FAILED)
        except asyncio.CancelledError:
            live.say("Ended at once, nothing was counted.")
            sys.exit(INTERRUPTED)
        _report(outcome, live, as_json=as_json, kept=keep)
    sys.exit(FAILED if outcome.disagreements() else OK)


def _free(port: int) -> int:
    """The port, or 0 where somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise click.UsageError(f"{keep} is not empty; name a new folder, the demonstration starts from nothing")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="raceway-demo-") as name:
        yield Path(name)


def _report(outcome: Outcome, live: LiveLine, *, as_json: bool, kept: Path | None) -> None:
    if as_json:
        click.echo(json.dumps(outcome.as_dict(), ensure_ascii=False))
    for wrong in outcome.disagreements():
        live.say(f"WRONG: {wrong}.")
    read = f"{outcome.read['opcua']:,} points read from OPC UA and {outcome.read['mqtt']:,} from MQTT"
    delivered = "" if outcome.delivered is None else f", {outcome.delivered:,} delivered to InfluxDB"
    live.say(
        f"{read}; {outcome.durable:,} on disk, {outcome.history:,} in the history{delivered}; "
        f"{outcome.lost} of those emitted are lost."
    )
    if kept is not None:
        live.say(f"Kept in {kept}: plant.yaml and its tag list, the log and the history in data/, the ledger.")


class LiveLine:
    """Where values are in the chain: one line that changes on a terminal, a new line now and then elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._width = 0
        self._next = 0.0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        click.echo(text, err=True)

    def show(self, status: Status) -> None:
        """The live line."""
        self._line(chain(status), every_s=PLAIN_LINE_EVERY_S)

    def wait(self, what: str) -> None:
        """What keeps it from going on, instead of the live line."""
        self._line(what, every_s=PLAIN_WAIT_EVERY_S)

    def _line(self, text: str, *, every_s: float) -> None:
        if self._is_terminal:
            text = text[: shutil.get_terminal_size().columns - 1]  # a wrapped line could not be cleared
            self._clear()
            click.echo(text, err=True, nl=False)
            self._width = len(text)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + every_s
            click.echo(text, err=True)

    def _clear(self) -> None:
        if self._width:
            click.echo("\r" + " " * self._width + "\r", err=True, nl=False)
            self._width = 0


def chain(status: Status) -> str:
    """Read → durable → each sink, in one line."""
    plant = [source for name, source in status["sources"].items() if name in (MACHINES, METERS)]
    read = " + ".join(f"{source['points']:,} {_PROTOCOL[source['kind']]}" for source in plant)
    sinks = ", ".join(f"{name} {sink['pending_points']:,} waiting" for name, sink in status["sinks"].items())
    return f"read {read} → on disk {sum(source['points'] for source in plant):,} → {sinks}"
