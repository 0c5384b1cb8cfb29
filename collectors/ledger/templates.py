"""Empty forms to fill in: a header in both languages, one example, and what each column wants."""

from __future__ import annotations

import csv
import io

from collectors.ledger.forms import Column, Form


def rows(form: Form) -> list[list[str]]:
    """The lines of a template; those that begin with # are not read."""
    wanted = [_wanted(column) for column in form.columns]
    example = [column.example for column in form.columns]
    return [
        [column.title for column in form.columns],
        ["# " + wanted[0], *wanted[1:]],
        ["# " + example[0], *example[1:]],
    ]


def _wanted(column: Column) -> str:
    """What a cell may hold, in both languages."""
    if column.kind == "choice":
        told = " / ".join(f"{value} {spelling.split()[0]}" for value, spelling in (column.choices or {}).items())
    elif column.kind == "unit":
        told = f"unit of {', '.join(column.quantities)} 单位"
    else:
        told = {"text": "text 文本", "number": "number 数字", "date": "date 日期 2026-03-02"}[column.kind]
    return f"{told}, required 必填" if column.is_required else told


def as_csv(form: Form) -> bytes:
    """UTF-8 with a byte order mark, so that Excel reads the Chinese headers."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows(form))
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(form: Form) -> bytes:
    """A workbook whose columns are wide enough."""
    from openpyxl import Workbook  # late: it takes 0.3 s
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    assert sheet is not None, "a new workbook has a sheet"
    sheet.title = form.name
    for line in rows(form):
        sheet.append(line)
    for number, column in enumerate(form.columns, 1):
        sheet.cell(1, number).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(number)].width = max(14, len(column.title) * 1.6)
    sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


FORMATS = {"csv": as_csv, "xlsx": as_xlsx}
"""What a template can be."""
