"""PublishResponses as a server would send them, made by asyncua's encoder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from collectors.opcua.columns import Columns
from collectors.opcua.decode import Decoder
from collectors.opcua.odd import read_variant
from collectors.opcua.wire import read_response

TIME = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
TIME_NS = 1_772_366_400_000_000_000


def data_value(
    value: object = None,
    kind: ua.VariantType = ua.VariantType.Double,
    *,
    status: int | None = None,
    source: datetime | None = TIME,
    server: datetime | None = TIME,
) -> ua.DataValue:
    """One DataValue; a status of None is left out of the message, as a server does for Good."""
    return ua.DataValue(
        ua.Variant(value, kind),
        ua.StatusCode(status) if status is not None else None,
        SourceTimestamp=source,
        ServerTimestamp=server,
    )


def encoded(items: Sequence[tuple[int, ua.DataValue]], *, sequence: int = 1, subscription: int = 7) -> bytes:
    """A PublishResponse with one DataChangeNotification; without items a keep-alive."""
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = subscription
    response.Parameters.AvailableSequenceNumbers = [sequence]
    message = response.Parameters.NotificationMessage
    message.SequenceNumber = sequence
    if items:
        change = ua.DataChangeNotification()
        change.MonitoredItems = [ua.MonitoredItemNotification(handle, value) for handle, value in items]
        message.NotificationData = [change]
    return bytes(struct_to_binary(response))


def decoded(body: bytes, decoder: Decoder | None = None) -> Columns:
    """The columns of the only notification in a message."""
    (part,) = read_response(body).parts
    return (decoder or Decoder(read_variant)).decode(body, part.start, part.stop)


def ticks(time: datetime | None) -> int:
    """A DateTime as it is on the wire."""
    if time is None:
        return 0
    return (time - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


def scalar(kind: str, value: Any) -> ua.DataValue:
    """A Good value of a named type."""
    return data_value(value, ua.VariantType[kind])
