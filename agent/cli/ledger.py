"""`raceway ledger`: forms for people, and what stands in them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from agent.cli.options import FILE, INSTALLED_CONFIG, as_json
from collectors.ledger.forms import FORMS


@click.group()
def ledger() -> None:
    """Print forms to fill in, and list what was written in them."""


@ledger.command("template")
@click.argument("kind", type=click.Choice(tuple(FORMS)))
@click.option("--format", "form", type=click.Choice(("csv", "xlsx")), default="csv")
@click.option("--out", type=FILE, help="The file to write; without it, standard output.")
def ledger_template(kind: str, form: str, out: Path | None) -> None:
    """Print an empty form, its columns in English and Chinese."""
    from agent.commands.ledger import write_template

    sys.exit(write_template(kind, form=form, out=out))


@ledger.command("list")
@click.argument("path", type=FILE, default=INSTALLED_CONFIG)
@click.option("--kind", type=click.Choice(tuple(FORMS)), help="Only this kind.")
@as_json
def ledger_list(path: Path, kind: str | None, as_json: bool) -> None:
    """List the entries in force, and what contradicts itself.

    PATH is a configuration file, or the data_dir of an agent. Entries that were corrected are left out.
    """
    from agent.commands.ledger import list_entries

    sys.exit(list_entries(path, kind=kind or "", as_json=as_json))
