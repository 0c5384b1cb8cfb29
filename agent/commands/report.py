"""`raceway report`: energy and carbon from the evidence in the log, while the agent runs or not."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from agent.carbon.basis import bases, changes, plan_of
from agent.carbon.chain import Unknown, explain
from agent.carbon.compare import check_rows
from agent.carbon.config import CarbonConfig
from agent.carbon.evidence import HORIZON_NS, Kept, gather
from agent.carbon.orders import By, order_rows
from agent.carbon.performance import machine_rows, target_rows
from agent.carbon.plan import Plan, make_plan
from agent.carbon.render import FORMATS, PLAIN_FORMATS
from agent.carbon.report import Moment, make_report
from agent.carbon.windows import NS, WindowKind
from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.commands.footprint import scope3_of
from agent.commands.ledger import books_in
from agent.commands.log import log_directory
from agent.commands.output import put
from agent.config import AgentConfig
from agent.store import inspect


def write_report(
    path: Path,
    what: str,
    *,
    from_: datetime,
    to: datetime,
    window: WindowKind,
    form: str,
    only: str,
    out: Path | None,
    basis: str,
) -> int:
    """Write the report; a time without a zone is plant time."""
    plan, config, directory = _opened(path, basis)
    start_ns, end_ns = (_plant_ns(plan, moment) for moment in (from_, to))
    if end_ns <= start_ns:
        click.echo("the report ends before it begins; --to is the first day that is not in it", err=True)
        return WRONG
    if form == "xlsx" and out is None:
        click.echo("a workbook needs a file; add --out report.xlsx", err=True)
        return WRONG
    evidence = gather(plan, config.plant, inspect.records(directory, start_ns - HORIZON_NS))
    report = make_report(plan, evidence, start_ns, end_ns, kind=window, only=only, plant=config.plant)
    if what == "carbon" and not basis:  # a basis does not hold the factors of footprints
        report.totals.update(scope3_of(config, plan, directory, start_ns, end_ns))
    content = FORMATS[form](report, plan, what)
    code = put(content, out, what="the report")
    if code != OK or out is None:
        return code
    click.echo(f"{out}: {len(report.statements):,} statements", err=True)
    return OK


def write_table(path: Path, what: str, *, from_: datetime, to: datetime, form: str, basis: str, by: By = "mass") -> int:
    """Print the table of machines, check meters or orders by day, or of targets."""
    plan, config, directory = _opened(path, basis)
    start_ns, end_ns = (_plant_ns(plan, moment) for moment in (from_, to))
    evidence = _evidence(plan, config.plant, directory)
    match what:
        case "targets":
            if not plan.targets:
                click.echo(f"{path} has no carbon.targets; add one with its baseline", err=True)
                return WRONG
            found = list(target_rows(plan, evidence, start_ns, end_ns))
        case "checks":
            found = list(check_rows(plan, evidence, start_ns, end_ns, kind="day"))
        case "orders":
            made = books_in(directory).of("production")
            found = list(order_rows(plan, evidence, made, start_ns, end_ns, by=by))
        case _:
            found = list(machine_rows(plan, evidence, start_ns, end_ns, kind="day"))
    sys.stdout.buffer.write(PLAIN_FORMATS[form](found))
    return OK


def list_bases(path: Path) -> int:
    """Print every basis, the oldest first, and what changed."""
    plan, config, directory = _opened(path, "")
    local = Moment(plan)
    before = None
    for basis in bases(config.plant, inspect.records(directory)):
        in_use = ", in use" if basis.version == plan.version else ""
        click.echo(f"{basis.version} since {local(basis.since_ns)[:19]}{in_use}")
        for line in changes(before, basis):
            click.echo(f"  {line}")
        before = basis
    return OK


def explain_figure(path: Path, name: str, *, basis: str) -> int:
    """Print the chain of one statement."""
    plan, config, directory = _opened(path, basis)
    try:
        for line in explain(plan, _evidence(plan, config.plant, directory), name):
            click.echo(line)
    except Unknown as unknown:
        click.echo(str(unknown), err=True)
        return WRONG
    return OK


def _evidence(plan: Plan, plant: str, directory: Path) -> list[Kept]:
    return gather(plan, plant, inspect.records(directory))


def _opened(path: Path, basis: str) -> tuple[Plan, AgentConfig, Path]:
    """The plan, the settings and the folder of its log; ends the program where there is nothing to report.

    basis: the beginning of the version that is to be computed with; empty for the settings as they are.
    """
    config = loaded(path)
    carbon: CarbonConfig | None = config.carbon
    if carbon is None:
        click.echo(f"{path} has no 'carbon:' block; nothing is accounted", err=True)
        raise SystemExit(WRONG)
    directory = log_directory(path)
    if not basis:
        return make_plan(carbon), config, directory
    known = bases(config.plant, inspect.records(directory))
    found = {one.version: one for one in known if one.version.startswith(basis)}
    if len(found) != 1:
        click.echo(f"{'no' if not found else 'more than one'} basis '{basis}'; see raceway report bases", err=True)
        raise SystemExit(WRONG)
    try:
        return plan_of(found.popitem()[1]), config, directory
    except (KeyError, ValueError) as error:
        click.echo(f"the basis '{basis}' is of another version of Raceway; compute with that one ({error})", err=True)
        raise SystemExit(FAILED) from error


def _plant_ns(plan: Plan, moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=plan.calendar.zone)
    return round(moment.timestamp()) * NS
