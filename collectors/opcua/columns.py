"""Values as columns, as the decoders give them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EXACT = 2.0**53  # a double holds every integer up to here


class Opaque(NamedTuple):
    """A value of a type that is passed over."""

    type: str


@dataclass(slots=True)
class Columns:
    """The items of one notification, in the server's order; all arrays have the same length n.

    handle: u4.  value: f8, NaN where there is no number.  quality: u4.  source, server: i8, ticks of 100 ns since 1601,
    0 where there is none.  objects: row -> what is no plain number: a text, an integer above 2**53, a list, `Opaque`.
    """

    handle: NDArray[np.uint32]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]
    source: NDArray[np.int64]
    server: NDArray[np.int64]
    objects: dict[int, object] = field(default_factory=dict)


def only(columns: Columns, keep: NDArray[np.bool_]) -> Columns:
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
