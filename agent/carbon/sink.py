"""CarbonSink: the reader of the log that keeps the books, and delivers evidence and results to the log.

It knows the time only from the log: a window is over when something was received `grace_s` after its end. Evidence goes
to the records when its slot is over. A result is written when its window is over, and again at the same time when late
readings changed it: results are of the kinds WINDOW and STATEMENT, of which the last one counts.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import orjson

from agent.carbon import names, telling
from agent.carbon.book import make_books, revalue
from agent.carbon.config import CarbonConfig
from agent.carbon.due import Due, Result
from agent.carbon.evidence import DAY_NS, HORIZON_NS, gather
from agent.carbon.plan import ROLES, MeterPlan, Plan, Role, make_plan
from agent.carbon.states import UNKNOWN
from agent.carbon.thin import Trace
from agent.carbon.windows import WindowKind
from agent.sink import Entry
from collectors.points import UNCERTAIN, Batch, Clock, Point, Series, Stream, Times, Values

REWRITE_NS = 14 * DAY_NS
"""Results older than this are not rewritten; reports, which read the evidence, are right all the same."""
KEEP_NS = REWRITE_NS + 31 * DAY_NS + HORIZON_NS
"""What is kept in memory: a month that is rewritten, and what its gaps are filled by."""


class _Route(NamedTuple):
    """A series of the log, and whose it is."""

    column: int  # in the batch's table of series
    number: int  # of the meter
    role: Role


class _Work(NamedTuple):
    """What one write delivers, and what is done when that is durable."""

    points: list[Point]
    closed: int
    results: list[Result]


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
        self.books = make_books(plan)
        self._series: Sequence[Series] = ()
        self._routes: list[_Route] = []
        self._seq = 0  # of the last entry
        self._watermark_ns = 0
        self._closed = 0  # the first slot that is not over
        self._dirty: Mapping[Role, list[set[int]]] = {role: [set() for _ in plan.meters] for role in ROLES}
        self._due = Due(plan)
        self._told_basis = ""
        self._must_recall = False

    def restore(self, state: bytes) -> None:
        """Take back what the records do not hold; they are read when the first entries come."""
        if not state:
            return
        kept = orjson.loads(zlib.decompress(state))
        self._seq, self._watermark_ns, self._closed = kept["seq"], kept["watermark_ns"], kept["closed"]
        self._told_basis = kept["basis"]
        places = {meter.name: number for number, meter in enumerate(self._plan.meters)}
        for name, role, readings in kept["readings"]:
            if name in places:
                self._take(places[name], role, *_columns(readings))
        self._due.unpack(kept["results"])
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
        results = self._due.over(closed * self._slot_ns)
        # Evidence last: where it is durable, so are the results. What a crash cut off is delivered again.
        points = [*self._basis_told(), *self._told(results), *self._evidence(closed)]
        return _Work(points, closed, results)

    def waiting(self) -> set[tuple[str, WindowKind, int]]:
        """Results that are not written yet, for their window is not over."""
        return set(self._due.pack())

    def _read(self, batch: Batch) -> None:
        if batch.series is not self._series:
            self._series = batch.series
            self._routes = [
                _Route(column, number, role)
                for column, series in enumerate(batch.series)
                for number, meter in enumerate(self._plan.meters)
                if (role := meter.role(series)) is not None
            ]
        good = (batch.quality < UNCERTAIN) & np.isfinite(batch.value)
        for column, number, role in self._routes:
            rows = batch.which == column
            value = batch.value
            if role != "state":
                rows &= good
            elif rows.any():
                value = _states(batch, rows & good, self._plan.meters[number])
            if rows.any():
                self._take(number, role, batch.t_ns[rows], value[rows])
        self._watermark_ns = max(self._watermark_ns, batch.received_ns)

    def _take(self, number: int, role: Role, t_ns: Times, value: Values) -> None:
        self._dirty[role][number] |= self.books[number].traces[role].take(t_ns, value)

    def _remember_all(self) -> None:
        """Take our own evidence back into the books."""
        for kept in gather(self._plan, self._plant, self._recall(self._watermark_ns - KEEP_NS)):
            self.books[kept.number].traces[kept.role].take(kept.t_ns, kept.value)
            # Delivered after the state was committed: what it corrects may still wait, and the state does not know it.
            late = kept.t_ns[kept.seq > self._seq] // self._slot_ns
            self._dirty[kept.role][kept.number].update(late.tolist())
        # Value what was delivered before; what may not have been is valued, and delivered, with the next entries.
        revalue(self.books, [set(book.trace.slots()) for book in self.books])
        for number, book in enumerate(self.books):
            dirty = self._dirty["register"][number]
            dirty.update(book.trace.slots_from(self._closed))
            self._due.mark(number, book.reach(dirty))

    def _revalue(self, closed: int) -> None:
        """Value what is over, and find the windows that it changes."""
        horizon = self._closed - REWRITE_NS // self._slot_ns  # a leap of time makes nothing too old that was not over
        touched = [
            {slot for slot in register | power if horizon <= slot < closed}
            for register, power in zip(self._dirty["register"], self._dirty["power"], strict=True)
        ]
        for number, changed in enumerate(revalue(self.books, touched)):
            self._due.mark(number, changed)

    def _told(self, results: Iterable[Result]) -> Iterator[Point]:
        for account, kind, start_ns in results:
            window = self._due.window(kind, start_ns)
            assert window is not None, "only windows are due"
            yield from telling.told(self._plan, self._plant, self.books, account=account, window=window)

    def _basis_told(self) -> Iterator[Point]:
        """What is computed with, when it is another than before."""
        if self._told_basis != self._plan.version and self._watermark_ns:
            series = names.basis(self._plant)
            yield Point(series, self._watermark_ns, self._plan.basis, clock=Clock.SOURCE)

    def _evidence(self, closed: int) -> Iterator[Point]:
        for number, book in enumerate(self.books):
            dirty = {role: {slot for slot in slots[number] if slot < closed} for role, slots in self._dirty.items()}
            yield from telling.kept(self._plant, book, "register", dirty["register"])
            yield from telling.kept(self._plant, book, "power", book.frozen & (dirty["register"] | dirty["power"]))
            yield from telling.kept(self._plant, book, "state", dirty["state"])

    def _done(self, work: _Work) -> None:
        self._due.written(work.results)
        self._told_basis = self._plan.version if self._watermark_ns else ""
        closed = work.closed
        days_slots = DAY_NS // self._slot_ns
        is_new_day = closed // days_slots != self._closed // days_slots
        self._closed = closed
        for of_meters in self._dirty.values():
            for dirty in of_meters:
                dirty.difference_update([slot for slot in dirty if slot < closed])
        if is_new_day:
            for book in self.books:
                book.forget(
                    amounts_before=closed - KEEP_NS // self._slot_ns,
                    readings_before=closed - (REWRITE_NS + HORIZON_NS) // self._slot_ns,
                )

    def _state(self) -> bytes:
        kept = {
            "seq": self._seq,
            "watermark_ns": self._watermark_ns,
            "closed": self._closed,
            "basis": self._told_basis,
            "readings": [
                (book.meter.name, role, readings)
                for book in self.books
                for role, trace in book.traces.items()
                if (readings := _open(trace, self._closed))
            ],
            "results": self._due.pack(),
        }
        return zlib.compress(orjson.dumps(kept), 1)


def _states(batch: Batch, known: np.ndarray[tuple[int], np.dtype[np.bool_]], meter: MeterPlan) -> Values:
    """The value column with a machine's states as numbers; a Bad one is no known state."""
    found = np.full(len(batch), UNKNOWN)
    is_text = {index for index, series in enumerate(batch.series) if series.kind.is_text}
    for row in np.flatnonzero(known).tolist():
        told = float(batch.value[row])
        found[row] = meter.state(batch.texts[int(told)] if int(batch.which[row]) in is_text else told)
    return found


def _open(trace: Trace, closed: int) -> list[tuple[int, float]]:
    return [(reading.t_ns, reading.value) for slot in trace.slots_from(closed) for reading in trace.of(slot)]


def _columns(readings: Sequence[tuple[int, float]]) -> tuple[Times, Values]:
    return (
        np.array([t_ns for t_ns, _ in readings], np.int64),
        np.array([value for _, value in readings], np.float64),
    )
