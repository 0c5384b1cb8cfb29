"""µs a value from batches to line protocol, and through gzip.

python -m benchmarks.influx_lines [--json]
"""

from __future__ import annotations

import numpy as np
import orjson
from isal import igzip

from agent.influx.lines import Encoder
from benchmarks.measure import best_us, show
from collectors.points import Batch, Series

POINTS = 5_000
SIGNALS = 10


def batch(*, machines: int) -> Batch:
    """One value of each of ten signals of these machines, again and again until there are enough."""
    series = tuple(
        Series("plant", "area", "line", f"cnc-{machine}", f"signal_{signal}", "1")
        for machine in range(machines)
        for signal in range(SIGNALS)
    )
    rows = np.arange(POINTS, dtype=np.uint32)
    return Batch(
        source="machines",
        received_ns=1,
        series=series,
        which=rows % len(series),
        t_ns=1_790_000_000_000_000_000 + (rows // len(series)).astype(np.int64) * 1_000_000_000,
        value=np.round(np.random.default_rng(1).normal(100, 10, POINTS), 3),
        quality=np.zeros(POINTS, np.uint32),
        clock=np.zeros(POINTS, np.uint8),
    )


def main() -> None:
    """Measure and print."""
    encoder = Encoder("raceway")
    few, many = batch(machines=10), batch(machines=500)
    encoded = encoder.encode([many]).lines
    body = encoded.body(range(len(encoded)))
    values = many.value.tolist()
    show(
        {
            "µs, the limit: orjson of the values alone": best_us(
                lambda: orjson.dumps(values), values=POINTS, repeat=50
            ),
            "µs, encode, 10 machines of 10 signals": best_us(lambda: encoder.encode([few]), values=POINTS, repeat=50),
            "µs, encode, 500 machines of 10 signals": best_us(lambda: encoder.encode([many]), values=POINTS, repeat=50),
            "µs, gzip of the lines": best_us(lambda: igzip.compress(body, 1), values=POINTS, repeat=50),
        }
    )


if __name__ == "__main__":
    main()
