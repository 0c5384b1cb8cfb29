"""From decoded columns to a batch of the configured series: names, units, times, quality. Pure.

One rule for values that are none: a row is Bad unless it has a finite number or a text. It keeps its own status if
that is Bad; else it becomes BadNoData (null, NaN, infinity) or BadTypeMismatch (a text where a number is configured, a
structure, an array without `elements`). No value is ever made up, and none is dropped without its row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.opcua.columns import Columns, only
from collectors.opcua.facts import Facts
from collectors.opcua.rows import Rows, place_objects, spread
from collectors.opcua.table import Table
from collectors.points import BAD, OVERFLOW, UNCERTAIN, Batch, Clock, Clocks, Qualities, Series, Times

BAD_NO_DATA = 0x809B_0000
OUTSIDE_RANGE = 0x4094_0000  # UncertainEngineeringUnitsExceeded
INFO_BITS = 0xFFFF
NOT_THERE = np.array([0x8034_0000, 0x8033_0000, 0x8035_0000, 0x803A_0000, 0x801F_0000], dtype=np.uint32)
"""BadNodeIdUnknown, BadNodeIdInvalid, BadAttributeIdInvalid, BadNotReadable, BadUserAccessDenied."""
EPOCH_TICKS = 116_444_736_000_000_000  # 1970 in 100 ns since 1601
EARLIEST_NS = 1_262_304_000 * 10**9  # 2010: a controller that lost its battery begins in 1970, 1990 or 2000
APART_NS = 1000  # between values of one message that get the moment of receipt: two of a series never share a time
MAX_TICKS = EPOCH_TICKS + 2**63 // 100
HEARTBEAT = 0xFFFF_FFF0  # the client handle of the item that shows that the server is alive


class Shaped(NamedTuple):
    """A batch and what was noticed on the way. `misfits`: tag -> what is wrong with its value, for people."""

    batch: Batch
    misfits: dict[int, str]
    tags: NDArray[np.uint32]  # of the rows
    not_there: frozenset[int]  # tags whose node the server does not have (any more), or does not let us read
    overflowed: tuple[Series, ...]  # the server's queue was too small for these
    wrong_times: dict[int, int]  # tag -> what its clock said, ns, though it cannot be true


def shape(columns: Columns, table: Table, *, source: str, received_ns: int, facts: Facts | None = None) -> Shaped:
    """The batch of these items; rows of unknown handles (the heartbeat's) are left out.

    facts: what the server declares of the tags, where it was asked.
    """
    known = columns.handle < len(table.first)
    if not known.all():
        columns = only(columns, known)
    tag = columns.handle.astype(np.uint32)
    rows = _rows(columns, tag, table, facts, received_ns)
    wrong_times = _judge_times(rows, table, received_ns)
    if table.has_many and table.is_many[tag].any():
        rows = spread(rows, table)
    if table.has_text or rows.objects:
        place_objects(rows, table, facts.names if facts is not None else {})
    if table.is_scaled:
        number = ~table.is_text[rows.which]
        scaled = rows.value * table.scale[rows.which] + table.offset[rows.which]
        rows.value = np.where(number, scaled, rows.value)
    bad = rows.quality >= BAD
    not_there: frozenset[int] = frozenset()
    if bad.any():
        rows.value = np.where(bad, np.nan, rows.value)
        gone = np.isin(rows.quality & 0xFFFF_0000, NOT_THERE)
        not_there = frozenset(rows.tag[gone].tolist())
    unusable = ~np.isfinite(rows.value) & ~bad
    if unusable.any():
        rows.value = np.where(unusable, np.nan, rows.value)
        rows.quality = np.where(unusable, np.uint32(BAD_NO_DATA), rows.quality)
    over = (rows.quality & OVERFLOW) == OVERFLOW
    overflowed = tuple(table.series[i] for i in np.unique(rows.which[over]).tolist()) if over.any() else ()
    batch = Batch(
        source=source,
        received_ns=received_ns,
        series=table.series,
        which=rows.which,
        t_ns=rows.t_ns,
        value=rows.value,
        quality=rows.quality,
        clock=rows.clock,
        texts=tuple(rows.texts),
    )
    return Shaped(batch, rows.misfits, rows.tag, not_there, overflowed, wrong_times)


def _rows(columns: Columns, tag: NDArray[np.uint32], table: Table, facts: Facts | None, received_ns: int) -> Rows:
    """One row an item; a number outside the range that the server declares is Uncertain."""
    quality: Qualities = columns.quality.astype(np.uint32)
    if facts is not None and facts.has_ranges:
        outside = (columns.value < facts.low[tag]) | (columns.value > facts.high[tag])  # not so where either is NaN
        quality = doubted(quality, outside, OUTSIDE_RANGE)
    t_ns, clock = times(columns.source, columns.server, received_ns)
    return Rows(tag, table.first[tag], columns.value, quality, t_ns, clock, columns.objects)


def _judge_times(rows: Rows, table: Table, received_ns: int) -> dict[int, int]:
    """Make rows Uncertain whose time cannot be true, and give them ours where that is wanted; what was said, by tag."""
    wrong = (rows.t_ns > received_ns + table.ahead_ns) | (rows.t_ns < EARLIEST_NS)
    if not wrong.any():
        return {}
    said = dict(zip(rows.tag[wrong].tolist(), rows.t_ns[wrong].tolist(), strict=True))
    rows.quality = doubted(rows.quality, wrong, UNCERTAIN)
    if table.replaces_times:
        order = np.arange(len(rows.t_ns), dtype=np.int64) - len(rows.t_ns)
        rows.t_ns = np.where(wrong, received_ns + order * APART_NS, rows.t_ns)
        rows.clock = np.where(wrong, np.uint8(Clock.GATEWAY), rows.clock)
    return said


def doubted(quality: Qualities, rows: NDArray[np.bool_], code: int) -> Qualities:
    """Where these rows were Good they are Uncertain with this code; the info bits (overflow) stay."""
    if not rows.any():
        return quality
    return np.where(rows & (quality < UNCERTAIN), code | (quality & INFO_BITS), quality).astype(np.uint32)


def times(source: NDArray[np.int64], server: NDArray[np.int64], received_ns: int) -> tuple[Times, Clocks]:
    """Nanoseconds since 1970 and whose clock they are from: the source's, else the server's, else ours.

    A DateTime before 1970 is one that is not there: null is 1601, and nothing was measured then.
    """
    from_source = (source > EPOCH_TICKS) & (source < MAX_TICKS)
    if from_source.all():
        return (source - EPOCH_TICKS) * 100, np.zeros(len(source), dtype=np.uint8)
    from_server = ~from_source & (server > EPOCH_TICKS) & (server < MAX_TICKS)
    ticks = np.where(from_source, source, np.where(from_server, server, EPOCH_TICKS))
    by_gateway = ~from_source & ~from_server
    t_ns = np.where(by_gateway, np.int64(received_ns), (ticks - EPOCH_TICKS) * 100)
    clock = np.where(from_source, Clock.SOURCE, np.where(from_server, Clock.SERVER, Clock.GATEWAY))
    return t_ns, clock.astype(np.uint8)
