"""From decoded columns to a batch of the configured series: names, units, times, quality. Pure.

One rule for values that are none: a row is Bad unless it has a finite number or a text. It keeps its own status if
that is Bad; else it becomes BadNoData (null, NaN, infinity) or BadTypeMismatch (a text where a number is configured, a
structure, an array without `elements`). No value is ever made up, and none is dropped without its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.opcua.config import OpcUaConfig, signal_names
from collectors.opcua.decode import EXACT, Columns, Opaque
from collectors.points import BAD, OVERFLOW, Batch, Clock, Clocks, Kind, Series, Times, Values

BAD_NO_DATA = 0x809B_0000
BAD_TYPE_MISMATCH = 0x8074_0000
NOT_THERE = np.array([0x8034_0000, 0x8033_0000, 0x8035_0000, 0x803A_0000, 0x801F_0000], dtype=np.uint32)
"""BadNodeIdUnknown, BadNodeIdInvalid, BadAttributeIdInvalid, BadNotReadable, BadUserAccessDenied."""
EPOCH_TICKS = 116_444_736_000_000_000  # 1970 in 100 ns since 1601
EARLIEST_NS = 1_262_304_000 * 10**9  # 2010: a controller that lost its battery begins in 1970, 1990 or 2000
APART_NS = 1000  # between values of one message that get the moment of receipt: two of a series never share a time
MAX_TICKS = EPOCH_TICKS + 2**63 // 100
HEARTBEAT = 0xFFFF_FFF0  # the client handle of the item that shows that the server is alive


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The configured tags as columns. A tag's client handle is its position; an array tag has several series.

    first: (tags,) u4, its first series.  width: (tags,) i8, how many.  is_text, scale, offset: per series.
    """

    series: tuple[Series, ...]
    first: NDArray[np.uint32]
    width: NDArray[np.int64]
    is_text: NDArray[np.bool_]
    scale: Values
    offset: Values
    is_array: NDArray[np.bool_]
    has_text: bool
    has_arrays: bool
    is_scaled: bool
    ahead_ns: int
    replaces_times: bool

    @classmethod
    def of(cls, config: OpcUaConfig, *, plant: str) -> Table:
        """The table of a configuration; made once, so that its series tuple stays the same object."""
        series: list[Series] = []
        first: list[int] = []
        scale: list[float] = []
        offset: list[float] = []
        for tag in config.tags:
            first.append(len(series))
            for signal in signal_names(tag):
                area, line = tag.area or config.area, tag.line or config.line
                series.append(Series(plant, area, line, tag.machine, signal, tag.unit, Kind(tag.kind)))
                scale.append(tag.scale)
                offset.append(tag.offset)
        is_array = np.array([tag.elements > 0 for tag in config.tags], dtype=np.bool_)
        is_text = np.array([one.kind.is_text for one in series], dtype=np.bool_)
        scales, offsets = np.array(scale, dtype=np.float64), np.array(offset, dtype=np.float64)
        return cls(
            series=tuple(series),
            first=np.array(first, dtype=np.uint32),
            width=np.array([max(tag.elements, 1) for tag in config.tags], dtype=np.int64),
            is_text=is_text,
            scale=scales,
            offset=offsets,
            is_array=is_array,
            has_text=bool(is_text.any()),
            has_arrays=bool(is_array.any()),
            is_scaled=bool((scales != 1).any() or (offsets != 0).any()),
            ahead_ns=int(config.clock_ahead_s * 1e9),
            replaces_times=config.wrong_clock == "replace",
        )


class Shaped(NamedTuple):
    """A batch and what was noticed on the way. `misfits`: tag -> what is wrong with its value, for people."""

    batch: Batch
    misfits: dict[int, str]
    tags: NDArray[np.uint32]  # of the rows
    not_there: frozenset[int]  # tags whose node the server does not have (any more), or does not let us read
    overflowed: tuple[Series, ...]  # the server's queue was too small for these
    wrong_times: dict[int, int]  # tag -> what its clock said, ns, though it cannot be true


@dataclass(slots=True)
class _Rows:
    """Columns on their way: by now one row per series value."""

    tag: NDArray[np.uint32]
    which: NDArray[np.uint32]
    value: Values
    quality: NDArray[np.uint32]
    t_ns: Times
    clock: Clocks
    objects: dict[int, object]
    texts: list[str] = field(default_factory=list)
    misfits: dict[int, str] = field(default_factory=dict)


def shape(columns: Columns, table: Table, *, source: str, received_ns: int) -> Shaped:
    """The batch of these items; rows of unknown handles (the heartbeat's) are left out."""
    known = columns.handle < len(table.first)
    if not known.all():
        columns = _only(columns, known)
    tag = columns.handle.astype(np.uint32)
    t_ns, clock = times(columns.source, columns.server, received_ns)
    wrong = (t_ns > received_ns + table.ahead_ns) | (t_ns < EARLIEST_NS)
    wrong_times: dict[int, int] = {}
    if wrong.any():
        wrong_times = dict(zip(tag[wrong].tolist(), t_ns[wrong].tolist(), strict=True))
        if table.replaces_times:
            order = np.arange(len(t_ns), dtype=np.int64) - len(t_ns)
            t_ns = np.where(wrong, received_ns + order * APART_NS, t_ns)
            clock = np.where(wrong, np.uint8(Clock.GATEWAY), clock)
    which = table.first[tag]
    rows = _Rows(tag, which, columns.value, columns.quality.astype(np.uint32), t_ns, clock, columns.objects)
    if table.has_arrays and table.is_array[tag].any():
        rows = _spread(rows, table)
    if table.has_text or rows.objects:
        _place_objects(rows, table)
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


def _only(columns: Columns, keep: NDArray[np.bool_]) -> Columns:
    """The columns of some rows."""
    new_row = np.cumsum(keep) - 1
    return Columns(
        handle=columns.handle[keep],
        value=columns.value[keep],
        quality=columns.quality[keep],
        source=columns.source[keep],
        server=columns.server[keep],
        objects={int(new_row[row]): value for row, value in columns.objects.items() if keep[row]},
    )


def _spread(rows: _Rows, table: Table) -> _Rows:
    """Give every element of an array its own row; one that is not there is a row without a value."""
    widths = table.width[rows.tag]
    starts = np.cumsum(widths) - widths
    repeat = np.repeat(np.arange(len(widths)), widths)
    within = np.arange(len(repeat)) - np.repeat(starts, widths)
    objects: dict[int, object] = {}
    misfits: dict[int, str] = {}
    for row, value in rows.objects.items():
        tag = int(rows.tag[row])
        if not table.is_array[tag]:
            objects[int(starts[row])] = value
        elif isinstance(value, list):
            width = int(widths[row])
            if len(value) != width:
                misfits[tag] = f"the array has {len(value)} elements now, {width} are configured; check elements:"
            objects.update({int(starts[row]) + index: one for index, one in enumerate(value[:width])})
        else:
            objects[int(starts[row])] = value
    scalar = ~table.is_array[rows.tag[repeat]]
    for row in np.flatnonzero(table.is_array[rows.tag] & np.isfinite(rows.value)).tolist():
        misfits[int(rows.tag[row])] = "the value is no array; remove elements: from the tag"
    return _Rows(
        tag=rows.tag[repeat],
        which=(rows.which[repeat] + within).astype(np.uint32),
        value=np.where(scalar, rows.value[repeat], np.nan),
        quality=rows.quality[repeat],
        t_ns=rows.t_ns[repeat],
        clock=rows.clock[repeat],
        objects=objects,
        misfits=misfits,
    )


def _place_objects(rows: _Rows, table: Table) -> None:
    """Bring texts into the text table, odd numbers into the value column, and refuse what does not fit its series."""
    rows.value = rows.value.copy()
    is_text = table.is_text[rows.which]
    refused: list[int] = []
    for row, value in rows.objects.items():
        if rows.quality[row] >= BAD:
            continue
        trouble = _fit(rows, row, value, text=bool(is_text[row]))
        if trouble:
            rows.misfits[int(rows.tag[row])] = trouble
            if not np.isfinite(rows.value[row]):
                refused.append(row)
    rows.quality[refused] = BAD_TYPE_MISMATCH
    for row in np.flatnonzero(is_text & (rows.quality < BAD) & np.isfinite(rows.value)).tolist():
        if row not in rows.objects:
            number = float(rows.value[row])
            _set_text(rows, row, str(int(number)) if number.is_integer() else repr(number))


def _fit(rows: _Rows, row: int, value: object, *, text: bool) -> str:
    """Place one value; what is wrong with it for people, or nothing."""
    match value:
        case str() if text:
            _set_text(rows, row, value)
        case str():
            return "the value is a text; set kind: text"
        case bool() | int() | float() if text:
            _set_text(rows, row, str(value))
        case bool() | int() | float():
            rows.value[row] = value
            if abs(value) >= EXACT:
                return "the integer is above 2^53, its last digits are rounded; set kind: text to keep them all"
        case list():
            n = len(value)
            return f"the value is an array of {n}; set elements: {n} to get the signals [0] to [{n - 1}]"
        case Opaque():
            return f"the value is of type {value.type}, which has no plain value; choose one of its members"
    return ""


def _set_text(rows: _Rows, row: int, text: str) -> None:
    rows.value[row] = len(rows.texts)
    rows.texts.append(text)


def merged(parts: Sequence[Columns]) -> Columns:
    """The columns of several notifications of one message, one after the other."""
    if len(parts) == 1:
        return parts[0]
    objects: dict[int, object] = {}
    start = 0
    for part in parts:
        objects.update({start + row: value for row, value in part.objects.items()})
        start += len(part.handle)
    return Columns(
        handle=np.concatenate([part.handle for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
        source=np.concatenate([part.source for part in parts]),
        server=np.concatenate([part.server for part in parts]),
        objects=objects,
    )
