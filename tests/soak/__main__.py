"""`python -m tests.soak NAME [--count N] [--json]`: long runs that try to lose something, each a module of its own.

A module offers `soak(count: int | None) -> Finding`. The exit code is 1 where it found something, 0 where it did not,
and 3 where the machine lacks what the run needs (`Missing`).
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import click

from tests.soak.finding import Missing

NAMES = sorted({path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[a-z]*.py")} - {"finding"})


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.option("--count", type=click.IntRange(min=1), help="How often, or how long: each run says what it counts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def main(name: str, count: int | None, as_json: bool) -> None:
    """Run NAME, which tries to lose something."""
    try:
        finding = importlib.import_module(f"tests.soak.{name.replace('-', '_')}").soak(count)
    except Missing as missing:
        click.echo(json.dumps({"name": name, "missing": str(missing)}) if as_json else f"not run: {missing}")
        sys.exit(3)
    facts = {"name": name, **finding.facts}
    click.echo(json.dumps(facts) if as_json else "\n".join(f"{key}: {value}" for key, value in facts.items()))
    sys.exit(0 if finding.is_well else 1)


if __name__ == "__main__":
    main()
