"""CarbonSink: the reader of the log that keeps the books, and delivers evidence and results to the log.

It knows the time only from the log: a window is over when something was received `grace_s` after its end. Evidence goes
to the records when its slot is over. A result is written when its window is over, and again at the same time when late
readings changed it. One value must not be rewritten: the newest of its series, which the log would keep beside the old
one; that correction follows when the next window is over.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import orjson

from agent.carbon import names
from agent.carbon.book import Book
from agent.carbon.config import CarbonConfig
from agent.carbon.evidence import DAY_NS, HORIZON_NS, gather
from agent.carbon.plan import Plan, make_plan
from agent.carbon.quantities import MICRO
from agent.carbon.statement import slots_of, state
from agent.carbon.thin import Trace
from agent.carbon.windows import Window, WindowKind, total
from agent.sink import Entry
from collectors.points import BAD, GOOD, UNCERTAIN, Batch, Clock, Point, Series, Stream, Times, Values

KINDS: tuple[WindowKind, ...] = ("slot", "hour", "shift", "day", "month")
REWRITE_NS = 14 * DAY_NS
"""Results older than this are not rewritten; reports, which read the evidence, are right all the same."""
KEEP_NS = REWRITE_NS + 31 * DAY_NS + HORIZON_NS
"""What is kept in memory: a month that is rewritten, and what its gaps are filled by."""
MOST_WINDOWS = 10_000  # remembered

Due = tuple[int, WindowKind, int]  # account, kind, start of the window


class _Work(NamedTuple):
    """What one write delivers, and what is done when that is durable."""

    points: list[Point]
    closed: int
    ready: list[Due]
    newest: dict[tuple[int, WindowKind], int]


def make_sink(
    config: CarbonConfig, plant: str, *, deliver: Callable[[Batch], Awaitable[object]],
    recall: Callable[[int], Iterable[Entry]],
) -> CarbonSink:  # fmt: skip
    """The sink of checked settings."""
    return CarbonSink(make_plan(config), plant, deliver=deliver, recall=recall)


class CarbonSink:
    """Keeps one book for each meter; its state is what the records do not hold yet."""

    name = "carbon"
    max_points = 50_000
    linger_s = 30.0

    def __init__(
        self, plan: Plan, plant: str, *, deliver: Callable[[Batch], Awaitable[object]],
        recall: Callable[[int], Iterable[Entry]],
    ) -> None:  # fmt: skip
        """`recall` gives what the records stream holds since a time, ns since 1970 UTC."""
        self._plan, self._plant = plan, plant
        self._deliver, self._recall = deliver, recall
        self._slot_ns = plan.calendar.slot_ns
        self.books = [Book(meter, self._slot_ns) for meter in plan.meters]
        self._accounts_of = [
            [number for number, account in enumerate(plan.accounts) if meter in (*account.members, *account.minus)]
            for meter in range(len(plan.meters))
        ]
        self._series: Sequence[Series] = ()
        self._routes: list[tuple[int, int, bool]] = []  # index of a series, number of its book, whether it is the power
        self._seq = 0  # of the last entry
        self._watermark_ns = 0
        self._closed = 0  # the first slot that is not over
        self._dirty: list[set[int]] = [set() for _ in plan.meters]
        self._dirty_power: list[set[int]] = [set() for _ in plan.meters]
        self._due: set[Due] = set()
        self._newest: dict[tuple[int, WindowKind], int] = {}
        self._basis = sha256(plan.basis.encode()).hexdigest()
        self._told_basis = ""
        self._windows: dict[tuple[WindowKind, int], Window | None] = {}
        self._must_recall = False

    def restore(self, state: bytes) -> None:
        """Take back what the records do not hold; they are read when the first entries come."""
        if not state:
            return
        kept = orjson.loads(zlib.decompress(state))
        self._seq, self._watermark_ns, self._closed = kept["seq"], kept["watermark_ns"], kept["closed"]
        self._told_basis = kept["basis"]
        places = {meter.name: number for number, meter in enumerate(self._plan.meters)}
        accounts = {str(account): number for number, account in enumerate(self._plan.accounts)}
        for name, readings, power in kept["open"]:
            if name in places:
                self._take(places[name], *_columns(readings), is_power=False)
                self._take(places[name], *_columns(power), is_power=True)
        self._due = {(accounts[name], kind, start) for name, kind, start in kept["due"] if name in accounts}
        self._newest = {
            (accounts[name], kind): start for name, kind, start in kept["newest"] if name in accounts
        }  # fmt: skip
        self._must_recall = True

    async def write(self, entries: Sequence[Entry]) -> bytes:
        """Take the entries into the books, deliver what is over. The computing is done in a thread."""
        if self._must_recall:
            await asyncio.to_thread(self._remember_all)
            self._must_recall = False
        work = await asyncio.to_thread(self._account, entries)
        if work.points:
            batch = Batch.of(self.name, work.points, received_ns=self._watermark_ns, stream=Stream.RECORDS)
            await self._deliver(batch)
        self._done(work)
        return self._state()

    def _account(self, entries: Sequence[Entry]) -> _Work:
        for entry in entries:
            self._seq = entry.seq
            if entry.batch.source != self.name:
                self._read(entry.batch)
        closed = max(self._closed, (self._watermark_ns - self._plan.grace_ns) // self._slot_ns)
        self._revalue(closed)
        ready, newest = self._ready(closed)
        # Evidence last: where it is durable, so are the results. What a crash cut off is delivered again.
        points = [*self._basis_told(), *(point for due in ready for point in self._told(due)), *self._evidence(closed)]
        return _Work(points, closed, ready, newest)

    def waiting(self) -> set[tuple[str, WindowKind, int]]:
        """Results that are not written yet: their window is not over, or they correct the newest of their series."""
        return {(str(self._plan.accounts[account]), kind, start_ns) for account, kind, start_ns in self._due}

    def _read(self, batch: Batch) -> None:
        if batch.series is not self._series:
            self._series = batch.series
            self._routes = [
                (index, number, meter.watches(series))
                for index, series in enumerate(batch.series)
                for number, meter in enumerate(self._plan.meters)
                if meter.reads(series) or meter.watches(series)
            ]
        good = (batch.quality < UNCERTAIN) & np.isfinite(batch.value)
        for index, number, is_power in self._routes:
            rows = good & (batch.which == index)
            if rows.any():
                self._take(number, batch.t_ns[rows], batch.value[rows], is_power=is_power)
        self._watermark_ns = max(self._watermark_ns, batch.received_ns)

    def _take(self, number: int, t_ns: Times, value: Values, *, is_power: bool) -> None:
        book = self.books[number]
        if is_power:
            self._dirty_power[number] |= book.power.take(t_ns, value)
        else:
            self._dirty[number] |= book.take(t_ns, value)

    def _remember_all(self) -> None:
        """Take our own evidence back into the books."""
        for kept in gather(self._plan, self._plant, self._recall(self._watermark_ns - KEEP_NS)):
            book = self.books[kept.number]
            (book.power if kept.is_power else book.trace).take(kept.t_ns, kept.value)
            # Delivered after the state was committed: what it corrects may still wait, and the state does not know it.
            self._dirty[kept.number].update((kept.t_ns[kept.seq > self._seq] // self._slot_ns).tolist())
        self._settle_recalled()

    def _settle_recalled(self) -> None:
        """Value what was delivered before; what may not have been is valued, and delivered, with the next entries."""
        for number, book in enumerate(self.books):
            self._dirty[number].update(book.trace.slots_from(self._closed))
            book.revalue(book.trace.slots())
            self._mark(number, book.reach(self._dirty[number]))

    def _revalue(self, closed: int) -> None:
        """Value what is over, and find the windows that it changes."""
        horizon = self._closed - REWRITE_NS // self._slot_ns  # a leap of time makes nothing too old that was not over
        for number, book in enumerate(self.books):
            slots = {slot for slot in self._dirty[number] | self._dirty_power[number] if horizon <= slot < closed}
            self._mark(number, book.revalue(slots))

    def _mark(self, number: int, slots: Iterable[int]) -> None:
        """The windows of these slots of a meter are to be written, in all its accounts."""
        for slot in slots:
            for kind in KINDS:
                window = self._window(kind, slot * self._slot_ns)
                if window is not None:
                    self._due |= {(account, kind, window.start_ns) for account in self._accounts_of[number]}

    def _window(self, kind: WindowKind, t_ns: int) -> Window | None:
        key = kind, t_ns
        if key not in self._windows:
            if len(self._windows) > MOST_WINDOWS:
                self._windows.clear()
            self._windows[key] = self._plan.calendar.window(kind, t_ns)
        return self._windows[key]

    def _ready(self, closed: int) -> tuple[list[Due], dict[tuple[int, WindowKind], int]]:
        """The windows to write, newer ones before corrections of older ones; and the newest written of each series."""
        found: dict[tuple[int, WindowKind], list[int]] = {}
        for account, kind, start_ns in sorted(self._due):
            window = self._window(kind, start_ns)
            if window is not None and window.end_ns <= closed * self._slot_ns:
                found.setdefault((account, kind), []).append(start_ns)
        ready: list[Due] = []
        newest = dict(self._newest)
        for (account, kind), starts in found.items():
            before = newest.get((account, kind), -1)
            fresh = [start for start in starts if start > before]
            old = [start for start in starts if start < before or (fresh and start == before)]
            ready += [(account, kind, start) for start in (*fresh, *old)]
            if fresh:
                newest[account, kind] = fresh[-1]
        return ready, newest

    def _told(self, due: Due) -> Iterator[Point]:
        """The results of one window as points."""
        number, kind, start_ns = due
        account, window = self._plan.accounts[number], self._window(kind, start_ns)
        assert window is not None, "only windows are due"

        def point(what: str, unit: str, value: float | str, quality: int = GOOD) -> Point:
            series = names.result(self._plant, account, kind, what, unit, slot_ns=self._slot_ns)
            return Point(series, start_ns, value, quality, Clock.GATEWAY)

        if kind == "slot":
            span = self._plan.calendar.slots(window)
            amount = total(slots_of(self.books, account, span), span)
            known_ns = amount.measured_ns + amount.estimated_ns
            yield point("", "", *_value(amount.micro / MICRO if known_ns or amount.micro else None))
            return
        told = state(self._plan, self.books, account, window)
        yield point("", "", *_value(float(told.quantity) if told.quantity else None))
        yield point("known", "1", (told.amount.measured_ns + told.amount.estimated_ns) / told.span_ns)
        for what, unit, figure in (
            ("coal", "kgce", told.coal), ("cost", "CNY", told.cost), ("carbon", "kgCO₂e", told.carbon),
        ):  # fmt: skip
            if figure.value is not None:
                yield point(what, unit, float(figure.value))
        if kind != "hour":
            yield point("statement", "", orjson.dumps({**told.row(), "basis": self._basis[:12]}).decode())

    def _basis_told(self) -> Iterator[Point]:
        """What is computed with, when it is another than before."""
        if self._told_basis != self._basis and self._watermark_ns:
            series = names.basis(self._plant)
            yield Point(series, self._watermark_ns, self._plan.basis, clock=Clock.GATEWAY)

    def _evidence(self, closed: int) -> Iterator[Point]:
        for number, book in enumerate(self.books):
            series = names.evidence(self._plant, book.meter)
            for slot in sorted(slot for slot in self._dirty[number] if slot < closed):
                yield from (Point(series, *reading) for reading in book.trace.of(slot))
            series = names.evidence(self._plant, book.meter, names.POWER)
            touched = self._dirty[number] | self._dirty_power[number]
            for slot in sorted(book.frozen & touched):
                yield from (Point(series, *reading) for reading in book.power.of(slot))

    def _done(self, work: _Work) -> None:
        self._due.difference_update(work.ready)
        self._newest = work.newest
        self._told_basis = self._basis if self._watermark_ns else ""
        closed = work.closed
        days_slots = DAY_NS // self._slot_ns
        is_new_day = closed // days_slots != self._closed // days_slots
        self._closed = closed
        for dirty in (*self._dirty, *self._dirty_power):
            dirty.difference_update([slot for slot in dirty if slot < closed])
        if is_new_day:
            for book in self.books:
                book.forget(
                    amounts_before=closed - KEEP_NS // self._slot_ns,
                    readings_before=closed - (REWRITE_NS + HORIZON_NS) // self._slot_ns,
                )

    def _state(self) -> bytes:
        accounts = [str(account) for account in self._plan.accounts]
        kept = {
            "seq": self._seq,
            "watermark_ns": self._watermark_ns,
            "closed": self._closed,
            "basis": self._told_basis,
            "open": [
                (book.meter.name, _open(book.trace, self._closed), _open(book.power, self._closed))
                for book in self.books
            ],
            "due": [(accounts[account], kind, start_ns) for account, kind, start_ns in sorted(self._due)],
            "newest": [(accounts[account], kind, start_ns) for (account, kind), start_ns in self._newest.items()],
        }
        return zlib.compress(orjson.dumps(kept), 1)


def _open(trace: Trace, closed: int) -> list[tuple[int, float]]:
    return [(reading.t_ns, reading.value) for slot in trace.slots_from(closed) for reading in trace.of(slot)]


def _columns(readings: Sequence[tuple[int, float]]) -> tuple[Times, Values]:
    return (
        np.array([t_ns for t_ns, _ in readings], np.int64),
        np.array([value for _, value in readings], np.float64),
    )


def _value(value: float | None) -> tuple[float, int]:
    """A value and its quality; what is not known any more is Bad."""
    return (float("nan"), BAD) if value is None else (value, GOOD)
