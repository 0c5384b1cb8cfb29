"""A report as a page to print, Chinese and English: totals or bills, plots, evidence, factors. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from agent.carbon.plan import Plan
from agent.carbon.quantities import BASE
from agent.carbon.report import Moment, Report, short
from agent.carbon.statement import Statement
from agent.carbon.terms import both, chinese

PLOTTED = 4
PLOT_HEIGHT = 120
FACTOR_COLUMNS = ("id", "value", "unit", "region", "data_year", "document", "certainty", "formula")


def page(report: Report, plan: Plan, what: str, shown: Sequence[str]) -> bytes:
    """The whole page; `shown` are the columns of a statement's row."""
    local = Moment(plan)
    span = f"{local(report.from_ns)[:16]} – {local(report.to_ns)[:16]}".replace("T", " ")
    body = [
        f"<h1>{escape(report.plant)} {escape(both(what))}</h1>",
        f"<p>{escape(span)} · {escape(plan.calendar.zone.key)} · 计算依据 basis {plan.version}</p>",
        _totals(report) if what == "carbon" else _bills(report),
        *(_plot(statements) for statements in _series(report)[:PLOTTED]),
        _statements(report, local, shown, what),
        _factors(report, plan),
        "<p>E 含估算值 partly estimated · M 有缺失 partly missing · 空白为未知，不是零 empty is unknown, not zero</p>",
    ]
    return _PAGE.format(title=escape(f"{what} {local(report.from_ns)[:10]}"), body="\n".join(body)).encode()


def _totals(report: Report) -> str:
    rows = [
        {"GB/T 32150": both(name), "kgco2": figure.text(3), "factors": " ".join(figure.factors),
         "lacks": "; ".join(figure.lacks)}
        for name, figure in report.totals.items()
    ]  # fmt: skip
    return _table(rows) if rows else ""


def _bills(report: Report) -> str:
    """Each month's bill upright: its names on the left."""
    found = [bill.row() for bill in report.bills]
    if not found:
        return ""
    return _table([{"": both(name), **{row["month"]: row[name] for row in found}} for name in found[0]])


def _factors(report: Report, plan: Plan) -> str:
    """The factors that were applied, with their documents."""
    applied = {name for one in report.statements for name in (*one.carbon.factors, *one.footprint.factors)}
    applied |= {name for one in report.statements for name in one.coal.factors}
    known = {one.factor.id: one.factor for one in (*plan.organisation, *plan.product, *plan.coal)}
    rows = [
        {name: "" if name == "value" else getattr(known[key], name) for name in FACTOR_COLUMNS}
        | {"value": known[key].text}
        for key in sorted(applied & known.keys())
    ]
    return f"<h2>{escape(both('factors'))}</h2>{_table(rows)}" if rows else ""


def _series(report: Report) -> list[list[Statement]]:
    """The plant's accounts first, then lines, then meters."""
    found: dict[str, list[Statement]] = {}
    order = {"plant": 0, "line": 1, "meter": 2, "remainder": 3}
    for statement in sorted(report.statements, key=lambda one: order[one.account.level]):
        found.setdefault(str(statement.account), []).append(statement)
    return list(found.values())


def _plot(statements: Sequence[Statement]) -> str:
    """Bars of an account's amounts; what is partly missing is paler, what is unknown has none."""
    account = statements[0].account
    values = [float(statement.quantity or 0) for statement in statements]
    most = max([*values, 0.0]) or 1.0
    width = 1000 / len(values)
    bars = [
        f'<rect x="{(n + 0.1) * width:.2f}" y="{PLOT_HEIGHT * (1 - max(0.0, value) / most):.2f}" '
        f'width="{width * 0.8:.2f}" height="{PLOT_HEIGHT * max(0.0, value) / most:.2f}" class="{_shade(statement)}">'
        f"<title>{escape(statement.window.label)}: {escape(statement.quantity)}</title></rect>"
        for n, (value, statement) in enumerate(zip(values, statements, strict=True))
    ]
    name = f"{both(account.level)} {account.name} · {both(account.medium)}"
    ends = [statements[0].window.label, *([statements[-1].window.label] if len(statements) > 1 else [])]
    return (
        f"<figure><figcaption>{escape(name)}<span>0 – {most:,.3f} {escape(BASE[account.medium])}</span></figcaption>"
        f'<svg viewBox="0 0 1000 {PLOT_HEIGHT}" preserveAspectRatio="none">{"".join(bars)}</svg>'
        f"<div class=x>{''.join(f'<span>{escape(end)}</span>' for end in ends)}</div></figure>"
    )


def _shade(statement: Statement) -> str:
    return "whole" if statement.amount.measured_ns == statement.span_ns else "part"


def _statements(report: Report, local: Moment, shown: Sequence[str], what: str) -> str:
    lines = [_head(shown)]
    for statement in report.statements:
        row = statement.row(what)
        row |= {name: chinese(row[name]) for name in ("level", "medium", "window")}
        lines.append(_line(row, shown))
        told = "".join(f"<li>{escape(short(trail, local))}</li>" for trail in report.trails[statement.id])
        lines.append(
            f'<tr class=e><td colspan="{len(shown)}"><details><summary>{escape(statement.id)}</summary>'
            f"<ul>{told}</ul></details></td></tr>"
        )
    return f"<table>{''.join(lines)}</table>"


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    return f"<table>{_head(rows[0])}{''.join(_line(row, row) for row in rows)}</table>"


def _head(names: Iterable[str]) -> str:
    return "<thead><tr>" + "".join(f"<th>{escape(both(name))}</th>" for name in names) + "</tr></thead>"


def _line(row: Mapping[str, str], names: Iterable[str]) -> str:
    cells = [f"<td{' class=n' if _is_number(row[name]) else ''}>{escape(row[name])}</td>" for name in names]
    return f"<tr>{''.join(cells)}</tr>"


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()


_PAGE = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>{title}</title>
<style>
@page {{ size: A4 landscape; margin: 12mm }}
body {{ font: 12px/1.4 system-ui, "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif; margin: 2em; color: #1a1a1a }}
table {{ border-collapse: collapse; width: 100%; margin: 1em 0 }}
th, td {{ text-align: left; padding: 2px 6px; border-bottom: 1px solid #ddd; vertical-align: top }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
tr.e td {{ border: 0; color: #555 }}
figure {{ margin: 1em 0; break-inside: avoid }}
figcaption, .x {{ display: flex; justify-content: space-between }}
.x {{ color: #555 }}
svg {{ width: 100%; height: 120px; background: #f6f6f6 }}
.whole {{ fill: #20639b }} .part {{ fill: #9bbcd8 }}
@media print {{
  body {{ margin: 0 }} tr {{ break-inside: avoid }} thead {{ display: table-header-group }}
  details::details-content {{ content-visibility: visible; block-size: auto }}
}}
</style>
{body}
</html>
"""
