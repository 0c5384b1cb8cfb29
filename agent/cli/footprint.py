"""`raceway report footprint` and `check-pact`: footprints of products, and documents about them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agent.cli.options import FILE, INSTALLED_CONFIG


@click.command("footprint")
@click.option("--product", required=True, help="Its number, as the ledger and the settings call it.")
@click.option("--from", "from_", required=True, type=click.DateTime(("%Y-%m-%d",)), help="The first day.")
@click.option("--to", required=True, type=click.DateTime(("%Y-%m-%d",)), help="The first day that is not in it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("json", "html", "pact", "catena-x", "aas", "label")),
    default="json",
    help="json and html hold all evidence; the others are documents, which an incomplete footprint does not become.",
)
@click.option("--out", type=FILE, help="The file to write; .aasx gives a package, .svg a label without its page.")
@click.option("--replaces", multiple=True, metavar="ID", help="A document that this one takes the place of.")
@click.argument("config", type=FILE, default=INSTALLED_CONFIG)
def footprint(config: Path, **options: Any) -> None:
    """The carbon footprint of a product, cradle to gate.

    Own energy from the meters; materials, gases, transport and waste from the ledger.
    """
    from agent.commands.footprint import write_footprint

    sys.exit(write_footprint(config, **options))


@click.command("check-pact")
@click.argument("document", type=FILE)
def check_pact(document: Path) -> None:
    """Check a PACT ProductFootprint, ours or a supplier's.

    Every field that breaks a rule of 3.0.3 is named, with the reason.
    """
    from agent.commands.footprint import check_document

    sys.exit(check_document(document))
