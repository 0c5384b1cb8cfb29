"""Where everything is in a DataChangeNotification: found by one walk over its items. Pure.

The walk only adds up sizes, which a table has by mask and type; all else is done for all items at once afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
HEAD = 6  # handle, mask, type
MAX_MASK = 0x3F

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
SIZE_OF = tuple(SIZES[mask::0x100] for mask in range(0x100))  # by mask, then by type
TAILS = np.array([tail_size(mask) for mask in range(0x100)], dtype=np.int64)
SIZES_OF = np.frombuffer(SIZES, dtype=np.uint8)


def walk(body: bytes, base: int, stop: int, n: int) -> Layout:
    """Find every item; raises Malformed."""
    sizes = bytearray(n)
    longer: dict[int, int] = {}  # row -> size, of those that the table does not have
    ends: dict[int, int] = {}
    at = base + 4  # of the mask
    try:
        for row in range(n):
            size = sizes[row] = SIZE_OF[body[at]][body[at + 1]]
            if not size:
                ends[row] = _end_of_value(body, at - 4, stop)
                longer[row] = size = ends[row] + tail_size(body[at]) - (at - 4)
            at += size
    except IndexError:
        raise Malformed(f"{n} items announced, the bytes end in the middle of them") from None
    if at - 4 > stop:
        raise Malformed(f"{n} items announced, their bytes end {at - 4 - stop} too late")
    size_of = np.frombuffer(sizes, dtype=np.uint8).astype(np.int64)
    size_of[list(longer)] = list(longer.values())
    return _sorted(body, base, np.cumsum(size_of) - size_of, ends)


def _end_of_value(body: bytes, at: int, stop: int) -> int:
    if body[at + 4] > MAX_MASK:
        raise Malformed(f"a value with the unknown mask {body[at + 4]:#x} at {at}")
    reader = Reader(body, at + HEAD - 1, stop)
    reader.variant()
    return reader.at


def _sorted(body: bytes, base: int, at: Offsets, ends: dict[int, int]) -> Layout:
    """Sort the items of a walk by mask and type. `ends`: row -> where its value ends, for those of no fixed size."""
    keys = view(body, base, "<u2")[at + 4]
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
        n=len(at),
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
