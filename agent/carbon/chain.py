"""The whole chain of one figure, from kilograms of CO2 down to positions in the log, as lines for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from agent.carbon.account import Assignment, Cost, Figure, by_day, decimal_text, energy_cost
from agent.carbon.evidence import Kept, open_books
from agent.carbon.factors import Factor
from agent.carbon.plan import Plan
from agent.carbon.quantities import BASE, MICRO
from agent.carbon.report import Moment, Trail, trail
from agent.carbon.statement import Statement, slots_of, state
from agent.carbon.terms import chinese
from agent.carbon.windows import Window, WindowKind


class Unknown(Exception):
    """No statement has that id; the message is for people."""


def explain(plan: Plan, evidence: Sequence[Kept], name: str) -> Iterator[str]:
    """The lines about the statement of that id. Raises Unknown."""
    statement_of, window = _find(plan, evidence, name)
    books = open_books(plan, evidence, window.start_ns, window.end_ns)
    account = next(one for one in plan.accounts if str(one) == statement_of)
    statement = state(plan, books, account, window)
    local = Moment(plan)
    yield f"{statement.id}, {local(window.start_ns)} to {local(window.end_ns)}, basis {plan.version}"
    yield from _figures(plan, statement)
    span = plan.calendar.slots(window)
    days = by_day(slots_of(books, account, span), span, plan.calendar)
    for day, micro in days.items():
        yield f"  {day.isoformat()}: {decimal_text(Fraction(micro, MICRO))} {BASE[account.medium]}"
        yield from _applied(plan.organisation, statement, day.isoformat(), micro, "kgCO2")
        yield from _applied(plan.product, statement, day.isoformat(), micro, "kgCO2e over the life cycle")
        yield from _applied(plan.coal, statement, day.isoformat(), micro, "kgce")
    if statement.cost.value is not None and plan.tariff is not None:
        yield from _cost(energy_cost(slots_of(books, account, span), span, plan.calendar, plan.tariff))
    for one in trail(plan, books, statement):
        yield from _meter(one, account.minus and one.meter.name != account.name, evidence, plan, local)


def _find(plan: Plan, evidence: Sequence[Kept], name: str) -> tuple[str, Window]:
    """The account and the window that an id names."""
    account, _, label = name.rpartition(":")
    account, _, kind = account.rpartition(":")
    if ":" in label or kind not in ("slot", "hour", "shift", "day", "month"):  # labels of slots hold a colon
        head, _, minute = name.rpartition(":")
        account, _, kind_and_hour = head.rpartition(":slot:")
        kind, label = "slot", f"{kind_and_hour}:{minute}"
    if not any(str(one) == account for one in plan.accounts):
        known = ", ".join(str(one) for one in plan.accounts[:5])
        raise Unknown(f"'{name}' names no account; ids begin like {known}")
    first = min((int(kept.t_ns[0]) for kept in evidence), default=0)
    last = max((int(kept.t_ns[-1]) for kept in evidence), default=0)
    span: WindowKind = kind  # type: ignore[assignment]
    begin = plan.calendar.window(span, first) if kind != "shift" else None
    start_ns = begin.start_ns if begin else first - 24 * 3600 * 10**9
    for window in plan.calendar.windows(span, start_ns, last + 1):
        if window.label == label:
            return account, window
    raise Unknown(f"the log holds no evidence for '{label}'; copy an id from a report")


def _figures(plan: Plan, statement: Statement) -> Iterator[str]:
    shares = statement.shares()
    yield (
        f"  {statement.quantity or 'nothing known'} {BASE[statement.account.medium]}; of the time "
        f"{shares['measured']} measured, {shares['estimated']} estimated, {shares['missing']} missing"
    )
    named: tuple[tuple[str, Figure], ...] = (
        ("kgCO2, location-based", statement.carbon),
        ("kgCO2e, life cycle", statement.footprint),
        ("kgce", statement.coal),
        ("yuan", statement.cost),
    )
    for unit, figure in named:
        if figure.value is not None or figure.lacks:
            lacks = f"incomplete, lacks {'; '.join(figure.lacks)}" if figure.lacks else ""
            yield f"  {unit}: {', '.join(word for word in (figure.text(), lacks) if word)}"
    for one in (*plan.organisation, *plan.product, *plan.coal):
        factor = one.factor
        if one.medium == statement.account.medium:
            value = f"{factor.formula} = " if factor.formula else ""
            yield f"  factor {factor.id}: {value}{_sourced(factor)}"
            for word in plan.inputs:
                if word.id in factor.words:
                    yield f"    {word.id}: {_sourced(word)}"


def _sourced(factor: Factor) -> str:
    return f"{factor.text or 'no citable value'} {factor.unit}, {factor.document}, certainty {factor.certainty}"


def _cost(cost: Cost) -> Iterator[str]:
    for (band, price), micro in cost.parts.items():
        kwh = Fraction(micro, MICRO)
        yuan = f" x {price} = {decimal_text(kwh * Fraction(price))} yuan" if price is not None else ", no price"
        yield f"  {chinese(band)} {band}: {decimal_text(kwh)} kWh{yuan}"


def _applied(
    given: Sequence[Assignment[Factor]], statement: Statement, day: str, micro: int, unit: str
) -> Iterator[str]:  # fmt: skip
    medium = statement.account.medium
    fitting = [
        one.factor
        for one in given
        if one.medium == medium and one.first.isoformat() <= day <= one.last.isoformat()
    ]  # fmt: skip
    if fitting and (kg := fitting[-1].per_base(medium)) is not None:
        product = decimal_text(Fraction(micro, MICRO) * kg)
        yield f"    x {decimal_text(kg)} ({fitting[-1].id}) = {product} {unit}"


def _meter(
    one: Trail, is_taken_away: object, evidence: Sequence[Kept], plan: Plan, local: Moment
) -> Iterator[str]:  # fmt: skip
    sign = "minus " if is_taken_away else ""
    yield f"  {sign}meter {one.meter.name}, series {one.meter.machine}/{one.meter.signal} in {one.meter.unit}"
    for epoch in one.meter.counter.epochs:
        serial = f" serial {epoch.serial}" if epoch.serial else ""
        by = f", written down by {epoch.by}" if epoch.by else ""
        yield f"    epoch{serial}: one {one.meter.unit} of the register is {epoch.units} {BASE[one.meter.medium]}{by}"
    number = plan.meters.index(one.meter)
    kept = next((each for each in evidence if each.number == number and each.role == "register"), None)
    for reading in one.readings:
        where = ""
        if kept is not None:
            at = [n for n in range(*_range(kept, reading.t_ns)) if kept.value[n] == reading.value]
            where = f", log position {int(kept.seq[at[0]])}" if at else ""
        yield f"    reading {reading.value!r} at {local(reading.t_ns)}{where}"
    for link in one.doubts:
        yield f"    {link.why} from {local(link.from_ns)} to {local(link.to_ns)}"
    for link in one.gaps:
        yield f"    no data from {local(link.from_ns)} to {local(link.to_ns)}: estimated, scaled to the register"
    if one.frozen:
        yield f"    the register stood still under load in {one.frozen} slots: unknown"


def _range(kept: Kept, t_ns: int) -> tuple[int, int]:
    return int(np.searchsorted(kept.t_ns, t_ns)), int(np.searchsorted(kept.t_ns, t_ns, side="right"))
