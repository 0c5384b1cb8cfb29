"""One cell as it is kept: numbers as plain decimals, dates as ISO dates, units as Raceway writes them. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal

from collectors.ledger.forms import Column
from collectors.texts import is_whole
from collectors.units import canonical, quantity

MOST_TEXT = 500
_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,9})?")
_WITH_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d{1,9})?")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]0{1,2}:00(?::00(?:\.0+)?)?)?")
_DATE_OF_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)")
_YEARS = range(2000, 2100)


def read_cell(text: str, column: Column) -> str:
    """What the cell says, in one spelling. Raises ValueError for people: "what is wrong; what to do"."""
    if not is_whole(text) or len(text) > MOST_TEXT:
        raise ValueError(f"{_told(column)} is no text that can be kept; write at most {MOST_TEXT} characters")
    match column.kind:
        case "number":
            return _number(text, column)
        case "date":
            return _date(text, column)
        case "unit":
            return _unit(text, column)
        case "choice":
            return _choice(text, column)
    return text


def _told(column: Column) -> str:
    return f"'{column.title}'"


def _number(text: str, column: Column) -> str:
    plain = unicodedata.normalize("NFKC", text).replace(" ", "")
    if _WITH_THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    if not _NUMBER.fullmatch(plain):
        raise ValueError(f"{_told(column)} says '{text}', which is no plain number; write digits like 1250.5")
    value = Decimal(plain)
    if column.least is not None and value < column.least:
        raise ValueError(f"{_told(column)} is {text}; the least is {column.least}")
    if column.most is not None and value > column.most:
        raise ValueError(f"{_told(column)} is {text}; the most is {column.most}")
    return format(value, "f")


def _date(text: str, column: Column) -> str:
    plain = unicodedata.normalize("NFKC", text)
    found = _DATE.fullmatch(plain) or _DATE_OF_DIGITS.fullmatch(plain)
    try:
        if found is None:
            raise ValueError
        day = date(*map(int, found.groups()))
    except ValueError:
        raise ValueError(f"{_told(column)} says '{text}', which is no date; write it like 2026-03-02") from None
    if day.year not in _YEARS:
        raise ValueError(f"{_told(column)} says {day.isoformat()}; check the year")
    return day.isoformat()


def _unit(text: str, column: Column) -> str:
    unit = canonical(text)
    if quantity(unit) not in column.quantities:
        wanted = " or ".join(column.quantities)
        raise ValueError(f"{_told(column)} says {text}, but a unit of {wanted} is wanted; write kg, t, m³ or pcs")
    return unit


def _choice(text: str, column: Column) -> str:
    choices = column.choices or {}
    for value, spellings in choices.items():
        if text.lower() in (value, *spellings.split()):
            return value
    shown = ", ".join(f"{value} ({spellings.split()[0]})" for value, spellings in choices.items())
    raise ValueError(f"{_told(column)} says '{text}'; write one of {shown}")
