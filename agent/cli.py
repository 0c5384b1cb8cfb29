"""The command `raceway`. Each command imports what it needs when it is called, so that `check` answers at once."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from agent import __version__

_FILE = click.Path(path_type=Path)
_config = click.argument("config", type=_FILE)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, for scripts.")
ANSWER_AT_ONCE = ("check", "schema", "version")  # they log nothing
INSTALLED_CONFIG = Path("/etc/raceway/plant.yaml")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="raceway")
@click.pass_context
def main(context: click.Context) -> None:
    """Raceway collects what machines and meters say, keeps it safe, and brings it to InfluxDB.

    Exit codes: 0 well, 1 failed or a peer is unreachable, 2 the configuration or the command line is wrong.
    """
    if context.invoked_subcommand not in ANSWER_AT_ONCE:
        from agent.telemetry import configure_for_a_command

        configure_for_a_command()  # standard output belongs to the answer


@main.command()
@_config
def run(config: Path) -> None:
    """Run the agent until SIGTERM or Ctrl-C."""
    from agent.commands.run import run_agent

    sys.exit(run_agent(config))


@main.command()
@_config
@_json
def check(config: Path, as_json: bool) -> None:
    """Check CONFIG and its tag lists.

    Connects to nothing. Every problem is named with file, line and column, and what to do about it.
    """
    from agent.commands.check import check_file

    sys.exit(check_file(config, as_json=as_json))


@main.command()
@_config
@_json
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait for each peer.")
def test(config: Path, as_json: bool, timeout_s: float) -> None:
    """Connect to everything once, show each value.

    A table for each source and sink of CONFIG: value, unit, type, quality, timestamp and age, and what is wrong.
    """
    from agent.commands.test import test_connections

    sys.exit(test_connections(config, as_json=as_json, timeout_s=timeout_s))


@main.command()
@click.argument("config", type=_FILE, default=INSTALLED_CONFIG)
@_json
def status(config: Path, as_json: bool) -> None:
    """Show how the running agent is.

    CONFIG is the file that it runs with; /etc/raceway/plant.yaml where it is not given.
    """
    from agent.commands.status import show_status

    sys.exit(show_status(config, as_json=as_json))


@main.command()
@click.argument("path", type=_FILE, default=INSTALLED_CONFIG)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--days", type=click.FloatRange(min=0), help="Only those of the last days.")
def gaps(path: Path, as_json: bool, days: float | None) -> None:
    """List the holes in the data, and what came back.

    PATH is a configuration file, or the data_dir of an agent. Each hole has its cause: a lost link, a restarted server,
    a queue that was too small, the agent away, a full disk.
    """
    import time

    from agent.commands.gaps import show_gaps

    since_ns = time.time_ns() - int(days * 86_400e9) if days else 0
    sys.exit(show_gaps(path, as_json=as_json, since_ns=since_ns))


@main.command()
@_config
@click.option("--approve", multiple=True, metavar="FINGERPRINT", help="Trust this certificate from now on.")
@_json
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait for each server.")
def trust(config: Path, approve: tuple[str, ...], as_json: bool, timeout_s: float) -> None:
    """Show and approve certificates of OPC UA servers.

    Fingerprint, subject, validity and where each one came from; our own, too, for the machines. Nothing is trusted
    before it was approved.
    """
    from agent.commands.trust import manage_trust

    sys.exit(manage_trust(config, approve=approve, as_json=as_json, timeout_s=timeout_s))


@main.group()
def discover() -> None:
    """Find out what a server or a broker has, as a tag list."""


@discover.command("opcua")
@click.argument("target")
@click.option("--source", default="", help="Which source, where TARGET is a configuration with several.")
@click.option("-o", "--out", type=_FILE, help="Write the CSV here, for Excel.")
@click.option("--diff", type=_FILE, help="Compare with this list: nodes gone, new, of another type.")
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
@click.option("-o", "--out", type=_FILE, help="Write the configuration here.")
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


@main.group()
def log() -> None:
    """Look into the durable log: verify, dump, status; or rewind a sink.

    PATH is a configuration file, or the data_dir of an agent. All but rewind write nothing, and the agent may run.
    """


_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]
_log_path = click.argument("path", type=_FILE)


@log.command("verify")
@_log_path
@_json
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
@_config
@_json
@click.option("--sink", required=True, help="The name of the sink, as in CONFIG.")
@click.option("--to", type=click.DateTime(_TIMES), required=True, help="Local time, like 2026-11-24T08:00:00.")
def log_rewind(config: Path, sink: str, to: datetime, as_json: bool) -> None:
    """Send again what a sink has delivered since a time.

    For a database that was restored or lost its newest data. Delivered values are kept for store.rewind_hours. Sending
    a value twice changes nothing in InfluxDB. The agent must not be running.
    """
    from agent.commands.rewind import rewind_log

    sys.exit(rewind_log(config, sink=sink, to=to, as_json=as_json))


@log.command("status")
@_log_path
@_json
def log_status(path: Path, as_json: bool) -> None:
    """Show what is kept, and how far its readers are."""
    from agent.commands.log import log_status

    sys.exit(log_status(path, as_json=as_json))


@main.group()
def report() -> None:
    """Energy, cost and carbon from the log's evidence.

    CONFIG is the file that the agent runs with. Nothing is written to the log, the agent may be running.
    """


def _span(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every report takes."""
    day = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M"))
    for option in (
        click.option("--out", type=_FILE, help="The file to write; without it, standard output."),
        click.option("--only", default="", help="Only this account, medium or level (meter, line, plant, remainder)."),
        click.option("--format", "form", type=click.Choice(("csv", "json", "html", "xlsx")), default="csv"),
        click.option("--window", type=click.Choice(("slot", "hour", "shift", "day", "month")), default="day"),
        click.option("--to", required=True, type=day, help="The first day or time that is not in it."),
        click.option("--from", "from_", required=True, type=day, help="The first day or time, plant time."),
        click.argument("config", type=_FILE, default=INSTALLED_CONFIG),
    ):
        command = option(command)
    return command


@report.command("energy")
@_span
def report_energy(config: Path, **options: Any) -> None:
    """Amounts, coal equivalents and cost of every account and window."""
    from agent.commands.report import write_report

    sys.exit(write_report(config, "energy", **options))


@report.command("carbon")
@_span
def report_carbon(config: Path, **options: Any) -> None:
    """CO2 of every account and window, and the plant's total in the shape of GB/T 32150."""
    from agent.commands.report import write_report

    sys.exit(write_report(config, "carbon", **options))


_table_options = (
    click.option("--format", "form", type=click.Choice(("csv", "json")), default="csv"),
    click.option("--to", required=True, type=click.DateTime(("%Y-%m-%d",)), help="The first day that is not in it."),
    click.option("--from", "from_", required=True, type=click.DateTime(("%Y-%m-%d",)), help="The first day."),
    click.argument("config", type=_FILE, default=INSTALLED_CONFIG),
)


def _table(command: Callable[..., None]) -> Callable[..., None]:
    for option in _table_options:
        command = option(command)
    return command


@report.command("machines")
@_table
def report_machines(config: Path, **options: Any) -> None:
    """Each day's electricity by machine.

    Own meters, rules, pieces, energy a piece, off, standby and running; and what belongs to no machine.
    """
    from agent.commands.report import write_table

    sys.exit(write_table(config, "machines", **options))


@report.command("targets")
@_table
def report_targets(config: Path, **options: Any) -> None:
    """Energy against its baseline and target: expected for the output, saved, saved so far."""
    from agent.commands.report import write_table

    sys.exit(write_table(config, "targets", **options))


@report.command("explain")
@click.argument("name", metavar="ID")
@click.argument("config", type=_FILE, default=INSTALLED_CONFIG)
def report_explain(name: str, config: Path) -> None:
    """Print the chain of one figure.

    ID is copied from a report. From kilograms of CO2 over factors and documents down to readings and log positions.
    """
    from agent.commands.report import explain_figure

    sys.exit(explain_figure(config, name))


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def demo(options: tuple[str, ...]) -> None:
    """Show it all with a simulated plant."""
    from agent.demo.command import command

    command.main(list(options), prog_name="raceway demo")


@main.command()
def schema() -> None:
    """Print the JSON Schema of CONFIG, for editors."""
    from agent.config import json_schema

    click.echo(json_schema(), nl=False)


@main.command()
@_json
def version(as_json: bool) -> None:
    """Print the versions in use."""
    facts = {"raceway": __version__, "python": platform.python_version(), "system": platform.platform()}
    click.echo(json.dumps(facts) if as_json else "\n".join(f"{name} {value}" for name, value in facts.items()))
