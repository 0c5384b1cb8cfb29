"""Electricity of a window given to machines: their own meters first, then rules; the rest stays, and is shown. Pure.

Machines and remainder always add up to the plant, to the millionth of a kWh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.carbon.book import Book
from agent.carbon.plan import AccountPlan, Plan
from agent.carbon.quantities import divide
from agent.carbon.statement import slots_of
from agent.carbon.states import States, by_power, by_signal, stays
from agent.carbon.windows import Window, total


@dataclass(slots=True)
class Share:
    """One machine's electricity in a window, in millionths of a kWh, and what it made of it."""

    machine: str
    own: int = 0  # by its own meters
    given: int = 0  # by rules
    rules: tuple[str, ...] = ()
    pieces: int | None = None  # in millionths; None where they are not counted
    mass: int | None = None  # of what was made, in millionths of a kg
    lacks: tuple[str, ...] = ()  # meters that are not known for the whole window
    states: States | None = None

    @property
    def micro(self) -> int:
        """All of it."""
        return self.own + self.given

    @property
    def is_something(self) -> bool:
        """Whether there is anything to say of it."""
        return bool(self.micro or self.pieces or self.lacks)


@dataclass(frozen=True, slots=True)
class Allocation:
    """The plant's electricity in a window: machines, and what belongs to none of them."""

    shares: tuple[Share, ...]
    unallocated: tuple[Share, ...]


def allocate(plan: Plan, books: Sequence[Book], window: Window) -> Allocation:
    """Give every meter's own part of a window to its machine, by a rule, or to nobody."""
    span = plan.calendar.slots(window)
    shares: dict[str, Share] = {}
    for number, meter in enumerate(plan.meters):
        if meter.checks or len(meter.supplies) != 1:
            continue
        share = shares.setdefault(meter.supplies[0], Share(meter.supplies[0]))
        if meter.medium == "pieces":
            share.pieces = (share.pieces or 0) + total(books[number].amounts, span).micro
        elif meter.medium == "mass":
            share.mass = (share.mass or 0) + total(books[number].amounts, span).micro
        elif meter.medium == "electricity":
            share.states = states_of(plan, books[number], window) or share.states
    left: dict[str, Share] = {}
    for account in _own_parts(plan):
        amount = total(slots_of(books, account, span), span)
        meter = plan.meters[account.members[0]]
        rule = next((one for one in plan.allocation if one.meter == meter.name), None)
        parts = divide(amount.micro, {name: _weight(shares.get(name), rule.by) for name in rule.to}) if rule else {}
        if rule is None and len(meter.supplies) == 1 and not account.minus:
            takers = [shares[meter.supplies[0]]]
            takers[0].own += amount.micro
        elif rule is not None and parts:
            takers = [shares[name] for name in parts]
            for share in takers:
                share.given += parts[share.machine]
                share.rules += (f"{meter.name} by {rule.by}",)
        else:
            takers = [left.setdefault(meter.name, Share(f"unallocated: {meter.name}", own=amount.micro))]
        if amount.measured_ns + amount.estimated_ns < window.end_ns - window.start_ns:
            for share in takers:
                share.lacks += (f"some of {meter.name}",)
    return Allocation(*(tuple(one for one in of.values() if one.is_something) for of in (shares, left)))


def states_of(plan: Plan, book: Book, window: Window) -> States | None:
    """What the machine of a meter did in a window; None where nothing tells."""
    span, slot_ns = plan.calendar.slots(window), plan.calendar.slot_ns
    if book.meter.thresholds:
        return by_power(book.amounts, span, slot_ns=slot_ns, thresholds=book.meter.thresholds)
    if book.meter.state_signal:
        readings = book.states.around(span.start, span.stop - 1, margin=1)
        found = stays(readings, window.start_ns, window.end_ns, holds_ns=book.meter.state_holds_ns)
        return by_signal(book.amounts, span, list(found), slot_ns=slot_ns)
    return None


def _own_parts(plan: Plan) -> list[AccountPlan]:
    """What each meter of electricity measures that no meter below it does; together they are the plant."""
    remainders = {account.name: account for account in plan.accounts if account.level == "remainder"}
    return [
        remainders.get(account.name, account)
        for account in plan.accounts
        if account.level == "meter"
        and account.medium == "electricity"
        and not plan.meters[account.members[0]].checks
    ]  # fmt: skip


def _weight(share: Share | None, by: str) -> int:
    if share is None:
        return 0
    if by == "pieces":
        return share.pieces or 0
    if by == "mass":
        return share.mass or 0
    return share.states.lasted_ns["running"] if share.states else 0
