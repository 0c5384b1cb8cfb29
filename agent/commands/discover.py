"""`raceway discover opcua`: what a server has, as a tag list that is edited in Excel and named in `tags_from`."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import click
from pydantic import ValidationError

from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.commands.table import printable
from collectors.opcua.browse import Browser
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.connection import opened
from collectors.opcua.explain import FORESEEN, Untrusted, explained
from collectors.opcua.suggest import Difference, Row, difference, rows
from collectors.tables import WORKBOOKS, Unreadable, read_lines

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""Excel computes a cell that begins with one of these: a server's names and descriptions must not be programs."""


class Wish(NamedTuple):
    """What is to be found, and how gently."""

    depth: int
    only: tuple[str, ...]  # patterns of browse paths
    without: tuple[str, ...]
    calls_per_s: float
    timeout_s: float

    def takes(self, path: str) -> bool:
        """Whether a browse path is wanted."""
        chosen = not self.only or any(fnmatchcase(path, pattern) for pattern in self.only)
        return chosen and not any(fnmatchcase(path, pattern) for pattern in self.without)


def discover_opcua(target: str, *, source: str, out: Path | None, diff: Path | None, wish: Wish) -> int:
    """Browse a server and write its variables as CSV, or compare them with a present list.

    target: an address, or a configuration file whose source has the account and the certificates.
    """
    if out is not None and out.exists():
        click.echo(f"{out} is there already, perhaps edited; compare with --diff {out}, or name another file", err=True)
        return WRONG
    config = _source(target, source)
    logging.disable(logging.CRITICAL)
    try:
        found = asyncio.run(_browse(config, wish))
    except (*FORESEEN, Untrusted) as error:
        click.echo(explained(error, config.url).reason, err=True)
        return FAILED
    if diff is not None:
        return _show(difference(_listed(diff), found))
    text = as_csv(found)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8-sig", newline="")  # the mark lets Excel see that it is UTF-8
    usable = sum(not row.machine.startswith("#") for row in found)
    click.echo(f"{len(found)} variables, {usable} of them usable as they are", err=True)
    return OK


def as_csv(found: Sequence[Row]) -> str:
    """A tag list with a header; rows whose machine begins with # are comments to Raceway."""
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(Row._fields)
    table.writerows([f"'{cell}" if cell.startswith(FORMULAS) else cell for cell in row] for row in found)
    return written.getvalue()


def _source(target: str, name: str) -> OpcUaConfig:
    """The server to look at; ends the program where there is none."""
    if "://" in target:
        try:
            return OpcUaConfig.model_validate({"kind": "opcua", "name": "discover", "url": target})
        except ValidationError as error:
            click.echo(error.errors()[0]["msg"].removeprefix("Value error, "), err=True)
            raise SystemExit(WRONG) from None
    sources = [one for one in loaded(Path(target)).sources if isinstance(one, OpcUaConfig)]
    named = [one for one in sources if one.name == name] if name else sources
    if len(named) != 1:
        names = ", ".join(one.name for one in sources) or "none"
        click.echo(f"say which OPC UA source with --source; {target} has: {names}", err=True)
        raise SystemExit(WRONG)
    return named[0]


async def _browse(config: OpcUaConfig, wish: Wish) -> list[Row]:
    async with opened(config.model_copy(update={"connect_timeout_s": wish.timeout_s})) as session:
        browser = Browser(session, depth=wish.depth, pause_s=1 / wish.calls_per_s, progress=_say, wanted=wish.takes)
        variables = await browser.variables()
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    return rows(variables)


def _say(seen: int, found: int) -> None:
    """How far it is, on a terminal only; how much there is nobody knows before the end."""
    if sys.stderr.isatty():
        click.echo(f"\r{seen:,} nodes seen, {found:,} variables", nl=False, err=True)


def _listed(path: Path) -> list[tuple[str, str]]:
    """Node and data type of each row of a list that this command wrote, whatever was edited in it."""
    try:
        lines = [cells for _, cells in read_lines(path.read_bytes(), is_workbook=path.suffix.lower() in WORKBOOKS)]
    except (OSError, Unreadable) as error:
        click.echo(f"{path} cannot be read ({error})", err=True)
        raise SystemExit(WRONG) from None
    header = next((place for place, cells in enumerate(lines) if "node" in cells), None)
    if header is None:
        click.echo(f"{path} has no column 'node'; give a list that `raceway discover` wrote", err=True)
        raise SystemExit(WRONG)
    named = [dict(zip(lines[header], cells, strict=False)) for cells in lines[header + 1 :]]
    return [(line["node"], line.get("data_type", "")) for line in named if line.get("node")]


def _show(found: Difference) -> int:
    """Say what is gone, new and changed; 1 where anything is."""
    lines = [f"gone     {node}" for node in found.gone]
    lines += [f"new      {row.node}  {row.browse_path}  {row.data_type}" for row in found.new]
    lines += [f"changed  {node}  was {before}, is {now}" for node, before, now in found.changed]
    for line in lines:
        click.echo(printable(line))
    click.echo(f"{len(found.gone)} gone, {len(found.new)} new, {len(found.changed)} of another type", err=True)
    return FAILED if lines else OK
