"""From the bytes of a DataChangeNotification to columns, without an object per value. Pure.

Three ways, each correct by itself and tried in this order:

* uniform: every item has the same mask and type of fixed size, so each field is one strided view of the bytes;
* remembered: as many items and bytes as a message before, and every mask, type and text length is where it was then.
  That proves the offsets by induction: an item that starts right and has the same size ends right;
* walked: one pass finds the offset of every item; then each field is taken for all items of one type at once.

Types that neither are numbers nor String nor DateTime are passed over by `wire.Reader` and handed, as the bytes of one
Variant, to `odd`, which may use any other decoder. Speed, measured: see benchmarks/opcua_decode.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.opcua.columns import EXACT, Columns
from collectors.opcua.wire import (
    DATE_TIME,
    FIXED_SIZE,
    HAS_SERVER,
    HAS_SOURCE,
    HAS_STATUS,
    HAS_VALUE,
    NULL,
    STRING,
    Malformed,
    Reader,
    tail_size,
)

NUMBERS = {1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4", 11: "<f8"}
"""Built-in types that become a double: Boolean, the integers, Float, Double."""
LONG = ("<i8", "<u8")
HEAD = 6  # handle, mask, type
MAX_MASK = 0x3F
REMEMBERED = 16  # layouts kept

Offsets = NDArray[np.int64]


class Take(NamedTuple):
    """One field of one kind of items: which rows it fills, and where it lies, from the first item on."""

    dtype: str
    rows: Any  # slice or offsets
    places: Offsets


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is in a notification, relative to its first item."""

    n: int
    keys: Take  # mask and type, little-endian
    seen: NDArray[np.uint16]  # what they were
    care: NDArray[np.uint16]  # the bits of them that matter: without a value there is no type
    lengths: Take  # of the texts
    texts: NDArray[np.int32]
    handle: Take
    values: tuple[Take, ...]
    dates: Take
    status: Take
    source: Take
    server: Take
    odd: dict[int, tuple[int, int]]  # row -> first and last byte of its Variant

    def fits(self, body: bytes, base: int) -> bool:
        """Whether the message has exactly this layout; only asked of one with as many items and bytes."""
        keys = view(body, base, "<u2")[self.keys.places]
        if not ((keys & self.care) == self.seen).all():
            return False
        return bool((view(body, base, "<i4")[self.lengths.places] == self.texts).all())


class Decoder:
    """Decodes the notifications of one subscription and remembers how they were laid out."""

    def __init__(self, odd: Callable[[bytes], object]) -> None:
        """`odd` gets the bytes of one Variant that is neither a number, a String nor a DateTime."""
        self._odd = odd
        self._layouts: dict[tuple[int, int], Layout] = {}

    def decode(self, body: bytes, start: int, stop: int) -> Columns:
        """The items of the DataChangeNotification that lies between `start` and `stop`.

        Raises Malformed for bytes that are none; never reads beyond `stop`.
        """
        reader = Reader(body, start, stop)
        n = reader.count(size=5)
        base = reader.at
        if n == 0:
            return _take(body, base, _layout(body, base, [], [], {}))
        if stop - base < HEAD:
            raise Malformed(f"{n} items announced, {stop - base} bytes left")
        uniform = _uniform(body, base, stop, n)
        if uniform is not None:
            return uniform
        shape = (n, stop - base)
        layout = self._layouts.get(shape)
        if layout is None or not layout.fits(body, base):
            layout = walk(body, base, stop, n)
            if not layout.odd:
                if len(self._layouts) >= REMEMBERED:
                    self._layouts.clear()
                self._layouts[shape] = layout
        columns = _take(body, base, layout)
        for row, (first, last) in layout.odd.items():
            value = self._odd(body[base + first : base + last])
            if value is not None:
                columns.objects[row] = value
        return columns


def view(body: bytes, base: int, dtype: str) -> NDArray[Any]:
    """Every possible (unaligned) number of that type from `base` on: index it by byte offset."""
    size = np.dtype(dtype).itemsize
    return np.ndarray(shape=(max(len(body) - base - size + 1, 0),), dtype=dtype, buffer=body, offset=base, strides=(1,))


def _sizes() -> bytes:
    """Bytes of an item by its mask and type; 0 where that cannot be told from them alone."""
    sizes = bytearray(0x10000)
    for mask in range(MAX_MASK + 1):
        for kind in range(0x100):
            if not mask & HAS_VALUE:
                sizes[mask | kind << 8] = HEAD - 1 + tail_size(mask)
            elif kind in NUMBERS or kind in (NULL, DATE_TIME):
                sizes[mask | kind << 8] = HEAD + FIXED_SIZE.get(kind, 0) + tail_size(mask)
    return bytes(sizes)


SIZES = _sizes()
TAILS = np.array([tail_size(mask) for mask in range(0x100)], dtype=np.int64)
SIZES_OF = np.frombuffer(SIZES, dtype=np.uint8)


def _uniform(body: bytes, base: int, stop: int, n: int) -> Columns | None:
    """The columns, where every item is of the first one's mask and type and that is a number."""
    mask, kind = body[base + 4], body[base + 5]
    size = SIZES[mask | kind << 8]
    if not mask & HAS_VALUE or kind not in NUMBERS or not size or n * size > stop - base:
        return None

    def column(dtype: str, place: int) -> NDArray[Any]:
        return np.ndarray(shape=(n,), dtype=dtype, buffer=body, offset=base + place, strides=(size,))

    if not (column("<u2", 4) == (mask | kind << 8)).all():
        return None
    at = HEAD + FIXED_SIZE[kind]
    status_at, source_at = at, at + 4 * bool(mask & HAS_STATUS)
    server_at = source_at + 8 * bool(mask & HAS_SOURCE) + 2 * bool(mask & 0x10)
    numbers = column(NUMBERS[kind], HEAD)
    columns = Columns(
        handle=column("<u4", 0),
        value=numbers.astype(np.float64),
        quality=column("<u4", status_at) if mask & HAS_STATUS else np.zeros(n, dtype=np.uint32),
        source=column("<i8", source_at) if mask & HAS_SOURCE else np.zeros(n, dtype=np.int64),
        server=column("<i8", server_at) if mask & HAS_SERVER else np.zeros(n, dtype=np.int64),
    )
    if NUMBERS[kind] in LONG:
        _keep_exact(columns, slice(None), numbers)
    return columns


def walk(body: bytes, base: int, stop: int, n: int) -> Layout:
    """Find every item; raises Malformed."""
    places: list[int] = []
    keys: list[int] = []
    ends: dict[int, int] = {}
    at = base
    try:
        for row in range(n):
            key = body[at + 4] | body[at + 5] << 8
            places.append(at)
            keys.append(key)
            size = SIZES[key]
            if size:
                at += size
            else:
                ends[row] = value_end = _end_of_value(body, at, stop)
                at = value_end + tail_size(key & 0xFF)
    except IndexError:
        raise Malformed(f"{n} items announced, the bytes end in the middle of them") from None
    if at > stop:
        raise Malformed(f"{n} items announced, their bytes end {at - stop} too late")
    return _layout(body, base, places, keys, ends)


def _end_of_value(body: bytes, at: int, stop: int) -> int:
    if body[at + 4] > MAX_MASK:
        raise Malformed(f"a value with the unknown mask {body[at + 4]:#x} at {at}")
    reader = Reader(body, at + HEAD - 1, stop)
    reader.variant()
    return reader.at


def _layout(body: bytes, base: int, places: list[int], found: list[int], ends: dict[int, int]) -> Layout:
    """Sort the items of a walk by mask and type. `ends`: row -> where its value ends, for those of no fixed size."""
    at: Offsets = np.array(places, dtype=np.int64) - base
    keys = np.array(found, dtype=np.uint16)
    masks = (keys & 0xFF).astype(np.uint8)
    has_value = (masks & HAS_VALUE) != 0
    care = np.where(has_value, 0xFFFF, 0x00FF).astype(np.uint16)
    kinds = np.where(has_value, keys >> 8, NULL)
    tails = at + SIZES_OF[keys] - TAILS[masks]
    for row, end in ends.items():
        tails[row] = end - base
    texts = np.flatnonzero(kinds == STRING)
    odd = sorted(set(ends) - set(texts.tolist()))
    values = [_rows(kinds == kind, at + HEAD, dtype) for kind, dtype in NUMBERS.items()]
    source_at = tails + np.where(masks & HAS_STATUS, 4, 0)
    server_at = source_at + np.where(masks & HAS_SOURCE, 8, 0) + np.where(masks & 0x10, 2, 0)
    return Layout(
        n=len(places),
        keys=Take("<u2", slice(None), at + 4),
        seen=keys & care,
        care=care,
        lengths=Take("<i4", texts, at[texts] + HEAD),
        texts=view(body, base, "<i4")[at[texts] + HEAD],
        handle=Take("<u4", slice(None), at),
        values=tuple(take for take in values if len(take.places)),
        dates=_rows(kinds == DATE_TIME, at + HEAD, "<i8"),
        status=_rows((masks & HAS_STATUS) != 0, tails, "<u4"),
        source=_rows((masks & HAS_SOURCE) != 0, source_at, "<i8"),
        server=_rows((masks & HAS_SERVER) != 0, server_at, "<i8"),
        odd={row: (int(at[row]) + HEAD - 1, int(tails[row])) for row in odd},
    )


def _rows(where: NDArray[np.bool_], places: Offsets, dtype: str) -> Take:
    if where.all():
        return Take(dtype, slice(None), places)
    rows = np.flatnonzero(where)
    return Take(dtype, rows, places[rows])


def _take(body: bytes, base: int, layout: Layout) -> Columns:
    """Every field of every item, one type at a time."""

    def column(take: Take, dtype: type[np.generic]) -> NDArray[Any]:
        filled = np.zeros(layout.n, dtype=dtype)
        if len(take.places):
            filled[take.rows] = view(body, base, take.dtype)[take.places]
        return filled

    columns = Columns(
        handle=column(layout.handle, np.uint32),
        value=np.full(layout.n, np.nan),
        quality=column(layout.status, np.uint32),
        source=column(layout.source, np.int64),
        server=column(layout.server, np.int64),
    )
    for take in layout.values:
        numbers = view(body, base, take.dtype)[take.places]
        columns.value[take.rows] = numbers
        if take.dtype in LONG:
            _keep_exact(columns, take.rows, numbers)
    _texts(columns, body, base, layout)
    return columns


def _keep_exact(columns: Columns, rows: Any, numbers: NDArray[Any]) -> None:
    """Keep the integers that a double cannot hold beside it."""
    large = np.abs(columns.value[rows]) >= EXACT
    if large.any():
        numbered = np.arange(len(columns.value))[rows][large]
        columns.objects.update(zip(numbered.tolist(), numbers[large].tolist(), strict=True))


def _texts(columns: Columns, body: bytes, base: int, layout: Layout) -> None:
    """The String and DateTime values; null ones stay absent."""
    for row, place, length in zip(
        layout.lengths.rows.tolist(), layout.lengths.places.tolist(), layout.texts.tolist(), strict=True
    ):
        if length >= 0:
            first = base + place + 4
            columns.objects[row] = body[first : first + length].decode("utf-8", "replace")
    if len(layout.dates.places):
        rows = np.arange(layout.n)[layout.dates.rows]
        ticks = view(body, base, "<i8")[layout.dates.places]
        columns.objects.update(
            (row, text) for row, tick in zip(rows.tolist(), ticks.tolist(), strict=True) if (text := iso(tick))
        )


def iso(ticks: int) -> str | None:
    """A DateTime as text, to the microsecond; None for null and for what no calendar can hold."""
    if ticks <= 0:
        return None
    try:
        return (datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)).isoformat()
    except OverflowError:
        return None
