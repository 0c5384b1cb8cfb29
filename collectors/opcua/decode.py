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
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.opcua.columns import EXACT, Columns
from collectors.opcua.layout import HEAD, NUMBERS, SIZES, Layout, Take, view, walk
from collectors.opcua.wire import FIXED_SIZE, HAS_SERVER, HAS_SOURCE, HAS_STATUS, HAS_VALUE, Malformed, Reader

LONG = ("<i8", "<u8")
REMEMBERED = 16  # layouts kept


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
            return _take(body, base, walk(body, base, stop, 0))
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
