"""Electricity of each day and line given to what was made there, and so to orders. Pure.

What was made stands in the ledger. A row that names a line has a part of that line's electricity, one that names none
has a part of what no such line used. The parts of a day add up to the plant; what nothing was made with stays, and is
shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from agent.carbon.account import Figure, add, decimal_text, emissions
from agent.carbon.book import Book
from agent.carbon.evidence import Kept, open_books
from agent.carbon.plan import AccountPlan, Plan
from agent.carbon.quantities import MICRO, divide
from agent.carbon.statement import slots_of
from agent.carbon.windows import Window, total
from collectors.ledger.entries import LedgerEntry

Row = dict[str, str]
By = Literal["mass", "pieces"]


@dataclass(slots=True)
class Part:
    """What an order's products of one kind came to; figures are None as soon as one part is not known."""

    micro: int | None = 0
    carbon: Figure = field(default_factory=lambda: Figure(Fraction(0)))
    pieces: Fraction = Fraction(0)
    mass_kg: Fraction | None = Fraction(0)
    days: set[date] = field(default_factory=set)
    lacks: dict[str, None] = field(default_factory=dict)

    def take(self, plan: Plan, day: date, micro: int | None, lacks: str) -> None:
        """Add electricity of a day; None where it is not known, and `lacks` says why."""
        if micro is None or self.micro is None:
            self.micro, self.carbon = None, Figure(None)
            if micro is None:
                self.lacks[lacks] = None
            return
        self.micro += micro
        self.carbon = add((self.carbon, emissions({day: micro}, "electricity", plan.organisation)))


Key = tuple[str, str]
"""Order and product; of what belongs to no order, "" and the reason."""


def order_rows(
    plan: Plan, evidence: Sequence[Kept], made: Iterable[LedgerEntry], from_ns: int, to_ns: int, *, by: By
) -> Iterator[Row]:  # fmt: skip
    """Every order and product of the days, then what belongs to none; `made` are the ledger's production rows."""
    rows_of: dict[date, list[LedgerEntry]] = {}
    for entry in made:
        rows_of.setdefault(entry.day, []).append(entry)
    parts: dict[Key, Part] = {}
    for window in plan.calendar.windows("day", from_ns, to_ns):
        day = plan.calendar.local(window.start_ns).date()
        books = open_books(plan, evidence, window.start_ns, window.end_ns)
        _give(plan, books, window, day, rows_of.get(day, []), by=by, parts=parts)
    yield from (_row(key, parts[key], by) for key in sorted(parts, key=lambda one: (not one[0], one)))


def _give(
    plan: Plan, books: Sequence[Book], window: Window, day: date, rows: Sequence[LedgerEntry], *, by: By,
    parts: dict[Key, Part],
) -> None:  # fmt: skip
    """Divide one day's electricity among its rows."""
    accounts = [account for account in plan.accounts if account.medium == "electricity"]
    lines = {account.name for account in accounts if account.level == "line"}
    rows_of: dict[str, list[LedgerEntry]] = {}
    for row in rows:
        line = row.values.get("line", "")
        rows_of.setdefault(line if line in lines else "", []).append(row)
    rest = _known(plan, books, [account for account in accounts if account.level == "plant"], window)
    for line in sorted(rows_of.keys() - {""}):
        micro = _known(plan, books, [one for one in accounts if (one.level, one.name) == ("line", line)], window)
        rest = None if rest is None or micro is None else rest - micro
        _divide(plan, day, micro, rows_of[line], by=by, parts=parts, place=line)
    _divide(plan, day, rest, rows_of.get("", []), by=by, parts=parts, place="plant")


def _known(plan: Plan, books: Sequence[Book], accounts: Sequence[AccountPlan], window: Window) -> int | None:
    """What accounts used on a day, in millionths; None where some of it is missing."""
    span, micro = plan.calendar.slots(window), 0
    for account in accounts:
        amount = total(slots_of(books, account, span), span)
        if amount.measured_ns + amount.estimated_ns != (window.end_ns - window.start_ns) * len(account.members):
            return None
        micro += amount.micro
    return micro


def _divide(
    plan: Plan, day: date, micro: int | None, rows: Sequence[LedgerEntry], *, by: By, parts: dict[Key, Part], place: str
) -> None:
    weights = {number: _weight(row, by) for number, row in enumerate(rows)}
    without = [rows[number].number for number, weight in weights.items() if weight is None]
    usable = {number: weight for number, weight in weights.items() if weight is not None}
    given = {} if micro is None or without else divide(micro, usable)
    nothing = None if micro is None or without else 0  # where nothing was made, nothing is divided
    lacks = f"some electricity of {place} on {day.isoformat()}" if micro is None else f"{by} of {', '.join(without)}"
    for number, row in enumerate(rows):
        part = parts.setdefault((row.values.get("order", ""), row.values["product"]), Part())
        part.days.add(day)
        part.pieces += Fraction(Decimal(row.values["good"]))
        mass = row.values.get("mass_kg")
        part.mass_kg = None if part.mass_kg is None or mass is None else part.mass_kg + Fraction(Decimal(mass))
        part.take(plan, day, given.get(number, nothing), lacks)
    if not given and (micro or not rows):
        part = parts.setdefault(("", f"not divided: {place}"), Part(mass_kg=None))
        part.days.add(day)
        part.take(plan, day, micro, lacks)


def _weight(row: LedgerEntry, by: By) -> int | None:
    """In millionths; scrap took energy too, but it is nobody's product: the good ones carry it."""
    text = row.values.get("mass_kg") if by == "mass" else row.values["good"]
    return None if text is None else round(Fraction(Decimal(text)) * MICRO)


def _row(key: Key, part: Part, by: By) -> Row:
    days = sorted(part.days)
    row = {
        "order": key[0],
        "product": key[1],
        "divided_by": by,
        "first_day": days[0].isoformat(),
        "last_day": days[-1].isoformat(),
        "pieces": decimal_text(part.pieces, 0),
        "kg": "" if part.mass_kg is None else decimal_text(part.mass_kg, 3),
        "kwh": "" if part.micro is None else decimal_text(Fraction(part.micro, MICRO)),
        "kgco2": part.carbon.text(),
        "kwh_per_piece": "",
        "kgco2_per_piece": "",
        "lacks": "; ".join(dict.fromkeys([*part.lacks, *part.carbon.lacks])),
    }
    if part.pieces and part.micro is not None:
        row["kwh_per_piece"] = decimal_text(Fraction(part.micro, MICRO) / part.pieces)
    if part.pieces and part.carbon.value is not None:
        row["kgco2_per_piece"] = decimal_text(part.carbon.value / part.pieces)
    return row
