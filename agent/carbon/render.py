"""Reports as CSV, JSON, XLSX and a page to print: each row with its evidence."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import orjson

from agent.carbon.plan import Plan
from agent.carbon.report import Moment, Report, Trail
from agent.carbon.statement import Statement

ENERGY = ("quantity", "unit", "kgce", "yuan")
CARBON = ("quantity", "unit", "kgco2", "kgco2e_life_cycle")
AROUND = ("level", "account", "medium", "window", "label")
SHARES = ("measured", "estimated", "missing", "factors", "lacks")
PLOTTED = 4
PLOT_HEIGHT = 140


def columns(what: str) -> tuple[str, ...]:
    """The columns of an energy or a carbon report."""
    return ("id", *AROUND, *(ENERGY if what == "energy" else CARBON), *SHARES, "basis")


def rows(report: Report, plan: Plan, what: str) -> list[dict[str, str]]:
    """One flat row for each statement, its evidence in the last column."""
    local = Moment(plan)
    found = []
    for statement in report.statements:
        row = {**statement.row(), "basis": plan.version}
        flat = {name: row[name] for name in columns(what)}
        flat["evidence"] = " | ".join(_short(trail, local) for trail in report.trails[statement.id])
        found.append(flat)
    return found


def _short(trail: Trail, local: Moment) -> str:
    """The readings at both edges, and what is doubtful between them."""
    told = [f"{value!r} at {local(t_ns)}" for t_ns, value in trail.readings]
    doubts = [f"{link.why} from {local(link.from_ns)} to {local(link.to_ns)}" for link in trail.doubts]
    gaps = [f"no data from {local(link.from_ns)} to {local(link.to_ns)}" for link in trail.gaps]
    return f"{trail.meter.name}: {', '.join([*told, *doubts, *gaps]) or 'no readings'}"


def as_csv(report: Report, plan: Plan, what: str) -> bytes:
    """UTF-8 with a byte order mark, so that Excel reads Chinese names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (*columns(what), "evidence"), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows(report, plan, what))
    return text.getvalue().encode("utf-8-sig")


def as_json(report: Report, plan: Plan, what: str) -> bytes:
    """Everything, the evidence as structures; decimals are texts so that nobody rounds them."""
    local = Moment(plan)
    document = {
        "report": what,
        "from": local(report.from_ns),
        "to": local(report.to_ns),
        "basis": orjson.Fragment(plan.basis),
        "basis_version": plan.version,
        "totals": _totals(report),
        "bills": [bill.row() for bill in report.bills],
        "rows": [
            {**statement.row(), "evidence": [trail.as_json(local) for trail in report.trails[statement.id]]}
            for statement in report.statements
        ],
    }  # fmt: skip
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _totals(report: Report) -> dict[str, dict[str, object]]:
    return {
        name: {"kgco2": figure.text(), "factors": figure.factors, "lacks": figure.lacks}
        for name, figure in report.totals.items()
    }


def as_xlsx(report: Report, plan: Plan, what: str) -> bytes:
    """A workbook; numbers are numbers, ids stay texts."""
    from openpyxl import Workbook  # late: it takes 0.3 s

    book = Workbook(write_only=True)
    sheet = book.create_sheet(what)
    names = (*columns(what), "evidence")
    sheet.append(names)
    numeric = {*ENERGY, *CARBON, "measured", "estimated", "missing"} - {"unit"}
    for row in rows(report, plan, what):
        sheet.append([float(row[name]) if name in numeric and row[name] else _harmless(row[name]) for name in names])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _harmless(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def as_html(report: Report, plan: Plan, what: str) -> bytes:
    """A page to print: totals, plots of the first accounts, a table whose rows open to their evidence."""
    local = Moment(plan)
    shown = ENERGY if what == "energy" else CARBON
    body = [
        f"<h1>{what.capitalize()} {escape(local(report.from_ns)[:16])} – {escape(local(report.to_ns)[:16])}</h1>",
        _totals_table(report) if what == "carbon" else _bills_table(report),
        *(_plot(name, statements) for name, statements in _series(report)[:PLOTTED]),
        _table(report, local, shown),
    ]
    return _PAGE.format(title=f"{what} {local(report.from_ns)[:10]}", body="\n".join(body)).encode()


def _totals_table(report: Report) -> str:
    lines = [
        f"<tr><td>{escape(name)}</td><td class=n>{escape(figure.text(3)) or '—'}</td>"
        f"<td>{escape(' '.join(figure.factors))}</td><td>{escape('; '.join(figure.lacks))}</td></tr>"
        for name, figure in report.totals.items()
    ]
    head = "<tr><th>GB/T 32150</th><th>kgCO₂</th><th>factors</th><th>incomplete: lacks</th></tr>"
    return f"<table>{head}{''.join(lines)}</table>" if lines else ""


def _bills_table(report: Report) -> str:
    found = [bill.row() for bill in report.bills]
    if not found:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in found[0])
    return f"<table><tr>{head}</tr>{''.join(_line(row, row) for row in found)}</table>"


def _series(report: Report) -> list[tuple[str, list[Statement]]]:
    """The plant's accounts first, then lines, then meters."""
    found: dict[str, list[Statement]] = {}
    order = {"plant": 0, "line": 1, "meter": 2, "remainder": 3}
    for statement in sorted(report.statements, key=lambda one: order[one.account.level]):
        found.setdefault(str(statement.account), []).append(statement)
    return list(found.items())


def _plot(name: str, statements: Sequence[Statement]) -> str:
    """Bars of an account's amounts; what is partly missing is paler."""
    values = [float(statement.quantity or 0) for statement in statements]
    most = max([*values, 0.0]) or 1.0
    width = 1000 / max(1, len(values))
    bars = [
        f'<rect x="{n * width:.2f}" y="{PLOT_HEIGHT * (1 - max(0.0, value) / most):.2f}" width="{width * 0.85:.2f}" '
        f'height="{PLOT_HEIGHT * max(0.0, value) / most:.2f}" class="{_shade(statement)}">'
        f"<title>{escape(statement.window.label)}: {escape(statement.quantity)}</title></rect>"
        for n, (value, statement) in enumerate(zip(values, statements, strict=True))
    ]
    unit = escape(statements[0].row()["unit"]) if statements else ""
    caption = f"<figcaption>{escape(name)}, at most {most:,.3f} {unit}</figcaption>"
    box = f'viewBox="0 0 1000 {PLOT_HEIGHT}" preserveAspectRatio="none"'
    return f"<figure>{caption}<svg {box}>{''.join(bars)}</svg></figure>"


def _shade(statement: Statement) -> str:
    return "whole" if statement.amount.measured_ns == statement.span_ns else "part"


def _table(report: Report, local: Moment, shown: Iterable[str]) -> str:
    names = [*AROUND, *shown, *SHARES]
    lines = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"]
    for statement in report.statements:
        lines.append(_line(statement.row(), names))
        told = "".join(f"<li>{escape(_short(trail, local))}</li>" for trail in report.trails[statement.id])
        lines.append(
            f'<tr class=e><td colspan="{len(names)}"><details><summary>{escape(statement.id)}</summary>'
            f"<ul>{told}</ul></details></td></tr>"
        )
    return f"<table>{''.join(lines)}</table>"


def _line(row: Mapping[str, str], names: Iterable[str]) -> str:
    cells = [f"<td{' class=n' if row[name][:1].isdigit() else ''}>{escape(row[name])}</td>" for name in names]
    return f"<tr>{''.join(cells)}</tr>"


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 12px/1.4 system-ui, sans-serif; margin: 2em; color: #1a1a1a }}
table {{ border-collapse: collapse; width: 100%; margin: 1em 0 }}
th, td {{ text-align: left; padding: 2px 6px; border-bottom: 1px solid #ddd; vertical-align: top }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
tr.e td {{ border: 0; color: #555 }}
figure {{ margin: 1em 0 }}
svg {{ width: 100%; height: 140px; background: #f6f6f6 }}
.whole {{ fill: #20639b }} .part {{ fill: #9bbcd8 }}
@media print {{ body {{ margin: 0 }} tr {{ break-inside: avoid }} }}
</style>
{body}
</html>
"""

FORMATS = {"csv": as_csv, "json": as_json, "html": as_html, "xlsx": as_xlsx}
"""What `raceway report` can write of statements."""


def plain_csv(found: Sequence[Mapping[str, str]]) -> bytes:
    """Rows of texts that need not have the same columns."""
    text = io.StringIO()
    names = dict.fromkeys(name for row in found for name in row)
    writer = csv.DictWriter(text, list(names), restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue().encode("utf-8-sig")


def plain_json(found: Sequence[Mapping[str, str]]) -> bytes:
    """The same as a list of objects."""
    return orjson.dumps(list(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


PLAIN_FORMATS = {"csv": plain_csv, "json": plain_json}
"""What `raceway report` can write of machines and targets."""
