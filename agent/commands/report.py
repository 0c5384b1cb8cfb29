"""`raceway report`: energy and carbon from the evidence in the log, while the agent runs or not."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from agent.carbon.chain import Unknown, explain
from agent.carbon.config import CarbonConfig
from agent.carbon.evidence import HORIZON_NS, Kept, gather
from agent.carbon.performance import machine_rows, target_rows
from agent.carbon.plan import Plan, make_plan
from agent.carbon.render import FORMATS, PLAIN_FORMATS
from agent.carbon.report import make_report
from agent.carbon.windows import NS, WindowKind
from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.commands.log import log_directory
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
) -> int:
    """Write the report; a time without a zone is plant time."""
    plan, plant, directory = _opened(path)
    start_ns, end_ns = (_plant_ns(plan, moment) for moment in (from_, to))
    if end_ns <= start_ns:
        click.echo("the report ends before it begins; --to is the first day that is not in it", err=True)
        return WRONG
    if form == "xlsx" and out is None:
        click.echo("a workbook needs a file; add --out report.xlsx", err=True)
        return WRONG
    evidence = gather(plan, plant, inspect.records(directory, start_ns - HORIZON_NS))
    report = make_report(plan, evidence, start_ns, end_ns, kind=window, only=only)
    content = FORMATS[form](report, plan, what)
    if out is None:
        sys.stdout.buffer.write(content)
        return OK
    try:
        out.write_bytes(content)
    except OSError as error:
        click.echo(f"the report cannot be written to {out} ({error.strerror}); name another file", err=True)
        return FAILED
    click.echo(f"{out}: {len(report.statements):,} statements", err=True)
    return OK


def write_table(path: Path, what: str, *, from_: datetime, to: datetime, form: str) -> int:
    """Print the table of machines by day, or of targets."""
    plan, plant, directory = _opened(path)
    start_ns, end_ns = (_plant_ns(plan, moment) for moment in (from_, to))
    evidence = _evidence(plan, plant, directory)
    if what == "targets":
        if not plan.targets:
            click.echo(f"{path} has no carbon.targets; add one with its baseline", err=True)
            return WRONG
        found = list(target_rows(plan, evidence, start_ns, end_ns))
    else:
        found = list(machine_rows(plan, evidence, start_ns, end_ns, kind="day"))
    sys.stdout.buffer.write(PLAIN_FORMATS[form](found))
    return OK


def explain_figure(path: Path, name: str) -> int:
    """Print the chain of one statement."""
    plan, plant, directory = _opened(path)
    try:
        for line in explain(plan, _evidence(plan, plant, directory), name):
            click.echo(line)
    except Unknown as unknown:
        click.echo(str(unknown), err=True)
        return WRONG
    return OK


def _evidence(plan: Plan, plant: str, directory: Path) -> list[Kept]:
    return gather(plan, plant, inspect.records(directory))


def _opened(path: Path) -> tuple[Plan, str, Path]:
    """The plan, the plant's name and the folder of its log; ends the program where there is nothing to report."""
    config = loaded(path)
    carbon: CarbonConfig | None = config.carbon
    if carbon is None:
        click.echo(f"{path} has no 'carbon:' block; nothing is accounted", err=True)
        raise SystemExit(WRONG)
    return make_plan(carbon), config.plant, log_directory(path)


def _plant_ns(plan: Plan, moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=plan.calendar.zone)
    return round(moment.timestamp()) * NS
