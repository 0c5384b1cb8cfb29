"""µs a value from the bytes of a PublishResponse to a batch: uniform, mixed and remembered, walked, and by asyncua.

python -m benchmarks.opcua_decode [--json]
"""

from __future__ import annotations

import time

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from benchmarks.measure import best_us, show
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.decode import Decoder
from collectors.opcua.odd import read_variant
from collectors.opcua.shape import shape
from collectors.opcua.table import Table
from collectors.opcua.wire import read_response

N = 10_000


def message(kinds: list[tuple[ua.VariantType, object]]) -> bytes:
    """A PublishResponse with N items of these types in turn."""
    change = ua.DataChangeNotification()
    now = ua.DateTime.now()
    change.MonitoredItems = [
        ua.MonitoredItemNotification(
            handle,
            ua.DataValue(
                ua.Variant(kinds[handle % len(kinds)][1], kinds[handle % len(kinds)][0]),
                None,
                SourceTimestamp=now,
                ServerTimestamp=now,
            ),
        )
        for handle in range(N)
    ]
    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [change]
    return bytes(struct_to_binary(response))


def main() -> None:
    """Measure and print."""
    kinds = ua.VariantType
    uniform = message([(kinds.Double, 1.5)])
    mixed = message([(kinds.Double, 1.5), (kinds.Int32, 7), (kinds.Boolean, True), (kinds.Float, 2.5)])
    texts = message([(kinds.Double, 1.5), (kinds.Int32, 7), (kinds.Boolean, True), (kinds.String, "part 4711")])
    tags = [{"machine": "m", "signal": f"s{i}", "node": f"ns=2;i={i}"} for i in range(N)]
    config = OpcUaConfig.model_validate({"kind": "opcua", "name": "b", "url": "opc.tcp://h", "tags": tags})
    table = Table.of(config, plant="p")

    def once(body: bytes, decoder: Decoder) -> object:
        (part,) = read_response(body).parts
        return decoder.decode(body, part.start, part.stop)

    def whole(body: bytes, decoder: Decoder) -> object:
        (part,) = read_response(body).parts
        return shape(decoder.decode(body, part.start, part.stop), table, source="b", received_ns=time.time_ns())

    warm = Decoder(read_variant)
    rows = {
        "µs, the limit: its bytes copied once": best_us(lambda: bytearray(uniform), values=N, repeat=50),
        "µs, uniform": best_us(lambda: once(uniform, warm), values=N, repeat=50),
        "µs, uniform, to a batch": best_us(lambda: whole(uniform, warm), values=N, repeat=50),
        "µs, mixed, remembered": best_us(lambda: once(mixed, warm), values=N, repeat=50),
        "µs, mixed, remembered, to a batch": best_us(lambda: whole(mixed, warm), values=N, repeat=50),
        "µs, mixed, walked": best_us(lambda: once(mixed, Decoder(read_variant)), values=N, repeat=20),
        "µs, a quarter texts, remembered": best_us(lambda: once(texts, warm), values=N, repeat=20),
        "µs, asyncua": best_us(lambda: struct_from_binary(ua.PublishResponse, Buffer(mixed)), values=N, repeat=2),
    }
    show(rows)


if __name__ == "__main__":
    main()
