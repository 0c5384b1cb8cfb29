"""The pages of a server's history: few continuation points, the same one for every page, and forgotten ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asyncua import ua

from collectors.opcua.address import Address
from collectors.opcua.history import HISTORY_READ, History
from collectors.opcua.session import Session

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
SINCE_NS = int(BEGAN.timestamp()) * 10**9
VALUES = 10  # of each node, one a second
PAGE = 2


class Historian(Session):
    """A server that keeps ten values of each node, shows two at a time, and is odd about continuation points."""

    def __init__(self, *, points: int = 10**6, same: bool = False, forgets: bool = False, stuck: bool = False) -> None:
        services = SimpleNamespace(history_read=self.history_read)
        super().__init__(cast(Any, SimpleNamespace(uaclient=SimpleNamespace(session=services))))
        self._points, self._same, self._forgets, self._stuck = points, same, forgets, stuck
        self._at: dict[str, int] = {}  # node -> how many values were shown in the reading that goes on

    async def read(self, nodes: Any, attribute: Any = None) -> list[Any]:
        """Every node keeps a history."""
        return [ua.DataValue(ua.Variant(HISTORY_READ, ua.VariantType.Byte)) for _ in nodes]

    async def history_read(self, parameters: Any) -> list[ua.HistoryReadResult]:
        """The next page of each node."""
        start = parameters.HistoryReadDetails.StartTime
        return [self._page(one, start) for one in parameters.NodesToRead]

    def _page(self, wanted: Any, start: datetime) -> ua.HistoryReadResult:
        node = wanted.NodeId.to_string()
        if wanted.ContinuationPoint is None:
            at = max(int((start - BEGAN).total_seconds()), 0)
        elif self._forgets or node not in self._at:
            self._at.pop(node, None)
            return refusal(ua.StatusCodes.BadContinuationPointInvalid)
        else:
            at = self._at.pop(node)
        shown = [value(number) for number in range(at, min(at + PAGE, VALUES))]
        if at + PAGE >= VALUES:
            return result(shown, None)
        if len(self._at) >= self._points:
            return refusal(ua.StatusCodes.BadNoContinuationPoints)
        self._at[node] = at if self._stuck else at + PAGE
        return result(shown, b"x" if self._same else f"{node} {at}".encode())


def value(number: int) -> ua.DataValue:
    """One of a node's values."""
    return ua.DataValue(ua.Variant(float(number)), SourceTimestamp=BEGAN + timedelta(seconds=number))


def result(values: list[ua.DataValue], point: bytes | None) -> ua.HistoryReadResult:
    """A page."""
    return ua.HistoryReadResult(ua.StatusCode(), cast(Any, point), cast(Any, ua.HistoryData(DataValues=values)))


def refusal(code: int) -> ua.HistoryReadResult:
    """No page."""
    return ua.HistoryReadResult(ua.StatusCode(cast(Any, code)))


async def read(server: Historian, *, tags: int = 5) -> tuple[dict[int, list[float]], dict[int, str]]:
    """The values of each tag since a second before the first one, and what was refused."""
    addresses = [Address.parse(f"i={number}") for number in range(1000, 1000 + tags)]
    history = History(server, addresses, dict.fromkeys(range(tags), SINCE_NS - 10**9), {})
    found: dict[int, list[float]] = {tag: [] for tag in range(tags)}
    async for columns in history.missed():
        for tag, one in zip(columns.handle.tolist(), columns.value.tolist(), strict=True):
            found[tag].append(one)
    return found, history.refused


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Historian(), id="as most are"),
        pytest.param(Historian(points=1), id="one continuation point for all nodes"),
        pytest.param(Historian(points=3), id="fewer continuation points than nodes"),
        pytest.param(Historian(same=True), id="the same continuation point for every page"),
        pytest.param(Historian(forgets=True), id="continuation points are forgotten"),
    ],
)
async def test_every_value_is_read_once(server: Historian) -> None:
    """In the order of time, whatever the server does with its continuation points."""
    assert await read(server) == ({tag: [float(number) for number in range(VALUES)] for tag in range(5)}, {})


async def test_a_server_without_continuation_points_is_told_of() -> None:
    """Then nothing can be read page by page, and the refusal says why."""
    found, refused = await read(Historian(points=0), tags=2)

    assert found == {0: [], 1: []}
    assert all("BadNoContinuationPoints" in one for one in refused.values())
    assert len(refused) == 2


async def test_a_server_that_never_moves_on_is_left() -> None:
    """The same page again and again ends with a refusal, not never."""
    found, refused = await read(Historian(same=True, stuck=True), tags=1)

    assert found[0][:2] == [0.0, 1.0]
    assert refused == {0: "the server shows the same page again and again"}
