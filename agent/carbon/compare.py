"""Meters that check others: how far the two are apart, window by window. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from agent.carbon.account import decimal_text
from agent.carbon.book import Book
from agent.carbon.evidence import Kept, open_books
from agent.carbon.plan import Plan
from agent.carbon.quantities import BASE, MICRO
from agent.carbon.statement import slots_of
from agent.carbon.windows import Window, WindowKind, total

Row = dict[str, str]


def check_rows(plan: Plan, evidence: Sequence[Kept], from_ns: int, to_ns: int, *, kind: WindowKind) -> Iterator[Row]:
    """Each window of each check meter beside the meter that it checks; no difference where one is not wholly known."""
    numbers = {meter.name: number for number, meter in enumerate(plan.meters)}
    pairs = [(numbers[meter.checks], number) for number, meter in enumerate(plan.meters) if meter.checks]
    for window in plan.calendar.windows(kind, from_ns, to_ns) if pairs else ():
        books = open_books(plan, evidence, window.start_ns, window.end_ns)
        for checked, check in pairs:
            yield _row(plan, books, window, checked, check)


def _row(plan: Plan, books: Sequence[Book], window: Window, checked: int, check: int) -> Row:
    span = plan.calendar.slots(window)
    accounts = {one.members[0]: one for one in plan.accounts if one.level == "meter"}
    here, there = (total(slots_of(books, accounts[number], span), span) for number in (checked, check))
    whole_ns = window.end_ns - window.start_ns
    partial = [
        plan.meters[number].name
        for number, amount in ((checked, here), (check, there))
        if amount.measured_ns + amount.estimated_ns < whole_ns
    ]
    row = {
        "label": window.label,
        "meter": plan.meters[checked].name,
        "checked_by": plan.meters[check].name,
        "quantity": "" if plan.meters[checked].name in partial else _text(here.micro),
        "quantity_of_check": "" if plan.meters[check].name in partial else _text(there.micro),
        "unit": BASE[plan.meters[checked].medium],
        "difference": "",
        "percent": "",
        "marks": "E" if here.estimated_ns or there.estimated_ns else "",
        "lacks": "; ".join(f"some of {name}" for name in partial),
    }
    if not partial:
        row["difference"] = _text(here.micro - there.micro)
        if there.micro:
            row["percent"] = decimal_text(Fraction(100 * (here.micro - there.micro), there.micro), 3)
    return row


def _text(micro: int) -> str:
    return decimal_text(Fraction(micro, MICRO))
