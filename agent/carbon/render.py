"""Reports as CSV, JSON, XLSX and a page to print: each row with its evidence."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import orjson

from agent.carbon.page import page
from agent.carbon.plan import Plan
from agent.carbon.report import Moment, Report, short

ENERGY = ("quantity", "unit", "kgce", "yuan")
CARBON = ("quantity", "unit", "kgco2", "kgco2e_life_cycle")
AROUND = ("level", "account", "medium", "window", "label")
SHARES = ("marks", "measured", "estimated", "missing", "factors", "lacks")


def columns(what: str) -> tuple[str, ...]:
    """The columns of an energy or a carbon report."""
    return ("id", *AROUND, *(ENERGY if what == "energy" else CARBON), *SHARES, "basis")


def rows(report: Report, plan: Plan, what: str) -> list[dict[str, str]]:
    """One flat row for each statement, its evidence in the last column."""
    local = Moment(plan)
    found = []
    for statement in report.statements:
        row = {**statement.row(what), "basis": plan.version}
        flat = {name: row[name] for name in columns(what)}
        flat["evidence"] = " | ".join(short(trail, local) for trail in report.trails[statement.id])
        found.append(flat)
    return found


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
        "plant": report.plant,
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
    """A page to print: totals or bills, plots of the first accounts, a table whose rows open to their evidence."""
    return page(report, plan, what, (*AROUND, *(ENERGY if what == "energy" else CARBON), *SHARES))


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
