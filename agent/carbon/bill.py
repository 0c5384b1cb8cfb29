"""The month's bill of the plant's electricity: energy, demand, power factor; each part known or said to lack something.

Pure. Government funds and taxes are not in it; the supplier's bill may round differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from agent.carbon.account import NOTHING, Cost, Figure, add, decimal_text, energy_cost
from agent.carbon.book import Book
from agent.carbon.plan import Plan
from agent.carbon.quantities import MICRO
from agent.carbon.statement import Statement, slots_of, state
from agent.carbon.tariff import BANDS, Band, power_factor, power_factor_fee
from agent.carbon.windows import Demand, Window, peak_demand


@dataclass(frozen=True, slots=True)
class Bill:
    """What a month costs, yuan. `power_factor` is None where reactive energy is not metered."""

    month: str
    cost: Cost | None
    energy: Figure
    demand: Demand | None
    demand_fee: Figure
    power_factor: Decimal | None
    power_factor_fee: Figure

    @property
    def total(self) -> Figure:
        """All parts; not known as soon as one is not."""
        return add((self.energy, self.demand_fee, self.power_factor_fee))

    def _kwh(self, band: Band) -> str:
        return decimal_text(Fraction(self.cost.micro(band), MICRO), 3) if self.cost else ""

    def row(self) -> dict[str, str]:
        """Everything as texts."""
        return {
            "month": self.month,
            **{f"{band}_kwh": self._kwh(band) for band in BANDS},
            "energy_yuan": self.energy.text(2),
            "demand_kw": decimal_text(Fraction(self.demand.per_h), 3) if self.demand else "",
            "demand_yuan": self.demand_fee.text(2),
            "power_factor": decimal_text(Fraction(self.power_factor), 4) if self.power_factor is not None else "",
            "power_factor_yuan": self.power_factor_fee.text(2),
            "total_yuan": self.total.text(2),
            "lacks": "; ".join(self.total.lacks),
        }


def make_bill(plan: Plan, books: Sequence[Book], month: Window) -> Bill | None:
    """The bill of a whole month; None for a plant without meters of electricity."""
    found = {one.medium: one for one in plan.accounts if one.level == "plant"}
    if "electricity" not in found:
        return None
    account = found["electricity"]
    active = state(plan, books, account, month)
    reactive = state(plan, books, found["reactive"], month) if "reactive" in found else None
    span = plan.calendar.slots(month)
    slots = slots_of(books, account, span)
    demand = peak_demand(slots, span, slot_ns=plan.calendar.slot_ns, sliding=plan.demand_is_sliding)
    demand_fee = _demand_fee(plan, demand)
    factor = _factor(active, reactive)
    fee = _factor_fee(plan, factor, add((active.cost, demand_fee)))
    cost = energy_cost(slots, span, plan.calendar, plan.tariff) if plan.tariff else None
    return Bill(month.label, cost, active.cost, demand, demand_fee, factor, fee)


def _demand_fee(plan: Plan, demand: Demand | None) -> Figure:
    price = plan.tariff.yuan_per_kw if plan.tariff else None
    if price is None:
        return NOTHING
    if demand is None:
        return Figure(None, (), ("a quarter of an hour that is wholly known",))
    return Figure(Fraction(demand.per_h) * Fraction(price))


def _factor(active: Statement, reactive: Statement | None) -> Decimal | None:
    if reactive is None:
        return None
    kwh, kvarh = (Decimal(decimal_text(Fraction(one.amount.micro, MICRO))) for one in (active, reactive))
    return power_factor(kwh, kvarh)


def _factor_fee(plan: Plan, factor: Decimal | None, base: Figure) -> Figure:
    steps = plan.tariff.power_factor_steps if plan.tariff else ()
    if not steps:
        return NOTHING
    if factor is None:
        return Figure(None, (), ("a power factor, which needs a meter with medium: reactive",))
    if base.value is None:
        return Figure(None, (), base.lacks)
    fee = power_factor_fee(factor, steps, Decimal(decimal_text(base.value)))
    return Figure(None, (), (f"a step for a power factor of {factor:.3f}",)) if fee is None else Figure(Fraction(fee))
