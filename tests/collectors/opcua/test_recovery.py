"""What is said of a hole: how much of it came back, what could not be read, and what is still being read."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asyncua import ua

from collectors.opcua.address import Address
from collectors.opcua.facts import Facts
from collectors.opcua.holes import Reading
from collectors.opcua.recovery import Recovery
from collectors.opcua.session import Session
from collectors.opcua.table import Table
from collectors.points import Gap
from tests.collectors.opcua.rig import Recorder, configured, tag

BEGAN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
BEGAN_NS = int(BEGAN.timestamp() * 1e9)
HOLE = Gap("machines", BEGAN_NS, BEGAN_NS + 10_000_000_000, "link_lost")


@dataclass
class Historian:
    """A server's HistoryRead service: ten values of each node, one a second, in pages of five."""

    refuses: dict[str, int] = field(default_factory=dict)  # node -> status code
    breaks_after: int = 1000  # pages, then `breaks_with`
    breaks_with: type[Exception] = ConnectionError
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    async def history_read(self, asked: Any) -> list[ua.HistoryReadResult]:
        """One page of each node."""
        await self.answers.wait()
        self.breaks_after -= 1
        if self.breaks_after < 0:
            raise self.breaks_with() if issubclass(self.breaks_with, ua.UaError) else self.breaks_with("cut")
        return [self._page(one) for one in asked.NodesToRead]

    def _page(self, asked: Any) -> ua.HistoryReadResult:
        name = asked.NodeId.Identifier
        if name in self.refuses:
            return ua.HistoryReadResult(StatusCode=ua.StatusCode(self.refuses[name]))
        first = int(asked.ContinuationPoint or b"1")
        values = [
            ua.DataValue(ua.Variant(float(number)), SourceTimestamp=BEGAN + timedelta(seconds=number))
            for number in range(first, first + 5)
        ]
        more = str(first + 5).encode() if first + 5 <= 10 else None
        return ua.HistoryReadResult(ContinuationPoint=more, HistoryData=ua.HistoryData(DataValues=values))

    async def read(self, nodes: list[ua.NodeId], _attribute: object) -> list[ua.DataValue]:
        """Every node keeps a history that we may read."""
        return [ua.DataValue(ua.Variant(5))] * len(nodes)


def recovery(server: Historian, *, bridge_s: float = 10.0, **settings: Any) -> Recovery:
    """Of two tags whose newest durable values are as old as the hole."""
    config = configured("opc.tcp://127.0.0.1:1", [tag("A"), tag("B")], queue_bridge_s=bridge_s, **settings)
    session = SimpleNamespace(
        per_history=50,
        skew_s=0.0,
        read=server.read,
        node=lambda address: ua.NodeId(address.value, 1),
        client=SimpleNamespace(uaclient=SimpleNamespace(session=server)),
    )
    return Recovery(
        config,
        cast(Session, session),
        table=Table.of(config, plant="plant"),
        facts=Facts.none(len(config.tags)),
        addresses=[Address.parse(one.node) for one in config.tags],
        last_time=lambda _: BEGAN_NS,
    )


async def filled(one: Recovery, recorder: Recorder, *, said: Callable[[], object] = lambda: None) -> Reading:
    """Fill the hole; how far it was read."""
    reading = one.reading(HOLE)
    await one.fill(reading, recorder.deliver, said)
    return reading


async def test_what_came_back_is_said() -> None:
    """The gap says how many points came back, in words and as a number."""
    recorder = Recorder()
    reading = await filled(recovery(Historian()), recorder)
    (gap,) = recorder.gaps

    assert reading.is_done
    assert (gap.recovered, gap.detail) == (20, "20 points recovered from the server's history")
    assert recorder.values("A") == [float(number) for number in range(1, 11)]


async def test_a_node_whose_history_is_refused_is_said() -> None:
    """A Bad result for one node is no empty history."""
    recorder = Recorder()
    await filled(recovery(Historian(refuses={"B": ua.StatusCodes.BadHistoryOperationUnsupported})), recorder)
    (gap,) = recorder.gaps

    assert gap.recovered == 10
    assert "the history of 1 tags could not be read, as B: BadHistoryOperationUnsupported" in gap.detail


async def test_no_data_is_no_refusal() -> None:
    """A server that says BadNoData has nothing of it."""
    recorder = Recorder()
    none = dict.fromkeys("AB", ua.StatusCodes.BadNoData)
    await filled(recovery(Historian(refuses=none)), recorder)

    assert recorder.gaps[0].detail == "the server's history holds nothing of it"


@pytest.mark.parametrize("odd", [ua.uaerrors.BadHistoryOperationInvalid, ValueError, struct.error])
async def test_a_history_that_cannot_be_read_keeps_nothing_away(odd: type[Exception]) -> None:
    """Refused as a whole, or in bytes that nobody understands: said, and the live values pass."""
    recorder = Recorder()
    said: list[bool] = []
    server = Historian(breaks_after=1, breaks_with=odd)
    reading = await filled(recovery(server), recorder, said=lambda: said.append(True))
    (gap,) = recorder.gaps

    assert reading.is_done
    assert said == [True]
    assert gap.recovered == 10
    assert "the rest could not be read" in gap.detail


async def test_a_long_history_does_not_hold_the_live_values_up() -> None:
    """Beyond what the queues bridge the hole is said, newer values pass, and it is said again at its end."""
    recorder, server = Recorder(), Historian()
    server.answers.clear()
    said = asyncio.Event()
    task = asyncio.create_task(filled(recovery(server, bridge_s=0), recorder, said=said.set))
    await said.wait()
    server.answers.set()
    await task
    first, last = recorder.gaps

    assert (first.recovered, first.detail.endswith("its recovery goes on")) == (0, True)
    assert (last.recovered, "goes on" in last.detail) == (20, False)
    assert (first.from_ns, first.to_ns, first.reason) == (last.from_ns, last.to_ns, last.reason)


async def test_the_next_connection_reads_on_where_the_last_one_was_cut() -> None:
    """A cut in the middle of a history costs nothing, and no page is read twice."""
    recorder = Recorder()
    reading = await filled(recovery(Historian(breaks_after=1)), recorder)
    assert (reading.is_done, reading.points) == (False, 10)

    await recovery(Historian()).read_on(reading, recorder.deliver)

    assert reading.is_done
    assert recorder.values("A") == [float(number) for number in range(1, 11)]
    assert [gap.recovered for gap in recorder.gaps] == [10, 20]


async def test_without_backfill_the_history_is_not_asked() -> None:
    """Then nobody knows what came back."""
    recorder = Recorder()
    await filled(recovery(Historian(), backfill=False), recorder)

    assert recorder.gaps == [HOLE]
