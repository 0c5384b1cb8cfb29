"""The OPC UA server's memory of its values, so that a client can ask for what it missed."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

from asyncua import ua
from asyncua.server.history import HistoryStorageInterface

KEPT = 3600  # values of each node: an hour at one a second
PAGE = 10_000

_EPOCH = ua.DateTime(1970, 1, 1, tzinfo=UTC)


def moment(t_ns: int) -> ua.DateTime:
    """Nanoseconds since 1970 as a datetime, exact to the microsecond (a float would not be)."""
    return _EPOCH + timedelta(microseconds=t_ns // 1000)


class PlantHistory(HistoryStorageInterface):
    """Raw values of every node in memory; the server fills it from its ledger at a restart.

    asyncua's own memory store cuts a read at NumValuesPerNode without a continuation point, so that a client that reads
    page by page takes the first page for all there is. This one gives the point (Part 4, 5.10.3).
    """

    def __init__(self) -> None:
        super().__init__(PAGE)
        self._values: dict[ua.NodeId, deque[tuple[datetime, ua.DataValue]]] = {}

    def keep(self, node: ua.NodeId, t_ns: int, value: ua.DataValue) -> None:
        """Remember one value with its source timestamp; the times of a node must rise."""
        self._values.setdefault(node, deque(maxlen=KEPT)).append((moment(t_ns), value))

    async def init(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def read_node_history(
        self, node_id: ua.NodeId, start: datetime | None, end: datetime | None, nb_values: int
    ) -> tuple[list[ua.DataValue], datetime | None]:
        """Values from start to end, both included; backwards where the end lies before the start or there is no start.

        Also returns the time at which the next page begins, None after the last one.
        """
        first, last = _bound(start), _bound(end)
        values = list(self._values.get(node_id, ()))
        if first is None or (last is not None and last < first):
            values.reverse()
            first, last = last, first
        chosen = [
            (time, value)
            for time, value in values
            if (first is None or first <= time) and (last is None or time <= last)
        ]
        page = min(nb_values or PAGE, PAGE)
        more = chosen[page][0] if len(chosen) > page else None
        return [value for _, value in chosen[:page]], more


def _bound(time: datetime | None) -> datetime | None:
    """None where a client gave no time; asyncua then hands over 1601."""
    return None if time is None or time <= ua.get_win_epoch() else time
