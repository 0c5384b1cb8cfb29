"""Where a server has no subscriptions: the variables are read again and again, in chunks, by registered nodes.

What changes between two readings is never seen, so a trouble says that the values are polled.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.columns import Columns
from collectors.opcua.history import columns_of
from collectors.opcua.monitor import Monitor
from collectors.opcua.session import in_chunks

NO_SUBSCRIPTIONS = frozenset(
    {StatusCodes.BadServiceUnsupported, StatusCodes.BadNotSupported, StatusCodes.BadNotImplemented}
)
POLLED = "(polling)"


class Poller(Monitor):
    """Makes the list of read variables agree with the table of wanted ones, as `Monitor` does with monitored items."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._nodes: dict[int, ua.NodeId] = {}  # by tag
        self._seen: dict[int, ua.DataValue] = {}  # by tag, as it was handed over last

    async def read(self) -> Columns:
        """What has changed since the last reading. Raises what `explain.FORESEEN` lists."""
        values = await self._session.read(list(self._nodes.values()))
        changed: list[tuple[int, ua.DataValue]] = []
        for tag, value in zip(self._nodes, values, strict=True):
            if is_news(self._seen.get(tag), value, deadband=self._config.tags[tag].deadband):
                self._seen[tag] = value
                changed.append((tag, value))
        return columns_of(changed, self._items.facts.structures)

    async def delete(self, server_ids: Sequence[int]) -> None:
        """Read these no longer."""
        for one in server_ids:
            self._nodes.pop(one - 1, None)
            self._seen.pop(one - 1, None)

    async def _create(self, requests: Sequence[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
        """Register the nodes, where the server does that, and read them from now on. A refused one shows when read."""

        async def register(chunk: Sequence[ua.NodeId]) -> list[ua.NodeId]:
            return await self._session.client.uaclient.session.register_nodes(list(chunk))

        nodes = [one.ItemToMonitor.NodeId for one in requests]
        with suppress(UaStatusCodeError):  # a quicker way to the same variables, and optional
            nodes, _ = await in_chunks(nodes, register, size=self._session.per_read)
        results: list[ua.MonitoredItemCreateResult] = []
        for one, node in zip(requests, nodes, strict=True):
            asked = one.RequestedParameters
            self._nodes[asked.ClientHandle] = node
            results.append(
                ua.MonitoredItemCreateResult(
                    MonitoredItemId=asked.ClientHandle + 1,
                    RevisedSamplingInterval=asked.SamplingInterval,
                    RevisedQueueSize=asked.QueueSize,
                )
            )
        return results


def is_news(before: ua.DataValue | None, now: ua.DataValue, *, deadband: float) -> bool:
    """Whether a subscription would bring it: another value or status, not only another time (OPC 10000-4 §7.22.2)."""
    if before is None or before.StatusCode != now.StatusCode or before.Value is None or now.Value is None:
        return before is None or (before.StatusCode, before.Value) != (now.StatusCode, now.Value)
    old, new = before.Value.Value, now.Value.Value
    if isinstance(old, int | float) and isinstance(new, int | float):
        return not (old == new or (old != old and new != new) or abs(new - old) <= deadband)
    return repr(old) != repr(new)  # in an array, too, NaN is the same as NaN
