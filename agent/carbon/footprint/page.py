"""A footprint with everything it rests on: as JSON, and as a page to print. Incomplete ones too. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from html import escape

import orjson

from agent.carbon.footprint.compute import Footprint
from agent.carbon.footprint.config import STAGES
from agent.carbon.footprint.document import WORDS
from agent.carbon.footprint.inputs import plain
from collectors.ledger.books import Books
from collectors.ledger.entries import LedgerEntry

COLUMNS = ("stage", "name", "quantity", "unit", "kgco2e", "factor", "method", "lacks")


def footprint_json(found: Footprint, books: Books) -> bytes:
    """Everything; decimals are texts so that nobody rounds them, an unknown figure is an empty one."""
    quality = found.quality
    rated = quality.ratings
    document = {
        "report": "footprint",
        "product": found.product.number,
        "from": found.days[0].isoformat(),
        "to": found.days[1].isoformat(),
        "complete": found.kg_per_piece is not None,
        "kgco2e_per_piece": _text(found.kg_per_piece),
        "stages": {stage: _text(found.stage(stage)) for stage in STAGES},
        "good_pieces": plain(found.good),
        "scrap_pieces": plain(found.scrap),
        "primary_data_share_percent": plain(quality.primary * 100, 2),
        "data_quality": {
            "technological": _text(rated.technological),
            "geographical": _text(rated.geographical),
            "temporal": _text(rated.temporal),
            "unrated": quality.unrated,
        },
        "allocation": found.method,
        "lacks": found.lacks,
        "inputs": [one.row() for one in found.inputs],
        "ledger": {entry.id: json.loads(entry.to_text()) for entry in _used(found, books)},
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _text(value: Fraction | None) -> str:
    return "" if value is None else plain(value)


def _used(found: Footprint, books: Books) -> Iterable[LedgerEntry]:
    """The entries that the inputs name, and the production that they are divided by."""
    names = {name.rpartition("@")[2] for one in found.inputs for name in one.evidence}
    offers = {one.id.removeprefix("supplier_footprints ") for each in found.inputs for one in each.intensities}
    for entry in books.entries:
        is_output = entry.kind == "production" and found.days[0] <= entry.day < found.days[1]
        is_offer = entry.kind == "supplier_footprints" and entry.number in offers
        if entry.id in names or is_output or is_offer:
            yield entry


def footprint_page(found: Footprint, books: Books) -> bytes:
    """A page: the figure, its stages, and every input with its evidence."""
    kg = found.kg_per_piece
    figure = f"{plain(kg, 6)} kgCO₂e" if kg is not None else "incomplete 不完整"
    lacks = "".join(f"<li>{escape(lack)}</li>" for lack in found.lacks)
    entries = {entry.id: entry for entry in _used(found, books)}
    body = [
        f"<h1>{escape(found.product.name)}: {figure}</h1>",
        f"<p>{_said(found)}</p>",
        f"<h2>Lacks</h2><ul>{lacks}</ul>" if lacks else "",
        _stages(found),
        f"<p>Primary data: {plain(found.quality.primary * 100, 2)} %.</p>",
        _table(found, entries),
    ]
    return _PAGE.format(title=escape(found.product.number), body="\n".join(body)).encode()


def _said(found: Footprint) -> str:
    return (
        f"One piece, cradle to gate, {found.days[0]} to {found.days[1]} (the last day is not in it). "
        f"{plain(found.good)} good pieces, {plain(found.scrap)} scrap. {escape(found.method)}"
    )


def _stages(found: Footprint) -> str:
    """A bar for each stage."""
    parts = {stage: found.stage(stage) for stage in STAGES}
    most = max([value for value in parts.values() if value] or [Fraction(1)])
    rows = [
        f"<tr><td>{WORDS[stage]}</td><td class=n>{_text(value) or '—'}</td><td><svg viewBox='0 0 100 4'>"
        f"<rect width='{float(100 * max(value or Fraction(0), Fraction(0)) / most):.2f}' height='4'/></svg></td></tr>"
        for stage, value in parts.items()
    ]
    return f"<table><tr><th>stage</th><th>kgCO₂e a piece</th><th></th></tr>{''.join(rows)}</table>"


def _table(found: Footprint, entries: Mapping[str, LedgerEntry]) -> str:
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in COLUMNS) + "</tr>"]
    for one in found.inputs:
        row = one.row()
        lines.append("<tr>" + "".join(f"<td>{escape(row[name])}</td>" for name in COLUMNS) + "</tr>")
        told = "".join(
            f"<li>{escape(_origin(name, entries))}</li>" for name in row["evidence"].split(" ") if "@" in name
        )
        said = f"<ul>{told}</ul>" if told else escape(row["evidence"])
        lines.append(
            f'<tr class=e><td colspan="{len(COLUMNS)}"><details><summary>evidence</summary>{said}</details></td></tr>'
        )
    return f"<table>{''.join(lines)}</table>"


def _origin(name: str, entries: Mapping[str, LedgerEntry]) -> str:
    entry = entries.get(name.rpartition("@")[2])
    if entry is None:
        return name
    by = entry.by or entry.origin.owner
    return (
        f"{entry.kind} {entry.number}, {entry.day}, {entry.origin.file} line {entry.line}, written by {by}, {entry.id}"
    )


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 12px/1.4 system-ui, sans-serif; margin: 2em; color: #1a1a1a }}
table {{ border-collapse: collapse; width: 100%; margin: 1em 0 }}
th, td {{ text-align: left; padding: 2px 6px; border-bottom: 1px solid #ddd; vertical-align: top }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
tr.e td {{ border: 0; color: #555 }}
svg {{ width: 100%; height: 10px }} rect {{ fill: #20639b }}
@media print {{ body {{ margin: 0 }} tr {{ break-inside: avoid }} }}
</style>
{body}
</html>
"""
