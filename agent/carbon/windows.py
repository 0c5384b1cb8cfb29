"""The plant's calendar: hours, shifts, days and months of local time, made of slots; and demand. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from agent.carbon.energy import Amount
from agent.carbon.quantities import MICRO, NS_PER_H

NS = 1_000_000_000
MINUTE_NS = 60 * NS
DEMAND_NS = 15 * MINUTE_NS

WindowKind = Literal["slot", "hour", "shift", "day", "month"]


class Window(NamedTuple):
    """A span of time with a name; half open."""

    kind: WindowKind
    start_ns: int
    end_ns: int
    label: str


class Shift(NamedTuple):
    """A working shift: minutes since local midnight; an end at or before the start lies on the next day."""

    name: str
    start_min: int
    end_min: int


@dataclass(frozen=True)
class Calendar:
    """Where windows begin and end. Every edge is the edge of a slot."""

    zone: ZoneInfo
    slot_ns: int
    shifts: Sequence[Shift] = ()

    def local(self, t_ns: int) -> datetime:
        """Plant time, to the second."""
        return datetime.fromtimestamp(t_ns // NS, self.zone)

    def midnight(self, day: date) -> int:
        """When a day begins, ns since 1970 UTC."""
        return self._at(day, 0)

    def window(self, kind: WindowKind, t_ns: int) -> Window | None:
        """The window of that kind that holds a time; None for a time outside every shift."""
        if kind == "slot":
            start = t_ns // self.slot_ns * self.slot_ns
            return Window(kind, start, start + self.slot_ns, f"{self.local(start):%Y-%m-%dT%H:%M}")
        here = self.local(t_ns)
        match kind:
            case "hour":
                start = round(here.replace(minute=0, second=0).timestamp()) * NS
                return Window(kind, start, start + NS_PER_H, f"{here:%Y-%m-%dT%H}")
            case "day":
                day = here.date()
                return Window(kind, self._at(day, 0), self._at(day + timedelta(1), 0), day.isoformat())
            case "month":
                first = here.date().replace(day=1)
                after = (first + timedelta(31)).replace(day=1)
                return Window(kind, self._at(first, 0), self._at(after, 0), f"{first:%Y-%m}")
        return next((shift for shift in self._shifts(here.date()) if shift.start_ns <= t_ns < shift.end_ns), None)

    def windows(self, kind: WindowKind, from_ns: int, to_ns: int) -> Iterator[Window]:
        """The windows that begin in the span, in order."""
        t_ns = from_ns
        while t_ns < to_ns:
            window = self.window(kind, t_ns)
            if window is None:
                t_ns += self.slot_ns
                continue
            if window.start_ns >= from_ns:
                yield window
            t_ns = window.end_ns

    def slots(self, window: Window) -> range:
        """The slots of a window."""
        return range(window.start_ns // self.slot_ns, window.end_ns // self.slot_ns)

    def _shifts(self, day: date) -> Iterator[Window]:
        for begins in (day - timedelta(1), day):
            for shift in self.shifts:
                ends = begins + timedelta(shift.end_min <= shift.start_min)
                span = self._at(begins, shift.start_min), self._at(ends, shift.end_min)
                yield Window("shift", *span, f"{begins.isoformat()}/{shift.name}")

    def _at(self, day: date, minute: int) -> int:
        moment = datetime(day.year, day.month, day.day, tzinfo=self.zone) + timedelta(minutes=minute)
        return round(moment.timestamp()) * NS


def total(slots: Mapping[int, Amount], span: range) -> Amount:
    """What flowed in consecutive slots."""
    found = Amount()
    for slot in span:
        if (amount := slots.get(slot)) is not None:
            found.add(amount)
    return found


class Demand(NamedTuple):
    """The highest mean of a quarter of an hour, in base units an hour (kW), and when its quarter began."""

    per_h: Decimal
    start_ns: int


def peak_demand(slots: Mapping[int, Amount], span: range, *, slot_ns: int, sliding: bool) -> Demand | None:
    """The highest demand in a span of slots; quarters that are not known whole do not count.

    sliding: quarters begin with every slot, else on the quarters of the hour.
    """
    width = DEMAND_NS // slot_ns
    best: tuple[int, int] | None = None
    for first in span[: len(span) - width + 1]:
        if not sliding and first % width:
            continue
        quarter = total(slots, range(first, first + width))
        known_ns = quarter.measured_ns + quarter.estimated_ns
        if known_ns == DEMAND_NS and (best is None or quarter.micro > best[0]):
            best = quarter.micro, first
    if best is None:
        return None
    return Demand(Decimal(best[0]) * (NS_PER_H // DEMAND_NS) / MICRO, best[1] * slot_ns)
