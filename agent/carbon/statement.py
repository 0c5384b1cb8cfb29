"""The statement of an account over a window: amount, coal equivalent, yuan, CO2, and how well each is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent.carbon.account import (
    Figure,
    by_day,
    coal_equivalent,
    decimal_text,
    emissions,
    energy_cost,
    footprint,
)
from agent.carbon.book import Book
from agent.carbon.energy import Amount
from agent.carbon.plan import AccountPlan, Plan
from agent.carbon.quantities import BASE, MICRO, UNBURNT, Medium
from agent.carbon.windows import Window, total


@dataclass(frozen=True, slots=True)
class Statement:
    """What an account used in a window. `span_ns` is the window's length times the number of meters."""

    account: AccountPlan
    window: Window
    amount: Amount
    span_ns: int
    coal: Figure
    cost: Figure
    carbon: Figure  # of an organisation, location-based
    footprint: Figure  # of a product, life cycle

    @property
    def id(self) -> str:
        """Name of the statement, for `raceway report explain`."""
        return f"{self.account}:{self.window.kind}:{self.window.label}"

    @property
    def quantity(self) -> str:
        """The amount in the medium's unit, as a plain decimal; "" where nothing of it is known."""
        known = self.amount.measured_ns + self.amount.estimated_ns
        return decimal_text(Fraction(self.amount.micro, MICRO)) if known or self.amount.micro else ""

    def shares(self) -> dict[str, str]:
        """How much of the time was measured, estimated, missing; they add up to 1."""
        measured = Fraction(self.amount.measured_ns, self.span_ns)
        estimated = Fraction(self.amount.estimated_ns, self.span_ns)
        return {
            "measured": decimal_text(measured),
            "estimated": decimal_text(estimated),
            "missing": decimal_text(1 - measured - estimated),
        }

    @property
    def marks(self) -> str:
        """E where some of it is estimated, M where some of it is missing."""
        known_ns = self.amount.measured_ns + self.amount.estimated_ns
        return "E" * bool(self.amount.estimated_ns) + "M" * (known_ns < self.span_ns)

    def row(self, what: str = "") -> dict[str, str]:
        """Everything as texts; an unknown figure is an empty one, and `lacks` says why.

        what: the report, "energy" or "carbon"; `lacks` says what its own figures lack, without it what any lacks.
        """
        carbon, energy = (self.carbon, self.footprint), (self.coal, self.cost)
        figures = {"carbon": carbon, "energy": energy}.get(what, (*carbon, *energy))
        return {
            "id": self.id,
            "level": self.account.level,
            "account": self.account.name or "plant",
            "medium": self.account.medium,
            "window": self.window.kind,
            "label": self.window.label,
            "quantity": self.quantity,
            "unit": BASE[self.account.medium],
            "kgce": self.coal.text(),
            "yuan": self.cost.text(),
            "kgco2": self.carbon.text(),
            "kgco2e_life_cycle": self.footprint.text(),
            "marks": self.marks,
            **self.shares(),
            "factors": " ".join(dict.fromkeys(name for figure in figures for name in figure.factors)),
            "lacks": "; ".join(dict.fromkeys(words for figure in figures for words in figure.lacks)),
        }


def slots_of(books: Sequence[Book], account: AccountPlan, span: range) -> Mapping[int, Amount]:
    """The account's amount in each slot: its meters added; of a remainder, those below the feeder taken away."""
    if account.minus:
        return _remainder(books, account, span)
    found: dict[int, Amount] = {}
    for number in account.members:
        for slot, amount in books[number].amounts.within(span):
            if slot in found:
                found[slot].add(amount)
            else:
                found[slot] = amount
    return found


def _remainder(books: Sequence[Book], account: AccountPlan, span: range) -> dict[int, Amount]:
    """What the feeder measured and nobody below it; as well known as the worst known of them."""
    found: dict[int, Amount] = {}
    for slot in span:
        feeder = books[account.members[0]].amounts.get(slot)
        below = [books[number].amounts.get(slot) for number in account.minus]
        if feeder is None:
            continue
        known = [amount or Amount() for amount in (feeder, *below)]
        measured_ns = min(amount.measured_ns for amount in known)
        known_ns = min(amount.measured_ns + amount.estimated_ns for amount in known)
        left = Amount(feeder.measured, feeder.estimated, measured_ns, known_ns - measured_ns)
        for amount in known[1:]:
            left.measured -= amount.measured
            left.estimated -= amount.estimated
        found[slot] = left
    return found


def state(plan: Plan, books: Sequence[Book], account: AccountPlan, window: Window) -> Statement:
    """What an account used in a window."""
    span = plan.calendar.slots(window)
    slots = slots_of(books, account, span)
    days = by_day(slots, span, plan.calendar)
    is_power = account.medium == "electricity"
    cost = energy_cost(slots, span, plan.calendar, plan.tariff).figure if is_power and plan.tariff else None
    counts = account.medium not in UNBURNT
    amount, span_ns = total(slots, span), (window.end_ns - window.start_ns) * len(account.members)

    def known(figure: Figure) -> Figure:
        return _as_known(figure, account.medium, amount, span_ns)

    return Statement(
        account=account,
        window=window,
        amount=amount,
        span_ns=span_ns,
        coal=known(coal_equivalent(days, account.medium, plan.coal)) if counts else Figure(None),
        cost=known(cost) if cost else Figure(None),
        carbon=known(emissions(days, account.medium, plan.organisation)) if counts else Figure(None),
        footprint=known(footprint(days, account.medium, plan.product)) if counts and plan.product else Figure(None),
    )


def _as_known(figure: Figure, medium: Medium, amount: Amount, span_ns: int) -> Figure:
    """The figure of an amount that is partly known, saying so; of one that is not known at all there is none."""
    known_ns = amount.measured_ns + amount.estimated_ns
    if not known_ns and not amount.micro:
        return Figure(None, figure.factors, (*figure.lacks, f"any reading of {medium}"))
    if known_ns < span_ns:
        percent = decimal_text(100 - Fraction(100 * known_ns, span_ns), 1)
        return Figure(
            figure.value, figure.factors, (*figure.lacks, f"readings of {medium} for {percent} % of the time")
        )
    return figure
