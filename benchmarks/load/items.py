"""CreateMonitoredItems without an object per item: fifty thousand of them must not take the server seconds. Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from benchmarks.load.notifications import ticks_of

CURRENT_TIME = 2258
BAD_NODE_ID_UNKNOWN = 0x8034_0000
_PARAMETERS = struct.Struct("<IId")  # mode, handle, sampling
_RESULT = np.dtype([("status", "<u4"), ("id", "<u4"), ("sampling", "<f8"), ("queue", "<u4"), ("filter", "S3")])
_ITEM_IDS = iter(range(1, 2**31))


class Wanted(NamedTuple):
    """One item; `node` is its number among the load's variables."""

    node: int | None
    is_clock: bool
    handle: int
    sampling_ms: float
    queue: int


class _Reader:
    def __init__(self, body: bytes) -> None:
        self.body, self.at = body, 0

    def take(self, form: str) -> int:
        (found,) = struct.unpack_from(form, self.body, self.at)
        self.at += struct.calcsize(form)
        return int(found)

    def text(self) -> bytes:
        size = max(self.take("<i"), 0)
        self.at += size
        return self.body[self.at - size : self.at]

    def node_id(self) -> tuple[int, int | bytes]:
        match self.take("<B") & 0x3F:
            case 0:
                return 0, self.take("<B")
            case 1:
                return self.take("<B"), self.take("<H")
            case 2:
                return self.take("<H"), self.take("<I")
            case 3:
                return self.take("<H"), self.text()
            case other:
                raise ValueError(f"a node id of form {other}")


def read_items(body: bytes, nodes: int) -> tuple[int, list[Wanted]]:
    """The subscription and the wanted items of a request, after its header."""
    reader = _Reader(body)
    subscription, _timestamps, count = reader.take("<I"), reader.take("<I"), reader.take("<i")
    return subscription, [_wanted(reader, nodes) for _ in range(count)]


def _wanted(reader: _Reader, nodes: int) -> Wanted:
    namespace, identifier = reader.node_id()
    reader.at += 4  # attribute
    reader.text()  # index range
    reader.at += 2  # data encoding
    reader.text()
    _mode, handle, sampling_ms = _PARAMETERS.unpack_from(reader.body, reader.at)
    reader.at += _PARAMETERS.size
    reader.node_id()  # filter: none of the clients has one
    if reader.take("<B"):
        reader.text()
    queue, _discard = reader.take("<I"), reader.take("<B")
    is_clock = (namespace, identifier) == (0, CURRENT_TIME)
    node = int(identifier[1:]) if namespace == 2 and isinstance(identifier, bytes) else None
    return Wanted(node if node is not None and node < nodes else None, is_clock, handle, sampling_ms, max(queue, 1))


def created(wanted: list[Wanted], handle: int) -> bytes:
    """The response: every item as it was asked for, but the unknown ones."""
    results = np.zeros(len(wanted), dtype=_RESULT)
    results["status"] = [0 if each.is_clock or each.node is not None else BAD_NODE_ID_UNKNOWN for each in wanted]
    results["id"] = [next(_ITEM_IDS) for _ in wanted]
    results["sampling"] = [each.sampling_ms for each in wanted]
    results["queue"] = [each.queue for each in wanted]
    head = struct.pack("<4sqIIBiBBB", b"\x01\x00\xf2\x02", ticks_of(0), handle, 0, 0, 0, 0, 0, 0)
    return head + struct.pack("<i", len(wanted)) + results.tobytes() + struct.pack("<i", 0)
