"""From the bytes of an EventNotificationList to events with the fields that we select. Pure.

Every length is checked by `wire.Reader` before another decoder sees it. A field that the server does not have is null,
or a status code in its place; both are None here, so that nothing is taken for true that was not said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from collectors.opcua.wire import DATE_TIME, Malformed, Reader

STATUS_CODE = 19


class Field(NamedTuple):
    """One field that is selected: the type that defines it, the way to it, and what it must be."""

    defined_by: int
    path: tuple[str, ...]  # empty: the node id of the condition itself
    kind: type[object]


BASE, CONDITION, ACKNOWLEDGEABLE, ALARM = 2041, 2782, 2881, 2915
FIELDS = {
    "event_type": Field(BASE, ("EventType",), str),
    "source_node": Field(BASE, ("SourceNode",), str),
    "source_name": Field(BASE, ("SourceName",), str),
    "time": Field(BASE, ("Time",), int),
    "receive_time": Field(BASE, ("ReceiveTime",), int),
    "message": Field(BASE, ("Message",), str),
    "severity": Field(BASE, ("Severity",), int),
    "condition": Field(CONDITION, (), str),
    "name": Field(CONDITION, ("ConditionName",), str),
    "branch": Field(CONDITION, ("BranchId",), str),
    "retain": Field(CONDITION, ("Retain",), bool),
    "quality": Field(CONDITION, ("Quality",), int),
    "comment": Field(CONDITION, ("Comment",), str),
    "enabled": Field(CONDITION, ("EnabledState", "Id"), bool),
    "acked": Field(ACKNOWLEDGEABLE, ("AckedState", "Id"), bool),
    "confirmed": Field(ACKNOWLEDGEABLE, ("ConfirmedState", "Id"), bool),
    "active": Field(ALARM, ("ActiveState", "Id"), bool),
    "suppressed": Field(ALARM, ("SuppressedState", "Id"), bool),
    "out_of_service": Field(ALARM, ("OutOfServiceState", "Id"), bool),
    "shelving": Field(ALARM, ("ShelvingState", "CurrentState", "Id"), str),
}
"""What is asked for of each event, in this order (OPC 10000-9 §5.5 and §5.8)."""
SIMPLE = tuple(name for name, field in FIELDS.items() if field.defined_by == BASE)
"""The fields that a server without conditions has, too."""


class Event(NamedTuple):
    """One event. Node ids as text, times in ticks of 100 ns since 1601; None for what the server did not say."""

    event_type: str | None = None
    source_node: str | None = None
    source_name: str | None = None
    time: int | None = None
    receive_time: int | None = None
    message: str | None = None
    severity: int | None = None
    condition: str | None = None
    name: str | None = None
    branch: str | None = None
    retain: bool | None = None
    quality: int | None = None
    comment: str | None = None
    enabled: bool | None = None
    acked: bool | None = None
    confirmed: bool | None = None
    active: bool | None = None
    suppressed: bool | None = None
    out_of_service: bool | None = None
    shelving: str | None = None


def read_events(body: bytes, start: int, stop: int, odd: Callable[[bytes], object]) -> list[tuple[int, Event]]:
    """The events between `start` and `stop`, each with the client handle of its item.

    `odd` reads the bytes of one Variant. Raises Malformed.
    """
    reader = Reader(body, start, stop)
    events: list[tuple[int, Event]] = []
    for _ in range(reader.count(size=8)):
        handle = reader.u4()
        n = reader.count()
        if not len(SIMPLE) <= n <= len(FIELDS):
            raise Malformed(f"an event of {n} fields, {len(SIMPLE)} or {len(FIELDS)} were asked for")
        said: dict[str, Any] = {}
        for name, field in list(FIELDS.items())[:n]:
            value = _value(reader, odd, field)
            if isinstance(value, field.kind):
                said[name] = value
        events.append((handle, Event(**said)))
    return events


def _value(reader: Reader, odd: Callable[[bytes], object], field: Field) -> object:
    """One field as it came, None where a status code stands in its place."""
    first = reader.at
    reader.variant()
    variant = reader.data[first : reader.at]
    if variant[0] == DATE_TIME:
        return int.from_bytes(variant[1:], "little", signed=True)
    if variant[0] == STATUS_CODE and field is not FIELDS["quality"]:
        return None
    return odd(variant)
