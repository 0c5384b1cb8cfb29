"""`raceway discover`: what a server or a broker has."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from agent.cli.options import FILE


@click.group()
def discover() -> None:
    """Find out what a server or a broker has, as a tag list."""


@discover.command("opcua")
@click.argument("target")
@click.option("--source", default="", help="Which source, where TARGET is a configuration with several.")
@click.option("-o", "--out", type=FILE, help="Write the CSV here, for Excel.")
@click.option("--diff", type=FILE, help="Compare with this list: nodes gone, new, of another type.")
@click.option("--depth", type=click.IntRange(1, 50), default=10, show_default=True, help="Levels below Objects.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Browse paths to take: 'Machines/*/Spindle*'.")
@click.option("--without", multiple=True, metavar="PATTERN", help="Browse paths to leave out.")
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=20, show_default=True, help="Calls a second at most.")
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait for the server.")
def discover_opcua_command(
    target: str,
    source: str,
    out: Path | None,
    diff: Path | None,
    depth: int,
    only: tuple[str, ...],
    without: tuple[str, ...],
    rate: float,
    timeout_s: float,
) -> None:
    """Browse an OPC UA server.

    TARGET is an address like opc.tcp://192.168.1.10:4840, or a configuration file whose source has the account and the
    certificates. The CSV suggests machine, signal, unit and kind; edit it and name it in tags_from.
    """
    from agent.commands.discover import Wish, discover_opcua

    wish = Wish(depth, only, without, rate, timeout_s)
    sys.exit(discover_opcua(target, source=source, out=out, diff=diff, wish=wish))


@discover.command("mqtt")
@click.argument("target")
@click.option("--source", default="", help="Which source, where TARGET is a configuration with several.")
@click.option("-o", "--out", type=FILE, help="Write the configuration here.")
@click.option("--topic", "topics", multiple=True, default=("#",), show_default=True, help="What to listen to.")
@click.option("--for", "for_s", default="60s", show_default=True, help="How long to listen: 60s, 5min.")
def discover_mqtt_command(target: str, source: str, out: Path | None, topics: tuple[str, ...], for_s: str) -> None:
    """Listen to an MQTT broker.

    TARGET is an address like mqtt://192.168.1.20:1883, or a configuration file whose source has the account and the
    certificates. What comes out has a mapping for each kind of message: topic template, shape, types, and the profile
    that it looks like. Nothing is published.
    """
    from agent.commands.discover_mqtt import discover_mqtt

    found = re.fullmatch(r"(\d+(?:\.\d+)?) *(s|min|h)?", for_s)
    if found is None or not 0 < float(found[1]) < 100_000:
        raise click.BadParameter(f"{for_s!r} is no duration; write 60s, 5min or 1h", param_hint="--for")
    seconds = float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2] or "s"]
    sys.exit(discover_mqtt(target, source=source, out=out, topics=topics, for_s=seconds))
