"""Figures of which the latest counts, told by a lane out of turn: they are told again when it is its turn. Pure.

A lane of the newest data may write a correction before the backlog writes what it corrects. What a lane told out of
turn is therefore part of its state; when the lane goes on in the stead of the one before it, it comes first.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

import numpy as np
import orjson
from numpy.typing import NDArray

from agent.influx import names
from collectors.points import Series, Times

Told = tuple[bytes, bytes, bytes]
"""One field as a line of its own: what leads to the value, the value, what follows it."""


def latest(told: Iterable[Told]) -> tuple[Told, ...]:
    """The last value of each field and time, in the order of these."""
    found: dict[tuple[bytes, bytes], bytes] = {}
    for lead, value, tail in told:
        found.pop((lead, tail), None)
        found[lead, tail] = value
    return tuple((lead, value, tail) for (lead, tail), value in found.items())


def latest_rows(rows: NDArray[np.int64], t_ns: Times, replaced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which points to write: of those of a kind that is replaced, the last of each series and time."""
    keep = np.ones(len(rows), dtype=np.bool_)
    seen: set[tuple[int, int]] = set()
    for at in replaced.nonzero()[0][::-1].tolist():
        key = int(rows[at]), int(t_ns[at])
        keep[at] = key not in seen
        seen.add(key)
    return keep


def pack(told: Iterable[Told]) -> bytes:
    """For a state; its length is a multiple of four."""
    raw = zlib.compress(orjson.dumps([[piece.decode() for piece in one] for one in told]), 1)
    return raw + bytes(-len(raw) % 4)


def unpack(raw: bytes) -> tuple[Told, ...]:
    """From its packed form."""
    listed = orjson.loads(zlib.decompressobj().decompress(raw))
    return tuple((lead.encode(), value.encode(), tail.encode()) for lead, value, tail in listed)


def fields_replaced(known: Iterable[Series]) -> re.Pattern[bytes]:
    """Finds a field of a series that is replaced, or its quality, in lines of any measurement.

    What a text only quotes is found too, and so is a signal of the same name of another machine: rather too much.
    """
    keys = sorted({re.escape(names.key(series.signal)) for series in known if series.kind.is_replaced})
    return re.compile(rb"[ ,](%b)(?:_quality)?=" % b"|".join(keys) if keys else rb"(?!)")
