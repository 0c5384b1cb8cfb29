"""Publish responses whose values and times are patched into bytes that asyncua's encoder made once."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from numpy.typing import NDArray

from benchmarks.load.rule import Kinds

EPOCH_TICKS = 116_444_736_000_000_000  # 1970 in 100 ns since 1601
_SOURCE_GAP = 8  # the server's time follows the source's
_HEAD = 6  # handle, mask, type
_KINDS: dict[Kinds, tuple[tuple[ua.VariantType, object, str], ...]] = {
    "doubles": ((ua.VariantType.Double, 0.0, "<f8"),),
    "mixed": (
        (ua.VariantType.Double, 0.0, "<f8"),
        (ua.VariantType.Float, 0.0, "<f4"),
        (ua.VariantType.Int32, 0, "<i4"),
        (ua.VariantType.Boolean, False, "?"),
    ),
}
"""Type of node i is the one at i modulo their number; see `rule.Rule.expected`."""


def ticks_of(t_ns: int) -> int:
    """OPC UA's time of a Unix time."""
    return t_ns // 100 + EPOCH_TICKS


def _item(handle: int, kind: ua.VariantType, value: object) -> bytes:
    """One item without a status code: it is Good."""
    now = ua.DateTime(2026, 1, 1, tzinfo=UTC)
    data = ua.DataValue(ua.Variant(value, kind), None, SourceTimestamp=now, ServerTimestamp=now)
    return bytes(struct_to_binary(ua.MonitoredItemNotification(handle, data)))


class Block:
    """Items that are sent in one message, in the order in which they were created."""

    def __init__(self, handles: Sequence[int], nodes: Sequence[int], kinds: Kinds) -> None:
        self.nodes: NDArray[np.int64] = np.array(nodes, dtype=np.int64)
        samples = [_item(0, kind, value) for kind, value, _ in _KINDS[kinds]]
        kind_of = self.nodes % len(samples)
        sizes = np.array([len(sample) for sample in samples])[kind_of]
        starts = np.cumsum(sizes) - sizes
        self._items = bytearray(b"".join([samples[kind] for kind in kind_of.tolist()]))
        self._view("<u4")[starts] = np.array(handles, dtype=np.uint32)
        self._values = [
            (np.flatnonzero(kind_of == kind), self._view(dtype), starts[kind_of == kind] + _HEAD)
            for kind, (_, _, dtype) in enumerate(_KINDS[kinds])
        ]
        self._times, self._source = self._view("<i8"), starts + sizes - 2 * _SOURCE_GAP
        self._server = self._source + _SOURCE_GAP

    def items(self, values: NDArray[np.float64], t_ns: int, now_ns: int) -> bytes:
        """The items with these values of all nodes, measured at `t_ns`."""
        mine = values[self.nodes]
        for rows, view, places in self._values:
            view[places] = mine[rows]
        self._times[self._source] = ticks_of(t_ns)
        self._times[self._server] = ticks_of(now_ns)
        return bytes(self._items)

    def _view(self, dtype: str) -> NDArray[np.generic]:
        """Every possible unaligned number in the bytes, by its offset."""
        size = len(self._items) - np.dtype(dtype).itemsize + 1
        return np.ndarray(shape=(size,), dtype=dtype, buffer=self._items, strides=(1,))


def clock_item(handle: int, now_ns: int) -> bytes:
    """The server's own time as an item."""
    item = bytearray(_item(handle, ua.VariantType.DateTime, datetime(2026, 1, 1, tzinfo=UTC)))
    struct.pack_into("<qqq", item, _HEAD, ticks_of(now_ns), ticks_of(now_ns), ticks_of(now_ns))
    return bytes(item)


_HEADER = struct.Struct("<4sqIIBiBBB")
_MESSAGE = struct.Struct("<Iq")
_CHANGE = struct.Struct("<i4sBii")
_PUBLISH, _REPUBLISH = b"\x01\x00\x3d\x03", b"\x01\x00\x43\x03"


def _header(kind: bytes, handle: int, now_ns: int) -> bytes:
    return _HEADER.pack(kind, ticks_of(now_ns), handle, 0, 0, 0, 0, 0, 0)


def message(*, sequence: int, count: int, items: bytes, now_ns: int) -> bytes:
    """A NotificationMessage with one DataChangeNotification; a keep-alive where count is 0."""
    head = _MESSAGE.pack(sequence, ticks_of(now_ns))
    if not count:
        return head + struct.pack("<i", 0)
    return head + _CHANGE.pack(1, b"\x01\x00\x2b\x03", 1, len(items) + 8, count) + items + struct.pack("<i", 0)


def response(
    *, handle: int, subscription: int, available: Sequence[int], more: bool, body: bytes, results: int, now_ns: int
) -> bytes:
    """A PublishResponse around a message; `available` are the numbers of those that can be asked for again."""
    numbers = struct.pack(f"<Ii{len(available)}IB", subscription, len(available), *available, more)
    return (
        _header(_PUBLISH, handle, now_ns) + numbers + body + struct.pack(f"<i{results}Ii", results, *[0] * results, 0)
    )


def republished(*, handle: int, body: bytes, now_ns: int) -> bytes:
    """A RepublishResponse around a message that was sent before."""
    return _header(_REPUBLISH, handle, now_ns) + body


def verify(block: Block, values: NDArray[np.float64]) -> None:
    """That asyncua's decoder reads what is sent; raises AssertionError."""
    t_ns = 1_790_000_000_000_000_000
    items = block.items(values, t_ns, t_ns)
    body = response(
        handle=7, subscription=3, available=[8, 9], more=True, results=2, now_ns=t_ns,
        body=message(sequence=9, count=len(block.nodes), items=items, now_ns=t_ns),
    )  # fmt: skip
    read = struct_from_binary(ua.PublishResponse, Buffer(body))
    (change,) = read.Parameters.NotificationMessage.NotificationData
    found = [float(item.Value.Value.Value) for item in change.MonitoredItems]
    assert found == values[block.nodes].tolist(), "the load server encodes values wrongly"
    assert read.Parameters.NotificationMessage.SequenceNumber == 9
    assert len(read.Parameters.Results) == 2
    assert read.Parameters.AvailableSequenceNumbers == [8, 9]
    assert all(item.Value.SourceTimestamp.timestamp() == t_ns / 1e9 for item in change.MonitoredItems)
