"""The book of one meter: its kept readings, and the amount of every slot. Pure.

The amounts are a function of the set of readings: taking them in another order or in other pieces ends with the same
book (tests/agent/carbon/test_book.py). Only what a new reading can have changed is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from agent.carbon.amounts import Amounts
from agent.carbon.energy import PROFILE_WEEKS, WEEK_NS, Amount, by_slot, checked, integrate, thawed, weekly
from agent.carbon.meter import Link, Reading, links, surely
from agent.carbon.plan import MeterPlan, Plan, Role
from agent.carbon.thin import Trace
from agent.carbon.windows import MINUTE_NS

CELL_NS = MINUTE_NS  # of levels, one reading a minute is kept
FAR = 64  # filled slots within which a register shows a sure step


def usable(meter: MeterPlan) -> Callable[[Reading, Reading], bool]:
    """Makes a test of a level's neighbours: whether both are possible."""
    most = float(meter.counter.most_per_h / meter.counter.epochs[-1].units)
    return lambda p, q: abs(p.value) < most and abs(q.value) < most


def make_books(plan: Plan) -> list[Book]:
    """A book for each meter, in their order."""
    books: dict[str, Book] = {}
    for meter in sorted(plan.meters, key=lambda one: not one.checks):
        check = next((one.name for one in plan.meters if one.checks == meter.name), "")
        books[meter.name] = Book(meter, plan.calendar.slot_ns, books.get(check))
    return [books[meter.name] for meter in plan.meters]


def revalue(books: Sequence[Book], touched: Sequence[set[int]]) -> list[set[int]]:
    """Compute again what depends on the readings of these slots of each book; returns the slots whose amount changed.

    Check meters come first, for the gaps of what they check are filled by them.
    """
    changed: list[set[int]] = [set() for _ in books]
    numbers = {book.meter.name: number for number, book in enumerate(books)}
    for number in sorted(range(len(books)), key=lambda one: not books[one].meter.checks):
        book = books[number]
        changed[number] |= book.revalue(touched[number])
        if (of := numbers.get(book.meter.checks)) is not None:
            changed[of] |= books[of].refill(changed[number])
    return changed


class Book:
    """What is known of one meter.

    check: the book of the meter that checks it: a gap is filled by what that one measured, where it did.
    """

    def __init__(self, meter: MeterPlan, slot_ns: int, check: Book | None = None) -> None:
        self.meter = meter
        self.trace = Trace(slot_ns=slot_ns, cell_ns=CELL_NS if meter.is_level else 0)
        self.power = Trace(slot_ns=slot_ns, cell_ns=CELL_NS)
        self.states = Trace(slot_ns=slot_ns, cell_ns=CELL_NS, both_ends=True)
        self.traces: Mapping[Role, Trace] = {"register": self.trace, "power": self.power, "state": self.states}
        self.amounts = Amounts()
        self.frozen: set[int] = set()
        self._slot_ns = slot_ns
        self._week = WEEK_NS // slot_ns
        self._is_sure = usable(meter) if meter.is_level else surely(meter.counter)
        self._usual = weekly(self.amounts.get, slot_ns)
        if check is not None:
            self._usual = checked(check.amounts.get, slot_ns, self._usual)
        self._estimated: set[int] = set()

    def revalue(self, slots: Iterable[int]) -> set[int]:
        """Compute again what depends on the readings of these slots; returns the slots whose amount changed."""
        waiting, changed = set(slots), set()
        while waiting:
            now = {slot for first, last in self._spans(sorted(waiting)) for slot in self._span(first, last)}
            changed |= now
            later = {slot + self._week * weeks for slot in now for weeks in range(1, PROFILE_WEEKS + 1)}
            waiting = later & self._estimated  # gaps are filled by what was usual in the weeks before
        return changed

    def refill(self, slots: set[int]) -> set[int]:
        """Fill gaps again whose filling may have changed in these slots; returns the slots whose amount changed."""
        return self.revalue(slots & self._estimated)

    def reach(self, slots: Iterable[int]) -> set[int]:
        """The slots whose amounts the readings of these may have changed."""
        return {slot for first, last in self._spans(sorted(slots)) for slot in range(first, last + 1)}

    def _spans(self, slots: list[int]) -> list[tuple[int, int]]:
        """The slots that may depend on the readings of these, ascending: up to the nearest sure ones on both sides."""
        spans: list[tuple[int, int]] = []
        for slot in slots:
            first, last = self._sure_before(slot), self._sure_after(slot)
            if spans and first <= spans[-1][1]:
                first, last = spans.pop()[0], max(last, slot)
            spans.append((first, last))
        return spans

    def _sure_before(self, slot: int) -> int:
        """The slot of the last reading before a slot that nothing earlier matters to."""
        found, later = slot, None
        for found in self.trace.before(slot, FAR):
            for reading in reversed(self.trace.of(found)):
                if later is not None and self._is_sure(reading, later[1]):
                    return later[0]
                later = found, reading
        return found

    def _sure_after(self, slot: int) -> int:
        """The slot of the first reading after a slot that nothing in it matters to."""
        found, earlier = slot, None
        for found in self.trace.after(slot, FAR):
            for reading in self.trace.of(found):
                if earlier is not None and self._is_sure(earlier, reading):
                    return found
                earlier = reading
        return found

    def _span(self, first: int, last: int) -> set[int]:
        """Compute the slots first to last; returns those that changed."""
        readings = self.trace.around(self._sure_before(first), self._sure_after(last), margin=2)
        amounts = by_slot(
            self._links(readings), slot_ns=self._slot_ns, max_gap_ns=self.meter.counter.max_gap_ns, usual=self._usual
        )
        frozen: list[int] = []
        if self.meter.power_signal:
            amounts, frozen = thawed(amounts, self._flowed(first, last), least=self.meter.still_micro)
        changed = set()
        for slot in range(first, last + 1):
            amount, before = amounts.get(slot), self.amounts.get(slot)
            if amount == before:
                continue
            changed.add(slot)
            self._estimated.discard(slot)
            if amount is None:
                del self.amounts[slot]
            else:
                self.amounts[slot] = amount
                if amount.estimated_ns:
                    self._estimated.add(slot)
        self.frozen = {slot for slot in self.frozen if not first <= slot <= last} | {
            slot for slot in frozen if first <= slot <= last
        }
        return changed

    def _links(self, readings: list[Reading]) -> list[Link]:
        rule = self.meter.counter
        if self.meter.is_level:
            return integrate(
                readings, units=rule.epochs[-1].units, most_per_h=rule.most_per_h, max_gap_ns=rule.max_gap_ns
            )
        return links(rule, readings, whole=False)

    def _flowed(self, first: int, last: int) -> dict[int, Amount]:
        """What the power says, each slot by itself."""
        rule = self.meter.counter
        found: dict[int, Amount] = {}
        for slot in range(first, last + 1):
            if slot in self.amounts or self.trace.of(slot):
                flowed = integrate(
                    self.power.of(slot), units=Fraction(1), most_per_h=rule.most_per_h, max_gap_ns=rule.max_gap_ns
                )
                found |= by_slot(flowed, slot_ns=self._slot_ns, max_gap_ns=rule.max_gap_ns, usual=lambda _: None)
        return found

    @property
    def has_estimates(self) -> bool:
        """Whether the amount of some slot was filled by what is usual."""
        return bool(self._estimated)

    def forget(self, *, amounts_before: int, readings_before: int) -> None:
        """Drop the amounts of slots before one, and the readings of slots before another."""
        for trace in self.traces.values():
            trace.forget(readings_before)
        self.amounts.forget(amounts_before)
        self._estimated = {slot for slot in self._estimated if slot >= amounts_before}
        self.frozen = {slot for slot in self.frozen if slot >= amounts_before}
