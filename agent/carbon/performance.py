"""Tables of machines and of targets, from the evidence in the log: rows of texts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction

from agent.carbon.account import Days, decimal_text, emissions, energy_cost
from agent.carbon.allocation import Share, allocate
from agent.carbon.baseline import Point, fit, judge
from agent.carbon.book import Book
from agent.carbon.config import TargetConfig
from agent.carbon.evidence import Kept, open_books
from agent.carbon.plan import AccountPlan, Plan
from agent.carbon.quantities import MICRO, NS_PER_H
from agent.carbon.statement import state
from agent.carbon.states import States
from agent.carbon.windows import Window, WindowKind

Row = dict[str, str]


def machine_rows(
    plan: Plan, evidence: Sequence[Kept], from_ns: int, to_ns: int, *, kind: WindowKind
) -> Iterator[Row]:  # fmt: skip
    """Every window's machines, then what belongs to none of them."""
    for window in plan.calendar.windows(kind, from_ns, to_ns):
        books = open_books(plan, evidence, window.start_ns, window.end_ns)
        found = allocate(plan, books, window)
        day = plan.calendar.local(window.start_ns).date()
        for share in (*found.shares, *found.unallocated):
            yield _machine(plan, share, window, {day: share.micro})


_COLUMNS = (
    "label", "machine", "kwh", "kwh_own", "kwh_by_rules", "rules", "kgco2", "pieces", "kg", "kwh_per_piece",
    "kgco2_per_piece", "kwh_per_kg", "kwh_off", "kwh_standby", "kwh_running", "h_off", "h_standby", "h_running",
    "h_longest_standby", "kw_standby", "yuan_standby", "kgco2_standby", "lacks",
)  # fmt: skip


def _machine(plan: Plan, share: Share, window: Window, days: Days) -> Row:
    carbon = emissions(days, "electricity", plan.organisation)
    row = dict.fromkeys(_COLUMNS, "")
    row |= {
        "label": window.label,
        "machine": share.machine,
        "kwh": _kwh(share.micro),
        "kwh_own": _kwh(share.own),
        "kwh_by_rules": _kwh(share.given),
        "rules": "; ".join(share.rules),
        "kgco2": carbon.text(),
        "lacks": "; ".join((*share.lacks, *carbon.lacks)),
    }
    if share.pieces is not None:
        row["pieces"] = decimal_text(Fraction(share.pieces, MICRO), 0)
    if share.pieces:
        row["kwh_per_piece"] = decimal_text(Fraction(share.micro, share.pieces))
        if carbon.value is not None:
            row["kgco2_per_piece"] = decimal_text(carbon.value * MICRO / share.pieces)
    if share.mass is not None:
        row["kg"] = decimal_text(Fraction(share.mass, MICRO), 3)
    if share.mass:
        row["kwh_per_kg"] = decimal_text(Fraction(share.micro, share.mass))
    if share.states is not None:
        row |= _states(plan, share.states, window, next(iter(days)))
    return row


def _states(plan: Plan, states: States, window: Window, day: date) -> Row:
    """What the machine's states took, and what it cost that it stood by."""
    standby_ns, standby = states.lasted_ns["standby"], states.micro["standby"]
    row = {f"kwh_{name}": _kwh(micro) for name, micro in states.micro.items()}
    row |= {f"h_{name}": _hours(ns) for name, ns in states.lasted_ns.items()}
    row["h_longest_standby"] = _hours(states.longest_standby_ns)
    if standby_ns:
        row["kw_standby"] = decimal_text(Fraction(standby * NS_PER_H, MICRO * standby_ns), 3)
    if plan.tariff is not None:
        span = plan.calendar.slots(window)
        row["yuan_standby"] = energy_cost(states.standby, span, plan.calendar, plan.tariff).figure.text()
    row["kgco2_standby"] = emissions({day: standby}, "electricity", plan.organisation).text()
    return row


def _kwh(micro: int) -> str:
    return decimal_text(Fraction(micro, MICRO))


def _hours(ns: int) -> str:
    return decimal_text(Fraction(ns, NS_PER_H), 2)


def target_rows(plan: Plan, evidence: Sequence[Kept], from_ns: int, to_ns: int) -> Iterator[Row]:
    """Every target's windows against its baseline; windows that are not wholly known are left out."""
    for target in plan.targets:
        first_ns = plan.calendar.midnight(target.from_)
        last_ns = plan.calendar.midnight(target.to + timedelta(1))
        known = [point for _, point in _points(plan, evidence, target, first_ns, last_ns)]
        baseline = fit(known)
        if baseline is None:
            yield {"target": target.name, "lacks": f"a baseline: {len(known)} known windows, of two outputs at least"}
            continue
        found = list(_points(plan, evidence, target, from_ns, to_ns))
        judged = judge(baseline, [point for _, point in found], reduction_percent=Fraction(target.reduction_percent))
        for (window, point), one in zip(found, judged, strict=True):
            yield {
                "target": target.name,
                "label": window.label,
                "pieces": decimal_text(point.output, 0),
                "kwh": decimal_text(point.energy),
                "kwh_expected": decimal_text(one.expected),
                "kwh_saved": decimal_text(one.saved),
                "kwh_saved_so_far": decimal_text(one.saved_so_far),
                "kwh_target": decimal_text(one.target),
                "met": "yes" if point.energy <= one.target else "no",
                "kwh_per_piece_a": decimal_text(baseline.slope),
                "kwh_base_b": decimal_text(baseline.base),
                "r2": "" if baseline.r2 is None else decimal_text(baseline.r2),
                "baseline_points": str(baseline.points),
                "reliable": "yes" if baseline.is_reliable else "no",
            }


def _points(
    plan: Plan, evidence: Sequence[Kept], target: TargetConfig, from_ns: int, to_ns: int
) -> Iterator[tuple[Window, Point]]:  # fmt: skip
    energy = [
        one for one in plan.accounts
        if one.medium == "electricity" and one.name == target.account and one.level != "remainder"
    ][:1]  # fmt: skip
    pieces = [one for one in plan.accounts if one.medium == "pieces" and one.name == target.output][:1]
    for window in plan.calendar.windows(target.window, from_ns, to_ns):
        books = open_books(plan, evidence, window.start_ns, window.end_ns)
        sums = [_known(plan, books, account, window) for account in (*energy, *pieces)]
        if len(sums) == 2 and sums[0] is not None and sums[1] is not None:
            yield window, Point(sums[1], sums[0])


def _known(plan: Plan, books: Sequence[Book], account: AccountPlan, window: Window) -> Fraction | None:
    statement = state(plan, books, account, window)
    if statement.amount.measured_ns + statement.amount.estimated_ns < statement.span_ns:
        return None
    return Fraction(statement.amount.micro, MICRO)
