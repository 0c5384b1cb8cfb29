"""The command `raceway`. Each command imports what it needs when it is called, so that `check` answers at once."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import click

from agent import __version__
from agent.cli.discover import discover
from agent.cli.dlq import dlq
from agent.cli.footprint import check_pact, footprint
from agent.cli.ledger import ledger
from agent.cli.log import log
from agent.cli.options import FILE, INSTALLED_CONFIG, as_json, config_file
from agent.cli.report import report

ANSWER_AT_ONCE = ("check", "schema", "version")  # they log nothing


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
@config_file
def run(config: Path) -> None:
    """Run the agent until SIGTERM or Ctrl-C."""
    from agent.commands.run import run_agent

    sys.exit(run_agent(config))


@main.command()
@config_file
@as_json
def check(config: Path, as_json: bool) -> None:
    """Check CONFIG and its tag lists.

    Connects to nothing. Every problem is named with file, line and column, and what to do about it.
    """
    from agent.commands.check import check_file

    sys.exit(check_file(config, as_json=as_json))


@main.command()
@config_file
@as_json
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait for each peer.")
def test(config: Path, as_json: bool, timeout_s: float) -> None:
    """Connect to everything once, show each value.

    A table for each source and sink of CONFIG: value, unit, type, quality, timestamp and age, and what is wrong.
    """
    from agent.commands.test import test_connections

    sys.exit(test_connections(config, as_json=as_json, timeout_s=timeout_s))


@main.command()
@click.argument("config", type=FILE, default=INSTALLED_CONFIG)
@as_json
def status(config: Path, as_json: bool) -> None:
    """Show how the running agent is.

    CONFIG is the file that it runs with; /etc/raceway/plant.yaml where it is not given.
    """
    from agent.commands.status import show_status

    sys.exit(show_status(config, as_json=as_json))


@main.command()
@click.argument("path", type=FILE, default=INSTALLED_CONFIG)
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
@config_file
@click.option("--approve", multiple=True, metavar="FINGERPRINT", help="Trust this certificate from now on.")
@as_json
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait for each server.")
def trust(config: Path, approve: tuple[str, ...], as_json: bool, timeout_s: float) -> None:
    """Show and approve certificates of OPC UA servers.

    Fingerprint, subject, validity and where each one came from; our own, too, for the machines. Nothing is trusted
    before it was approved.
    """
    from agent.commands.trust import manage_trust

    sys.exit(manage_trust(config, approve=approve, as_json=as_json, timeout_s=timeout_s))


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
@as_json
def version(as_json: bool) -> None:
    """Print the versions in use."""
    facts = {"raceway": __version__, "python": platform.python_version(), "system": platform.platform()}
    click.echo(json.dumps(facts) if as_json else "\n".join(f"{name} {value}" for name, value in facts.items()))


for group in (discover, dlq, ledger, log, report):
    main.add_command(group)
for command in (footprint, check_pact):
    report.add_command(command)
