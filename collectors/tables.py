"""Tables as people keep them, CSV or XLSX, as numbered lines of cells. Nothing here knows what the cells mean.

CSV is read as UTF-8 with or without a byte order mark, UTF-16 with one, then GB18030; the separator is `,` `;` or TAB.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence

WORKBOOKS = (".xlsx", ".xlsm")
TEXTS = (".csv", ".txt", ".tsv")

Lines = Sequence[tuple[int, Sequence[str]]]
"""(line or row number from 1, cells without blanks around them) of a table."""


class Unreadable(Exception):
    """These bytes are no table; `line` is 0 where it is the whole file."""

    def __init__(self, what: str, todo: str, *, line: int = 0) -> None:
        super().__init__(f"{what}; {todo}")
        self.what = what
        self.todo = todo
        self.line = line


def read_lines(content: bytes, *, is_workbook: bool) -> Lines:
    """The lines of a table. Raises Unreadable, for people."""
    return _xlsx_lines(content) if is_workbook else _csv_lines(content)


def _csv_lines(content: bytes) -> Lines:
    text = _decoded(content)
    if text.lower().startswith("sep="):  # Excel's own way of naming the separator
        text = "\n" + text.partition("\n")[2]
    first = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[tuple[int, Sequence[str]]] = []
    begins = 1
    try:
        for cells in reader:
            lines.append((begins, [cell.strip() for cell in cells]))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(
            f"this row is not CSV ({error})", "check its quotes: they come in pairs", line=begins
        ) from None
    return lines


def _decoded(content: bytes) -> str:
    encodings = ["utf-16"] if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else []
    for encoding in (*encodings, "utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Unreadable("this is neither UTF-8 nor GB18030 text", "in Excel: 'Save as', type 'CSV UTF-8'")


def _xlsx_lines(content: bytes) -> Lines:
    from openpyxl import load_workbook  # late: it takes 0.3 s

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        return [
            (number, [_text(cell) for cell in row]) for number, row in enumerate(sheet.iter_rows(values_only=True), 1)
        ]
    except Exception as error:  # a damaged workbook raises whatever its damage touches
        raise Unreadable(
            f"this is not a readable Excel workbook ({type(error).__name__}: {error})",
            "open it in Excel or WPS and save it again as .xlsx, or as CSV",
        ) from None


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case float() if cell.is_integer():
            return str(int(cell))
        case _:
            return str(cell).strip()
