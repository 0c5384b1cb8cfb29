"""`raceway report footprint`: a product's footprint from the log, as a report or as a document for customers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from agent.carbon.account import Figure
from agent.carbon.config import CarbonConfig
from agent.carbon.evidence import HORIZON_NS, gather
from agent.carbon.factors import ProductFactor
from agent.carbon.footprint.aas import aas_environment, aas_package
from agent.carbon.footprint.booked import Known
from agent.carbon.footprint.catenax import catenax_document
from agent.carbon.footprint.compute import Footprint, footprint_of
from agent.carbon.footprint.config import FootprintConfig
from agent.carbon.footprint.document import Refused, pact_document
from agent.carbon.footprint.label import document_bytes, label_page, label_svg
from agent.carbon.footprint.pact import troubles
from agent.carbon.footprint.page import footprint_json, footprint_page
from agent.carbon.footprint.scope3 import scope3
from agent.carbon.plan import Plan, make_plan
from agent.carbon.report import make_report
from agent.carbon.rules import read_registers
from agent.carbon.statement import Statement
from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.commands.ledger import books_in
from agent.commands.log import log_directory
from agent.commands.output import put
from agent.config import AgentConfig
from agent.store import inspect
from collectors.ledger.books import Books


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    config: FootprintConfig
    plan: Plan
    found: Footprint
    books: Books
    replaces: Sequence[str]
    out: Path | None

    def pact(self) -> dict[str, object]:
        """The document; raises Refused."""
        zone, now = self.plan.calendar.zone, datetime.now(UTC)
        return pact_document(self.found, self.config, zone=zone, created=now, replaces=self.replaces)

    def ends_with(self, suffix: str) -> bool:
        """Whether the file that is to be written is called so."""
        return self.out is not None and self.out.suffix.lower() == suffix


def _aas(wanted: Wanted) -> bytes:
    pact = wanted.pact()
    return aas_package(pact) if wanted.ends_with(".aasx") else document_bytes(aas_environment(pact))


def _label(wanted: Wanted) -> bytes:
    form = label_svg if wanted.ends_with(".svg") else label_page
    return form(wanted.pact(), address=wanted.config.address, zone=wanted.plan.calendar.zone)


FORMATS: dict[str, Callable[[Wanted], bytes]] = {
    "json": lambda wanted: footprint_json(wanted.found, wanted.books),
    "html": lambda wanted: footprint_page(wanted.found, wanted.books),
    "pact": lambda wanted: document_bytes(wanted.pact()),
    "catena-x": lambda wanted: document_bytes(catenax_document(wanted.pact())),
    "aas": _aas,
    "label": _label,
}


def write_footprint(
    path: Path, *, product: str, from_: datetime, to: datetime, form: str, out: Path | None, replaces: Sequence[str]
) -> int:
    """Compute and write it; says what is lacking, and then writes reports only."""
    config = loaded(path)
    if config.footprint is None:
        click.echo(f"{path} has no 'footprint:' block; add one with its products", err=True)
        return WRONG
    if config.footprint.product(product) is None:
        known = ", ".join(one.number for one in config.footprint.products)
        click.echo(f"'{product}' is no product in footprint.products; there are {known}", err=True)
        return WRONG
    if to <= from_:
        click.echo("the period ends before it begins; --to is the first day that is not in it", err=True)
        return WRONG
    wanted = _computed(config, config.footprint, log_directory(path), product, (from_.date(), to.date()), replaces, out)
    for lack in wanted.found.lacks:
        click.echo(f"incomplete, lacks {lack}", err=True)
    try:
        content = FORMATS[form](wanted)
    except Refused as refused:
        if wanted.found.kg_per_piece is not None:
            click.echo("\n".join(refused.reasons), err=True)
        click.echo(f"no {form} document is written; --format json shows everything that is known", err=True)
        return FAILED
    return put(content, out, what="it")


def _computed(
    config: AgentConfig,
    given: FootprintConfig,
    directory: Path,
    product: str,
    days: tuple[date, date],
    replaces: Sequence[str],
    out: Path | None,
) -> Wanted:
    assert config.carbon is not None, "the check insists on it"
    plan = make_plan(config.carbon)
    books = books_in(directory)
    known = _known(config.carbon, given, plan, books, days)
    made = given.product(product)
    assert made is not None, "it was looked for"
    lines = any("line" in one.values for one in books.of("production"))
    statements = _statements(plan, config.plant, directory, days, ("plant", "line") if lines else ("plant",))
    found = footprint_of(made, days, books=books, statements=statements, known=known)
    return Wanted(given, plan, found, books, replaces, out)


def _known(carbon: CarbonConfig, given: FootprintConfig, plan: Plan, books: Books, days: tuple[date, date]) -> Known:
    register = read_registers(carbon.factors.registers)
    return Known(
        config=given,
        factors={one.id: one for one in register if isinstance(one, ProductFactor)},
        media=plan.product,
        offered=tuple(books.of("supplier_footprints")),
        period=days[1] - timedelta(days=1),
    )


def scope3_of(config: AgentConfig, plan: Plan, directory: Path, from_ns: int, to_ns: int) -> dict[str, Figure]:
    """What the ledger knows of scope 3 in whole days of a span; nothing where footprints are not configured."""
    if config.carbon is None or config.footprint is None:
        return {}
    days = plan.calendar.local(from_ns).date(), plan.calendar.local(to_ns - 1).date() + timedelta(days=1)
    books = books_in(directory)
    return scope3(books, days, _known(config.carbon, config.footprint, plan, books, days))


def _statements(
    plan: Plan, plant: str, directory: Path, days: tuple[date, date], levels: Sequence[str]
) -> list[Statement]:
    """Each day's energy of the plant, and of its lines where they are wanted."""
    start_ns, end_ns = (plan.calendar.midnight(day) for day in days)
    evidence = gather(plan, plant, inspect.records(directory, start_ns - HORIZON_NS))
    return [
        one
        for level in levels
        for one in make_report(plan, evidence, start_ns, end_ns, kind="day", only=level, with_trails=False).statements
    ]


def check_document(path: Path) -> int:
    """Say every field of a document that breaks a rule."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        click.echo(f"{path} cannot be read ({error.strerror}); check its name", err=True)
        return WRONG
    except ValueError as error:
        click.echo(f"{path} is no JSON ({error}); ask for the document again", err=True)
        return FAILED
    found = troubles(document)
    for field, why in found:
        click.echo(f"{field}: {why}")
    click.echo(f"{path}: {len(found)} fields are wrong" if found else f"{path}: keeps the rules of PACT 3.0.3")
    return FAILED if found else OK
