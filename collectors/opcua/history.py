"""Fill a hole from the server's own history: exactly from the last durable value of each series to now.

Read page by page, and the next page only when the one before is on disk, so that neither the server nor the memory is
flooded. Nodes that keep no history are left out; a server that cannot read it costs nothing but a sentence.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from collectors.opcua.address import Address
from collectors.opcua.columns import EXACT, Columns
from collectors.opcua.explain import status_name
from collectors.opcua.odd import plain
from collectors.opcua.session import Session, in_chunks
from collectors.opcua.shape import EPOCH_TICKS
from collectors.opcua.structures import Structures

PAGE = 1000  # values of one node in one answer
MARGIN_S = 3600.0  # asked for beyond the server's now: machines behind it have clocks of their own
ALIKE_NS = 60_000_000_000  # holes whose beginnings differ by less are read together
NOTHING_THERE = (StatusCodes.BadNoData, StatusCodes.BadNoDataAvailable, StatusCodes.BadBoundNotFound)
HISTORY_READ = 0x04  # bit of AccessLevel (OPC 10000-3 §8.57)


class History:
    """The history of one server, as far as it is missing here."""

    def __init__(
        self, session: Session, addresses: Sequence[Address], since: Mapping[int, int], structures: Structures
    ) -> None:
        """`since`: tag -> its newest durable source timestamp, ns; tags without one have no hole to fill."""
        self._structures = structures
        self._session = session
        self._addresses = addresses
        self._since = dict(since)
        self._newest: dict[int, int] = {}  # tag -> the newest that the server has shown of it, ticks
        self.refused: dict[int, str] = {}  # tag -> why the server did not read its history, for people

    async def missed(self) -> AsyncIterator[Columns]:
        """What the server kept since then, oldest first for each tag. Raises what `explain.FORESEEN` lists."""
        until = datetime.fromtimestamp(time.time() + self._session.skew_s + MARGIN_S, tz=UTC)
        kept = await self._kept()
        for together in alike({tag: self._since[tag] for tag in kept}, most=self._session.per_history):
            pages: dict[int, bytes | None] = dict.fromkeys(together)
            while pages:
                columns, pages = await self._read(kept, pages, until)
                if len(columns.handle):
                    yield columns

    async def _kept(self) -> dict[int, ua.NodeId]:
        """The tags with a hole whose node keeps a history that we may read."""
        nodes: dict[int, ua.NodeId] = {}
        for tag in self._since:
            try:
                nodes[tag] = self._session.node(self._addresses[tag])
            except LookupError:
                continue  # told by the monitor
        levels = await self._session.read(list(nodes.values()), AttributeIds.AccessLevel)
        levels_of = dict(zip(nodes, levels, strict=True))
        return {tag: node for tag, node in nodes.items() if _has_history(levels_of[tag])}

    async def _read(
        self, kept: Mapping[int, ua.NodeId], pages: Mapping[int, bytes | None], until: datetime
    ) -> tuple[Columns, dict[int, bytes | None]]:
        """One page of each of these tags, and the tags that have another one."""

        async def call(chunk: Sequence[int]) -> list[ua.HistoryReadResult]:
            start = datetime.fromtimestamp(min(self._since[tag] for tag in chunk) // 1000 / 1e6, tz=UTC)
            parameters = ua.HistoryReadParameters(
                HistoryReadDetails=ua.ReadRawModifiedDetails(
                    IsReadModified=False, StartTime=start, EndTime=until, NumValuesPerNode=PAGE, ReturnBounds=False
                ),
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ReleaseContinuationPoints=False,  # asyncua's defaults are true, here and for IsReadModified
                NodesToRead=[ua.HistoryReadValueId(NodeId=kept[tag], ContinuationPoint=pages[tag]) for tag in chunk],
            )
            return await self._session.client.uaclient.session.history_read(parameters)

        tags = list(pages)
        results, self._session.per_history = await in_chunks(tags, call, size=self._session.per_history)
        rows: list[tuple[int, ua.DataValue]] = []
        more: dict[int, bytes | None] = {}
        starved: dict[int, bytes | None] = {}
        for tag, result in zip(tags, results, strict=True):
            code = result.StatusCode.value
            if code == StatusCodes.BadNoContinuationPoints:
                starved[tag] = pages[tag]
            elif code == StatusCodes.BadContinuationPointInvalid and self._begins_anew(tag):
                more[tag] = None
            elif result.StatusCode.is_bad() and code not in NOTHING_THERE:
                self.refused[tag] = status_name(code)
            if result.StatusCode.is_bad() or not isinstance(result.HistoryData, ua.HistoryData):
                continue
            values = result.HistoryData.DataValues or []
            rows += [(tag, value) for value in values if time_of(value) > self._since_ticks(tag)]
            moves_on = self._shown(tag, values)
            if result.ContinuationPoint and (moves_on or result.ContinuationPoint != pages[tag]):
                more[tag] = result.ContinuationPoint
            elif result.ContinuationPoint:
                self.refused[tag] = "the server shows the same page again and again"
        return columns_of(rows, self._structures), more | self._turns(starved, of=len(tags))

    def _turns(self, starved: dict[int, bytes | None], *, of: int) -> dict[int, bytes | None]:
        """The tags for which the server had no continuation point left, to be asked for again as others are done.

        It has one at least (OPC 10000-4 §7.9): where none of a call got it, each is asked for by itself.
        """
        if len(starved) == of and self._session.per_history == 1:
            self.refused |= dict.fromkeys(starved, status_name(StatusCodes.BadNoContinuationPoints))
            return {}
        if len(starved) == of:
            self._session.per_history = 1
        return starved

    def _begins_anew(self, tag: int) -> bool:
        """The server has forgotten where a tag stood: go on behind what it showed, if that was anything."""
        before = self._since_ticks(tag)
        self._since[tag] = (max(self._newest.get(tag, 0), before) - EPOCH_TICKS) * 100
        return self._since_ticks(tag) > before

    def _shown(self, tag: int, values: Sequence[ua.DataValue]) -> bool:
        """Whether a page goes beyond the one before; a continuation point may stay the same from page to page."""
        before = self._newest.get(tag, 0)
        self._newest[tag] = max([before, *map(time_of, values)])
        return self._newest[tag] > before

    def _since_ticks(self, tag: int) -> int:
        """Newer than this is missing: servers answer with the bounds too, and one start serves many."""
        return self._since[tag] // 100 + EPOCH_TICKS


def alike(since: Mapping[int, int], *, most: int) -> list[list[int]]:
    """The tags in groups that are read together, since one start serves all nodes of a HistoryRead.

    A value that has not changed for hours must not make the server send hours of all the others.
    """
    groups: list[list[int]] = []
    for tag in sorted(since, key=lambda one: since[one]):
        if not groups or len(groups[-1]) >= most or since[tag] - since[groups[-1][0]] > ALIKE_NS:
            groups.append([])
        groups[-1].append(tag)
    return groups


def _has_history(level: ua.DataValue) -> bool:
    value = level.Value.Value if level.Value is not None else None
    return isinstance(value, int) and bool(value & HISTORY_READ)


def time_of(value: ua.DataValue) -> int:
    """When it was measured, in ticks; 0 where the server does not say."""
    return ticks_of(value.SourceTimestamp or value.ServerTimestamp)


def ticks_of(moment: datetime | None) -> int:
    """A DateTime in 100 ns since 1601, 0 for none."""
    if moment is None:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    delta = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return EPOCH_TICKS + (delta.days * 86_400 + delta.seconds) * 10_000_000 + delta.microseconds * 10


def columns_of(rows: Sequence[tuple[int, ua.DataValue]], structures: Structures) -> Columns:
    """Asyncua's values as columns, one row each, like those of the fast decoder."""
    columns = Columns(
        handle=np.array([tag for tag, _ in rows], dtype=np.uint32),
        value=np.full(len(rows), np.nan),
        quality=np.array([one.StatusCode.value if one.StatusCode else 0 for _, one in rows], dtype=np.uint32),
        source=np.array([ticks_of(one.SourceTimestamp) for _, one in rows], dtype=np.int64),
        server=np.array([ticks_of(one.ServerTimestamp) for _, one in rows], dtype=np.int64),
    )
    for row, (_, one) in enumerate(rows):
        value = plain(one.Value.Value, structures) if one.Value is not None else None
        if isinstance(value, bool | int | float) and abs(value) < EXACT:
            columns.value[row] = value
        elif value is not None:
            columns.objects[row] = value
    return columns
