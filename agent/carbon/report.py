"""Statements of many windows and what they rest on, from the evidence in the log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from agent.carbon.account import Figure, add, market_based
from agent.carbon.bill import Bill, make_bill
from agent.carbon.book import Book
from agent.carbon.evidence import Kept, open_books
from agent.carbon.factors import OrganisationFactor
from agent.carbon.meter import EVER, Link, Reading, links
from agent.carbon.plan import MeterPlan, Plan
from agent.carbon.quantities import MICRO, Medium
from agent.carbon.statement import Statement, state
from agent.carbon.windows import NS, WindowKind

SCOPES: dict[str, tuple[Medium, ...]] = {  # GB/T 32150: fuel, process, bought power, bought heat
    "fuel": ("natural_gas", "lpg", "propane", "diesel", "gasoline", "kerosene"),
    "process": ("methanol", "acetylene"),
    "electricity": ("electricity",),
    "heat": ("heat", "steam"),
}


@dataclass(frozen=True, slots=True)
class Trail:
    """What one meter's part of a statement rests on."""

    meter: MeterPlan
    readings: tuple[Reading, ...]  # the kept ones around both edges of the window, in order of time
    doubts: tuple[Link, ...]  # what is unknown or no plain rise, inside the window
    gaps: tuple[Link, ...]  # silences that were estimated
    frozen: int  # slots in which the register stood still under load
    slots: int  # slots with readings

    def as_json(self, local: Moment) -> dict[str, object]:
        """Ready for JSON, times in plant time."""
        return {
            "meter": self.meter.name,
            "series": f"{self.meter.machine}/{self.meter.signal}",
            "unit": self.meter.unit,
            "readings": [[local(t_ns), value] for t_ns, value in self.readings],
            "epochs": [
                {
                    "serial": epoch.serial,
                    "base_units_per_unit": str(epoch.units),
                    "from": local(epoch.from_ns) if epoch.from_ns > -EVER else "",
                    "to": local(epoch.to_ns) if epoch.to_ns < EVER else "",
                    "by": epoch.by,
                }
                for epoch in self.meter.counter.epochs
            ],
            "doubts": [[local(link.from_ns), local(link.to_ns), link.why] for link in self.doubts],
            "estimated_gaps": [[local(link.from_ns), local(link.to_ns)] for link in self.gaps],
            "frozen_slots": self.frozen,
            "slots_with_readings": self.slots,
        }


def short(trail: Trail, local: Moment) -> str:
    """A meter's part in one line: the readings at both edges, and what is doubtful between them."""
    told = [f"{value!r} at {local(t_ns)}" for t_ns, value in trail.readings]
    doubts = [f"{link.why} from {local(link.from_ns)} to {local(link.to_ns)}" for link in trail.doubts]
    gaps = [f"no data from {local(link.from_ns)} to {local(link.to_ns)}" for link in trail.gaps]
    return f"{trail.meter.name}: {', '.join([*told, *doubts, *gaps]) or 'no readings'}"


class Moment:
    """Writes times as the plant's clock shows them."""

    def __init__(self, plan: Plan) -> None:
        self._zone = plan.calendar.zone

    def __call__(self, t_ns: int) -> str:
        """Plant time in ISO 8601, to the millisecond."""
        return datetime.fromtimestamp(t_ns / NS, self._zone).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Report:
    """Statements of a span of time, oldest first within each account."""

    from_ns: int
    to_ns: int
    kind: WindowKind
    statements: tuple[Statement, ...]
    trails: dict[str, tuple[Trail, ...]]
    bills: tuple[Bill, ...] = ()  # of the whole months in the span
    totals: dict[str, Figure] = field(default_factory=dict)  # of the plant, in the shape of GB/T 32150
    plant: str = ""


def make_report(
    plan: Plan,
    evidence: Sequence[Kept],
    from_ns: int,
    to_ns: int,
    *,
    kind: WindowKind,
    only: str = "",
    with_trails: bool = True,
    plant: str = "",
) -> Report:
    """The statements of every account, or of those whose name or medium is `only`. Books are opened month by month."""
    accounts = [account for account in plan.accounts if only in ("", account.name, account.medium, account.level)]
    statements: list[Statement] = []
    trails: dict[str, tuple[Trail, ...]] = {}
    bills: list[Bill] = []
    for start_ns, end_ns in _months(plan, from_ns, to_ns):
        windows = [one for one in plan.calendar.windows(kind, from_ns, to_ns) if start_ns <= one.start_ns < end_ns]
        upto_ns = max((window.end_ns for window in windows), default=end_ns)
        books = open_books(plan, evidence, start_ns, upto_ns)
        for account in accounts:
            for window in windows:
                statement = state(plan, books, account, window)
                statements.append(statement)
                if with_trails:
                    trails[statement.id] = tuple(trail(plan, books, statement))
        month = plan.calendar.window("month", start_ns)
        assert month is not None, "every time has a month"
        if (month.start_ns, month.end_ns) == (start_ns, end_ns) and (bill := make_bill(plan, books, month)):
            bills.append(bill)
        del books  # a month at a time is enough to hold
    place = {account: number for number, account in enumerate(accounts)}
    statements.sort(key=lambda one: (place[one.account], one.window.start_ns))
    totals = _totals(plan, statements, from_ns, to_ns)
    return Report(from_ns, to_ns, kind, tuple(statements), trails, tuple(bills), totals, plant)


def _months(plan: Plan, from_ns: int, to_ns: int) -> Iterator[tuple[int, int]]:
    """The parts of a span that lie in one month each."""
    while from_ns < to_ns:
        month = plan.calendar.window("month", from_ns)
        assert month is not None, "every time has a month"
        yield from_ns, min(to_ns, month.end_ns)
        from_ns = month.end_ns


def _totals(plan: Plan, statements: Iterable[Statement], from_ns: int, to_ns: int) -> dict[str, Figure]:
    """CO2 of the plant by the parts of GB/T 32150, and bought power by contracts where there are some."""
    plant = [one for one in statements if one.account.level == "plant"]
    parts = {
        name: add(one.carbon for one in plant if one.account.medium in media)
        for name, media in SCOPES.items()
        if any(one.account.medium in media for one in plant)
    }
    if not parts:
        return {}
    found = {**parts, "total": add(parts.values())}
    if plan.instruments:
        kwh = sum(
            (Fraction(one.amount.micro, MICRO) for one in plant if one.account.medium == "electricity"), Fraction(0)
        )
        found["electricity by market"] = market_based(kwh, list(_covered(plan, from_ns, to_ns)), plan.residual)
    return found


def _covered(plan: Plan, from_ns: int, to_ns: int) -> Iterator[tuple[Fraction, OrganisationFactor]]:
    """What each instrument covers of the span: its kWh by the days that both have."""
    first, last = plan.calendar.local(from_ns).date(), plan.calendar.local(to_ns - 1).date()
    for one in plan.instruments:
        days = (min(last, one.last) - max(first, one.first)).days + 1
        if days > 0:
            yield one.kwh * days / ((one.last - one.first).days + 1), one.factor


def trail(plan: Plan, books: Sequence[Book], statement: Statement) -> Iterator[Trail]:
    """What a statement rests on, meter by meter."""
    span = plan.calendar.slots(statement.window)
    for number in (*statement.account.members, *statement.account.minus):
        book = books[number]
        readings = book.trace.around(span.start, span.stop - 1, margin=1)
        start_ns, end_ns = statement.window.start_ns, statement.window.end_ns
        before = [one for one in readings if one.t_ns < start_ns][-1:]
        inside = [one for one in readings if start_ns <= one.t_ns < end_ns]
        after = [one for one in readings if one.t_ns >= end_ns][:1]
        rule = book.meter.counter
        found = [] if book.meter.is_level else links(rule, readings, whole=False)
        touching = [link for link in found if link.from_ns < end_ns and link.to_ns > start_ns]
        yield Trail(
            meter=book.meter,
            readings=tuple(dict.fromkeys((*before, *inside[:1], *inside[-1:], *after))),
            doubts=tuple(link for link in touching if link.why),
            gaps=tuple(
                link for link in touching if link.micro is not None and link.to_ns - link.from_ns > rule.max_gap_ns
            ),
            frozen=sum(slot in book.frozen for slot in span),
            slots=sum(bool(book.trace.of(slot)) for slot in span),
        )
