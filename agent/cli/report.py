"""`raceway report`: energy, cost and carbon from the log's evidence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from agent.cli.options import FILE, INSTALLED_CONFIG


@click.group()
def report() -> None:
    """Energy, cost and carbon from the log's evidence.

    CONFIG is the file that the agent runs with. Nothing is written to the log, the agent may be running.
    """


_basis = click.option("--basis", default="", help="Compute as an earlier basis did; `report bases` lists them.")


def _span(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every report takes."""
    day = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M"))
    for option in (
        click.option("--out", type=FILE, help="The file to write; without it, standard output."),
        click.option("--only", default="", help="Only this account, medium or level (meter, line, plant, remainder)."),
        click.option("--format", "form", type=click.Choice(("csv", "json", "html", "xlsx")), default="csv"),
        _basis,
        click.option("--window", type=click.Choice(("slot", "hour", "shift", "day", "month")), default="day"),
        click.option("--to", required=True, type=day, help="The first day or time that is not in it."),
        click.option("--from", "from_", required=True, type=day, help="The first day or time, plant time."),
        click.argument("config", type=FILE, default=INSTALLED_CONFIG),
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
    _basis,
    click.option("--format", "form", type=click.Choice(("csv", "json")), default="csv"),
    click.option("--to", required=True, type=click.DateTime(("%Y-%m-%d",)), help="The first day that is not in it."),
    click.option("--from", "from_", required=True, type=click.DateTime(("%Y-%m-%d",)), help="The first day."),
    click.argument("config", type=FILE, default=INSTALLED_CONFIG),
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


@report.command("checks")
@_table
def report_checks(config: Path, **options: Any) -> None:
    """Each day of each check meter beside the meter that it checks, and how far the two are apart."""
    from agent.commands.report import write_table

    sys.exit(write_table(config, "checks", **options))


@report.command("orders")
@click.option("--by", type=click.Choice(("mass", "pieces")), default="mass", help="How a line's day is divided.")
@_table
def report_orders(config: Path, **options: Any) -> None:
    """Electricity and CO2 of orders and products, by what the ledger says was made each day and on which line."""
    from agent.commands.report import write_table

    sys.exit(write_table(config, "orders", **options))


@report.command("bases")
@click.argument("config", type=FILE, default=INSTALLED_CONFIG)
def report_bases(config: Path) -> None:
    """List what figures were computed with, since when, and what changed: settings and factors.

    A changed factor makes a new basis. Any report can be made with an earlier one: --basis.
    """
    from agent.commands.report import list_bases

    sys.exit(list_bases(config))


@report.command("explain")
@_basis
@click.argument("name", metavar="ID")
@click.argument("config", type=FILE, default=INSTALLED_CONFIG)
def report_explain(name: str, config: Path, basis: str) -> None:
    """Print the chain of one figure.

    ID is copied from a report. From kilograms of CO2 over factors and documents down to readings and log positions.
    """
    from agent.commands.report import explain_figure

    sys.exit(explain_figure(config, name, basis=basis))
