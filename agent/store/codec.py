"""Payloads: columns, series and dead letters to bytes and back. Pure; see docs/log-format.md."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from agent.store.record import Header
from collectors.points import Batch, Clocks, DeadLetter, Indexes, Kind, Qualities, Series, Stream, Times, Values
from collectors.texts import legible

RAW, ZSTD = 0, 1
WORTH_COMPRESSING_BYTES = 64

_COLUMNS = struct.Struct("<IHBBq")
_PART = struct.Struct("<IqH")
_QUALITY, _CLOCK, _TEXTS = 1, 2, 4
_SIGNED: tuple[np.dtype[np.signedinteger], ...] = tuple(map(np.dtype, ("<i1", "<i2", "<i4", "<i8")))


class Undecodable(ValueError):
    """The bytes passed their CRC and still make no sense: another version wrote them, or a bug did."""


class Part(NamedTuple):
    """One batch among those that share a record."""

    source: str
    received_ns: int
    points: int


@dataclass(slots=True)
class Columns:
    """The rows of one or more batches. `ids` are the store's own series ids; see Batch for the other columns."""

    ids: Indexes
    t_ns: Times
    value: Values
    quality: Qualities
    clock: Clocks
    texts: Sequence[str]
    parts: list[Part]

    def keep(self, rows: NDArray[np.bool_], counts: list[int]) -> Columns:
        """Only these rows; `counts` says how many each part keeps. Parts that lose all their rows are gone."""
        parts = [part._replace(points=n) for part, n in zip(self.parts, counts, strict=True) if n]
        return Columns(
            self.ids[rows],
            self.t_ns[rows],
            self.value[rows],
            self.quality[rows],
            self.clock[rows],
            self.texts,
            parts,
        )

    def batches(self, series: tuple[Series, ...], stream: Stream) -> list[Batch]:
        """The parts as batches of their own; their columns are views."""
        found, start = [], 0
        for source, received_ns, points in self.parts:
            rows = slice(start, start + points)
            start += points
            found.append(
                Batch(
                    source,
                    received_ns,
                    series,
                    self.ids[rows],
                    self.t_ns[rows],
                    self.value[rows],
                    self.quality[rows],
                    self.clock[rows],
                    self.texts,
                    stream=stream,
                )
            )
        return found


def encode_columns(columns: Columns) -> bytes:
    """Before compression. There must be at least one row."""
    n = len(columns.t_ns)
    ids, id_width = _deltas(columns.ids.astype(np.int64), 0)
    times, time_width = _deltas(columns.t_ns, int(columns.t_ns[0]))
    has_quality, has_clock = bool(columns.quality.any()), bool(columns.clock.any())
    present = _QUALITY * has_quality | _CLOCK * has_clock | _TEXTS * bool(columns.texts)
    parts = [
        _COLUMNS.pack(n, len(columns.parts), present, id_width | time_width << 4, int(columns.t_ns[0])),
        columns.value.tobytes(),
        columns.quality.tobytes() if has_quality else b"",
        times,
        ids,
        columns.clock.tobytes() if has_clock else b"",
    ]
    for source, received_ns, points in columns.parts:
        name = source.encode()
        parts += (_PART.pack(points, received_ns, len(name)), name)
    if columns.texts:
        texts = [text.encode(errors="surrogatepass") for text in columns.texts]
        parts += (np.array([len(texts), *map(len, texts)], dtype="<u4").tobytes(), *texts)
    return b"".join(parts)


def decode_columns(raw: bytes) -> Columns:
    """The reverse; raises Undecodable. Value and quality are views of `raw`, read-only."""
    try:
        return _decode_columns(raw)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise Undecodable(f"a data record of {len(raw)} bytes: {error}") from error


def _decode_columns(raw: bytes) -> Columns:
    n, batches, present, widths, first_ns = _COLUMNS.unpack_from(raw)
    at = _COLUMNS.size

    def column(dtype: np.dtype, count: int = n) -> NDArray:  # type: ignore[type-arg]
        nonlocal at
        found = np.frombuffer(raw, dtype, count, at)
        at += found.nbytes
        return found

    value = column(np.dtype("<f8"))
    quality = column(np.dtype("<u4")) if present & _QUALITY else np.zeros(n, np.uint32)
    times = column(_SIGNED[widths >> 4]).cumsum(dtype=np.int64)
    times += first_ns
    ids = column(_SIGNED[widths & 15]).cumsum(dtype=np.int64).astype(np.uint32)
    clock = column(np.dtype("<u1")) if present & _CLOCK else np.zeros(n, np.uint8)
    parts = []
    for _ in range(batches):
        points, received_ns, length = _PART.unpack_from(raw, at)
        at += _PART.size + length
        parts.append(Part(raw[at - length : at].decode(), received_ns, points))
    texts: list[str] = []
    if present & _TEXTS:
        (count,) = column(np.dtype("<u4"), 1).tolist()
        for length in column(np.dtype("<u4"), count).tolist():
            texts.append(raw[at : at + length].decode(errors="surrogatepass"))
            at += length
    if at != len(raw) or sum(part.points for part in parts) != n:
        raise ValueError(f"{len(raw) - at} bytes over")
    return Columns(ids, times, value, quality, clock, tuple(texts), parts)


def _deltas(column: NDArray[np.int64], first: int) -> tuple[bytes, int]:
    """Differences in the narrowest signed type that holds them, and log2 of its width."""
    deltas = np.empty_like(column)
    deltas[0] = column[0] - first
    np.subtract(column[1:], column[:-1], out=deltas[1:])
    low, high = int(deltas.min()), int(deltas.max())
    width = next(w for w, dtype in enumerate(_SIGNED) if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max)
    return deltas.astype(_SIGNED[width]).tobytes(), width


def encode_series(declared: Iterable[tuple[int, Series]]) -> bytes:
    """Ids and what they stand for, before compression."""
    return orjson.dumps([[i, s.plant, s.area, s.line, s.machine, s.signal, s.unit, s.kind.value] for i, s in declared])


def decode_series(raw: bytes) -> list[tuple[int, Series]]:
    """The reverse; raises Undecodable."""
    try:
        rows = orjson.loads(raw)
        return [
            (number, Series(plant, area, line, machine, signal, unit, Kind(kind)))
            for number, plant, area, line, machine, signal, unit, kind in rows
        ]
    except (ValueError, TypeError) as error:
        raise Undecodable(f"a series record of {len(raw)} bytes: {error}") from error


def encode_letter(letter: DeadLetter) -> bytes:
    """Before compression."""
    head = orjson.dumps(
        {
            "origin": legible(letter.origin),
            "received_ns": letter.received_ns,
            "where": legible(letter.where),
            "reason": legible(letter.reason),
            "points": letter.points,
        }
    )
    return len(head).to_bytes(4, "little") + head + letter.payload


def decode_letter(raw: bytes) -> DeadLetter:
    """The reverse; raises Undecodable."""
    length = int.from_bytes(raw[:4], "little")
    try:
        return DeadLetter(**orjson.loads(raw[4 : 4 + length]), payload=raw[4 + length :])
    except (ValueError, TypeError) as error:
        raise Undecodable(f"a dead letter of {len(raw)} bytes: {error}") from error


class Packed(NamedTuple):
    """A payload as it goes to disk."""

    codec: int
    payload: bytes
    raw_len: int
    crc: int


def pack(raw: bytes) -> Packed:
    """Compress where it pays."""
    if len(raw) >= WORTH_COMPRESSING_BYTES:
        squeezed = zstandard.ZstdCompressor(level=1).compress(raw)
        if len(squeezed) < len(raw):
            return Packed(ZSTD, squeezed, len(raw), crc32(squeezed))
    return Packed(RAW, raw, len(raw), crc32(raw))


def unpack(header: Header, payload: bytes) -> bytes:
    """The reverse; raises Undecodable."""
    if header.codec == RAW:
        return payload
    if header.codec != ZSTD:
        raise Undecodable(f"codec {header.codec} is not known to this version")
    try:
        return zstandard.ZstdDecompressor().decompress(payload, max_output_size=header.raw_len)
    except zstandard.ZstdError as error:
        raise Undecodable(f"a payload of {len(payload)} bytes: {error}") from error
