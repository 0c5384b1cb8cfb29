"""What the events of a source say about its alarms: a record of every change, and which alarms stand now. Pure.

A record is a text of JSON in the series `alarm` of a machine; its `state` is a name of ISA-18.2. A refresh tells the
retained alarms again: what is known already gives no second record, and what was retained and is not told again has
ended while nobody listened. That is a record too, Uncertain and with the gateway's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import orjson

from collectors.opcua.alarm_config import ACTIVE, ALARM, EVENT, RETAINED, Notifier
from collectors.opcua.config import OpcUaConfig, Tag
from collectors.opcua.eventlist import Event
from collectors.opcua.shape import EARLIEST_NS, EPOCH_TICKS
from collectors.points import GOOD, UNCERTAIN, Clock, Kind, Point, Series

FIRST_HANDLE = 0xFFFF_0000  # client handles of the items that bring events: one for each notifier
EARLIER = -1  # in place of a notifier: an earlier agent heard it, and did not say from which one
UNSHELVED = "i=2930"
NULL_NODE = "i=0"
MOST_LISTED, MOST_TEXT = 100, 1000  # alarms in one list, characters of one text
MOST_RETAINED = 5000  # standing alarms of a source that are remembered
LISTED = ("condition", "branch", "name", "source", "state", "severity")
STANDING = ("unacknowledged", "acknowledged")


class Told(StrEnum):
    """Types of events that are about events (OPC 10000-9 §5.11, OPC 10000-4 §7.22.3)."""

    REFRESH_START = "i=2787"
    REFRESH_END = "i=2788"
    REFRESH_REQUIRED = "i=2789"
    QUEUE_OVERFLOW = "i=3035"


class Place(NamedTuple):
    """The machine that an alarm belongs to."""

    plant: str
    area: str
    line: str
    machine: str

    def series(self, signal: str) -> Series:
        """One of its series."""
        return Series(*self, signal, *(("1", Kind.GAUGE) if signal == ACTIVE else ("", Kind.EVENT)))


class Retained(NamedTuple):
    """A condition that the server retains, as it was told last."""

    place: Place
    notifier: int
    time: int  # of the event, ticks
    record: dict[str, object]


Key = tuple[str, str]  # condition and branch


@dataclass(slots=True)
class Conditions:
    """The alarms of one source; they outlive a connection. Times come in as arguments, ns since 1970 UTC.

    named: a node id of this session as a text that holds for ever: with the URI of its namespace, or a standard name.
    """

    notifiers: Sequence[Notifier]
    places: Sequence[Place]  # of the notifiers
    place_of: Mapping[str, Place]  # of the configured variables, by their node ids
    ahead_ns: int
    named: Callable[[str], str] = str
    running: set[int] = field(default_factory=set)  # notifiers whose events the subscription brings
    wants_refresh: bool = False  # the server said that what we know may not hold any more
    overflowed: set[int] = field(default_factory=set)  # notifiers of which the server lost events
    refreshed: set[int] = field(default_factory=set)  # notifiers that have told again what is retained
    whole: set[int] = field(default_factory=set)  # those of which nothing was lost meanwhile
    is_restored: bool = False  # what an earlier agent said is known
    is_full: bool = False  # since the last refresh more alarms stood than are remembered
    _retained: dict[Key, Retained] = field(default_factory=dict)
    _refreshing: dict[int, set[Key]] = field(default_factory=dict)  # notifier -> what was told again so far
    _active: dict[Place, int] = field(default_factory=dict)  # as it was recorded last

    @classmethod
    def of(cls, config: OpcUaConfig, *, plant: str) -> Conditions:
        """Nothing is known yet."""

        def place(one: Tag | Notifier) -> Place:
            return Place(plant, one.area or config.area, one.line or config.line, one.machine)

        return cls(
            notifiers=config.alarms,
            places=[place(one) for one in config.alarms],
            place_of={tag.node: place(tag) for tag in config.tags} if config.alarms else {},
            ahead_ns=int(config.clock_ahead_s * 1e9),
        )

    def new_connection(self, named: Callable[[str], str], *, goes_on: bool = False) -> None:
        """A refresh that was under way will not end, and node ids may have other indexes.

        goes_on: the subscription is the one of the connection before.
        """
        if not goes_on:
            self.running.clear()
        self._refreshing.clear()
        self.named = named

    def new_refresh(self) -> None:
        """The server is asked to tell again what is retained."""
        self.wants_refresh = self.is_full = False
        self.refreshed.clear()
        self.whole.clear()

    def restore(self, standing: Mapping[Key, Retained]) -> None:
        """Take what an earlier agent said; the refresh ends what is not told again."""
        self._retained = {**standing, **self._retained}
        self.is_restored = True

    def series_of(self, notifiers: Iterable[int]) -> tuple[Series, ...]:
        """The series in which alarms are missing when events of these notifiers are."""
        return tuple(dict.fromkeys(self.places[one].series(ALARM) for one in notifiers))

    def retained(self, notifier: int | None = None) -> list[dict[str, object]]:
        """The records of what the server retains, of one notifier or of all."""
        return [one.record for one in self._retained.values() if notifier in (None, one.notifier)]

    def came(self, events: Iterable[tuple[int, Event]], received_ns: int, *, again: bool = False) -> list[Point]:
        """Events came, each with the handle of its item: what is to be recorded of them.

        again: in a message that was fetched again, after newer ones.
        """
        points: list[Point] = []
        for handle, event in events:
            notifier = handle - FIRST_HANDLE
            if not 0 <= notifier < len(self.notifiers):
                continue
            match event.event_type:
                case Told.REFRESH_START:
                    self._refreshing[notifier] = set()
                case Told.REFRESH_END:
                    points += self._refreshed(notifier, received_ns)
                case Told.REFRESH_REQUIRED:
                    self.wants_refresh = True
                case Told.QUEUE_OVERFLOW:
                    self.wants_refresh = True
                    self.overflowed.add(notifier)
                    self._refreshing.pop(notifier, None)  # what was told again in it is not all
                case _ if (event.condition or NULL_NODE) != NULL_NODE:
                    points += self._condition(notifier, event, received_ns, again=again)
                case _:
                    points += self._message(notifier, event, received_ns)
        return [*points, *self._counted(received_ns)] if points else []

    def _condition(self, notifier: int, event: Event, received_ns: int, *, again: bool) -> list[Point]:
        """A condition changed, or was told again."""
        key = (self._stable(event.condition), self._stable(event.branch))
        known = self._retained.get(key)
        if known is None and (event.severity or 0) < self.notifiers[notifier].min_severity:
            return []
        record = self._record(key, event)
        place = self._place(notifier, event)
        time = event.time or 0
        if again and known is not None and time < known.time:
            pass  # a record, but not how it stands now
        elif event.retain and (known is not None or len(self._retained) < MOST_RETAINED):
            self._retained[key] = Retained(place, notifier, time, record)
        elif event.retain:
            self.is_full = True
        else:
            self._retained.pop(key, None)
        if notifier in self._refreshing and key in self._retained:
            self._refreshing[notifier].add(key)
        if known is not None and (known.place, known.record) == (place, record):
            return []
        return [self._point(place.series(ALARM), record, event, received_ns)]

    def _record(self, key: Key, event: Event) -> dict[str, object]:
        """What is recorded of a condition. The same for the same state, so that a refresh adds nothing."""
        record: dict[str, object] = {
            "condition": key[0],
            "branch": key[1],
            "name": _short(event.name),
            "type": self._stable(event.event_type),
            "source": _short(event.source_name),
            "state": state_of(event),
            "active": is_active(event),
            "acked": event.acked,
            "confirmed": event.confirmed,
            "retain": event.retain,
            "severity": event.severity,
            "message": _short(event.message),
            "comment": _short(event.comment),
            "quality": event.quality,
        }
        return {name: value for name, value in record.items() if value not in (None, "")}

    def _message(self, notifier: int, event: Event, received_ns: int) -> list[Point]:
        """An event that is no alarm. What clients did to the server (audit events) is no message of the machine."""
        of, kind = self.notifiers[notifier], self._stable(event.event_type)
        if not of.events or (event.severity or 0) < of.min_severity or kind.startswith("Audit"):
            return []
        record = {
            "type": kind,
            "source": _short(event.source_name),
            "severity": event.severity,
            "message": _short(event.message),
        }
        return [self._point(self._place(notifier, event).series(EVENT), record, event, received_ns)]

    def _refreshed(self, notifier: int, received_ns: int) -> list[Point]:
        """A refresh ended: the end of what was not told again, and the list of what is retained."""
        told = self._refreshing.pop(notifier, None)  # None: a part of it was lost, so that nothing is known to be over
        self.refreshed.add(notifier)
        if told is not None:
            self.whole.add(notifier)
        is_all = len(self.whole) == len(self.notifiers)
        points: list[Point] = []
        for key, known in list(self._retained.items()):
            is_over = told is not None and known.notifier == notifier and key not in told
            if is_over or (is_all and known.notifier == EARLIER):
                del self._retained[key]
                ended = known.record | {"state": "normal", "active": False, "retain": False, "ended": "unseen"}
                series = known.place.series(ALARM)
                points.append(Point(series, received_ns, _text(ended), UNCERTAIN, Clock.GATEWAY))
        listed = _text(_list(self.retained(notifier), is_whole=not self.is_full))
        return [*points, Point(self.places[notifier].series(RETAINED), received_ns, listed, GOOD, Clock.GATEWAY)]

    def _counted(self, received_ns: int) -> list[Point]:
        """How many alarms are active now, of each machine where that changed."""
        counts = dict.fromkeys([*self.places, *self._active], 0)
        for (_, branch), known in self._retained.items():
            if not branch and known.record["state"] in STANDING and known.record["active"]:
                counts[known.place] = counts.get(known.place, 0) + 1
        changed = [place for place, count in counts.items() if self._active.get(place) != count]
        self._active = counts
        return [Point(one.series(ACTIVE), received_ns, float(counts[one]), GOOD, Clock.GATEWAY) for one in changed]

    def _point(self, series: Series, record: Mapping[str, object], event: Event, received_ns: int) -> Point:
        """A record at the time of the event; where that cannot be true, at ours, Uncertain, with both times."""
        t_ns = _ns(event.time)
        if EARLIEST_NS <= t_ns <= received_ns + self.ahead_ns:
            return Point(series, t_ns, _text(record))
        said = {**record, "said_ns": t_ns, "server_ns": _ns(event.receive_time)}
        return Point(series, received_ns, _text(said), UNCERTAIN, Clock.GATEWAY)

    def _place(self, notifier: int, event: Event) -> Place:
        """The machine of the variable that the event is about, else that of the notifier."""
        here, always = event.source_node or "", self._stable(event.source_node)
        return self.place_of.get(here) or self.place_of.get(always) or self.places[notifier]

    def _stable(self, node: str | None) -> str:
        return _short(self.named(node)) if node and node != NULL_NODE else ""


def is_active(event: Event) -> bool:
    """Whether the condition is active; one without that state is active while it is retained."""
    return bool(event.retain if event.active is None else event.active)


def state_of(event: Event) -> str:
    """The state in the words of ISA-18.2 §6; a condition that nobody can acknowledge counts as acknowledged."""
    if event.enabled is False or event.out_of_service:
        return "out_of_service"
    if (event.shelving or UNSHELVED) not in (UNSHELVED, NULL_NODE):
        return "shelved"
    if event.suppressed:
        return "suppressed"
    acked = event.acked is not False
    if is_active(event):
        return "acknowledged" if acked else "unacknowledged"
    return "normal" if acked else "returned_unacknowledged"


def _list(records: Sequence[Mapping[str, object]], *, is_whole: bool) -> dict[str, object]:
    """What a list says of each alarm; `alarms` is the least that there are where it is not whole."""
    shown = [{name: one.get(name) for name in LISTED} for one in records[:MOST_LISTED]]
    return {"alarms": len(records), **({} if is_whole else {"whole": False}), "list": shown}


def _short(text: str | None) -> str:
    """A text has its limits: here in memory, and InfluxDB takes 64 KiB in all."""
    return (text or "")[:MOST_TEXT]


def _ns(ticks: int | None) -> int:
    """Ticks of 100 ns since 1601 as ns since 1970; 0 for none and for what no clock means."""
    t_ns = ((ticks or 0) - EPOCH_TICKS) * 100
    return t_ns if 0 < t_ns < 2**63 else 0


def _text(record: object) -> str:
    return orjson.dumps(record).decode()
