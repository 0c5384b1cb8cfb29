"""The rows of 256 neighbouring series and one window as a few hundred bytes, and back. Pure.

A block is 256 cells, empty ones where a series has no row; the cells' bytes are kept plane by plane and compressed with
zstd. Columns are told by their difference (XOR) from `low`, so a value that did not change costs nothing. Counters
are kept exactly; of other values, whose curves are looked at, eight digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import zstandard
from numpy.typing import NDArray

from agent.history.rollups import Numbers, Rows
from collectors.points import Values

SIZE = 256

_WORDS = ("low", "high", "total", "first", "last")
_CELL = np.dtype([("n", "<u4"), *((name, "<u8") for name in _WORDS), ("first_ms", "<u4"), ("last_ms", "<u4")])
_BYTES = SIZE * _CELL.itemsize
_EIGHT_DIGITS = np.uint64(0xFFFF_FFFF_FF00_0000)

# Level -1 packs in half and unpacks in a quarter of the time of level 1, for 3 % more bytes.
_compress = zstandard.ZstdCompressor(level=-1, write_checksum=False).compress
_decompress = zstandard.ZstdDecompressor().decompress


def thinned(rows: Rows, is_counter: NDArray[np.bool_]) -> Rows:
    """The rows as they are kept. is_counter: by series."""
    exact = is_counter[rows.series]
    low, high, total = (_shortened(values, exact) for values in (rows.low, rows.high, rows.total))
    first, last = (np.where(exact, values, low) for values in (rows.first, rows.last))
    return replace(rows, low=low, high=high, total=total, first=first, last=last)


def pack(rows: Rows) -> Iterator[tuple[int, bytes]]:
    """Rows of one window: each block that has some, with its number."""
    blocks, place = np.unique(rows.series // SIZE, return_inverse=True)
    cells = np.zeros(len(blocks) * SIZE, _CELL)
    at = place * SIZE + rows.series % SIZE
    low = rows.low.view(np.uint64)
    cells["n"][at], cells["low"][at] = rows.n, low
    cells["high"][at] = rows.high.view(np.uint64) ^ low
    cells["total"][at] = rows.total.view(np.uint64) ^ _sum_if_constant(rows.low, rows.n)
    cells["first"][at], cells["last"][at] = rows.first.view(np.uint64) ^ low, rows.last.view(np.uint64) ^ low
    cells["first_ms"][at], cells["last_ms"][at] = rows.first_ms, rows.last_ms
    planes = np.ascontiguousarray(cells.view(np.uint8).reshape(len(blocks), SIZE, -1).transpose(0, 2, 1))
    yield from ((block, _compress(planes[number])) for number, block in enumerate(blocks.tolist()))


def unpack(packed: Sequence[tuple[int, bytes]]) -> Rows:
    """The rows of some blocks, (number, bytes) each, in that order."""
    raw = np.frombuffer(b"".join(_decompress(block, _BYTES) for _, block in packed), np.uint8)
    cells = raw.reshape(len(packed), -1, SIZE).transpose(0, 2, 1).reshape(-1, _CELL.itemsize)
    firsts = np.array([number for number, _ in packed], np.int64) * SIZE
    return _rows(cells, (firsts[:, None] + np.arange(SIZE)).ravel())


def pick(packed: Sequence[tuple[int, bytes]], slots: Sequence[int]) -> list[Rows]:
    """Out of a block of some windows, (key, bytes) each, the rows at each of some slots; the keys are their series."""
    cells = np.empty((len(packed), _CELL.itemsize, len(slots)), np.uint8)
    at = np.array(slots)
    for number, (_, block) in enumerate(packed):
        np.frombuffer(_decompress(block, _BYTES), np.uint8).reshape(-1, SIZE).take(at, 1, cells[number])
    keys = np.array([key for key, _ in packed], np.int64)
    return [_rows(cells[:, :, number], keys) for number in range(len(slots))]


def _rows(raw: NDArray[np.uint8], keys: Numbers) -> Rows:
    cells = np.ascontiguousarray(raw).view(_CELL)[:, 0]
    some = np.flatnonzero(cells["n"])
    cells = cells[some]
    n, low = cells["n"].astype(np.int64), np.ascontiguousarray(cells["low"])
    high, first, last = ((cells[name] ^ low).view(np.float64) for name in ("high", "first", "last"))
    value = low.view(np.float64)
    total = (cells["total"] ^ _sum_if_constant(value, n)).view(np.float64)
    first_ms, last_ms = (cells[name].astype(np.int64) for name in ("first_ms", "last_ms"))
    return Rows(keys[some], n, value, high, total, first, last, first_ms, last_ms)


def _sum_if_constant(low: Values, n: Numbers) -> NDArray[np.uint64]:
    return (low * n).view(np.uint64)


def _shortened(values: Values, exact: NDArray[np.bool_]) -> Values:
    bits = values.view(np.uint64)
    return np.where(exact, bits, bits & _EIGHT_DIGITS).view(np.float64)
