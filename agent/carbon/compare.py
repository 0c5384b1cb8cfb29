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
    meter = plan.meters[checked]
    amounts = [_known(plan, books, window, number) for number in (checked, check)]
    row = {
        "label": window.label,
        "meter": meter.name,
        "checked_by": plan.meters[check].name,
        "quantity": _text(amounts[0]),
        "quantity_of_check": _text(amounts[1]),
        "unit": BASE[meter.medium],
        "difference": "",
        "percent": "",
        "lacks": "; ".join(
            f"some of {plan.meters[number].name}"
            for number, micro in zip((checked, check), amounts, strict=True)
            if micro is None
        ),
    }
    if amounts[0] is not None and amounts[1] is not None:
        row["difference"] = _text(amounts[0] - amounts[1])
        if amounts[1]:
            row["percent"] = decimal_text(Fraction(100 * (amounts[0] - amounts[1]), amounts[1]), 3)
    return row


def _known(plan: Plan, books: Sequence[Book], window: Window, number: int) -> int | None:
    """What a meter's own account used in a window, in millionths; None where some of it is estimated or missing."""
    account = next(one for one in plan.accounts if one.level == "meter" and one.members == (number,))
    span = plan.calendar.slots(window)
    amount = total(slots_of(books, account, span), span)
    return amount.micro if amount.measured_ns == window.end_ns - window.start_ns else None


def _text(micro: int | None) -> str:
    return "" if micro is None else decimal_text(Fraction(micro, MICRO))
