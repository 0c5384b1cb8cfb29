"""What a value costs from an append until it is durable, and back out of the log.

python -m benchmarks.store_append [--json]
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import zstandard

from agent import telemetry
from agent.store.config import StoreConfig
from agent.store.log import Log
from benchmarks.measure import best_us, show
from collectors.points import Batch, Series

POINTS = 10_000
BATCHES = 50
SERIES = tuple(Series("plant", "area", "line", f"cnc-{number}", "temperature", "°C") for number in range(POINTS))


def batch(number: int, noise: np.random.Generator) -> Batch:
    """One value of each of ten thousand series."""
    return Batch(
        source="machines",
        received_ns=1_790_000_000_000_000_000 + number * 1_000_000_000,
        series=SERIES,
        which=np.arange(POINTS, dtype=np.uint32),
        t_ns=np.full(POINTS, 1_790_000_000_000_000_000 + number * 1_000_000_000, np.int64),
        value=np.round(noise.normal(60, 5, POINTS), 2),
        quality=np.zeros(POINTS, np.uint32),
        clock=np.zeros(POINTS, np.uint8),
    )


async def measure(directory: Path) -> dict[str, float]:
    """Append all batches one after the other, each durable before the next, then read them back."""
    noise = np.random.default_rng(1)
    batches = [batch(number, noise) for number in range(BATCHES)]
    points = POINTS * BATCHES
    async with Log.open(StoreConfig(linger_s=0.0), directory=directory, plant="plant") as log:
        await log.append(batches[0])  # the series are declared once
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        for each in batches[1:]:
            await log.append(each)
        appended_s, appended_cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        cursor, read = log.cursor("bench"), 0
        cpu_s = time.process_time()
        while read < points:
            entries = await cursor.read(max_points=5 * POINTS, linger_s=0.0)
            read += sum(len(entry.batch) for entry in entries)
            await cursor.commit(entries[-1].seq, b"")
        read_cpu_s = time.process_time() - cpu_s
        bytes_written = float(str(log.status()["bytes_written"]))
    return {
        "µs of CPU, append": appended_cpu_s / (points - POINTS) * 1e6,
        "µs until durable, append": appended_s / (points - POINTS) * 1e6,
        "µs of CPU, read back": read_cpu_s / points * 1e6,
        "bytes written to disk": bytes_written / points,
    }


def synced_us(directory: Path, size: int) -> float:
    """µs a value that the disk takes for as many bytes in as many steps, written and synced, and nothing else."""
    block = np.random.default_rng(1).bytes(size)
    file = os.open(directory / "limit", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    start_s = time.perf_counter()
    for _ in range(BATCHES):
        os.write(file, block)
        os.fdatasync(file)
    took_s = time.perf_counter() - start_s
    os.close(file)
    return took_s / (POINTS * BATCHES) * 1e6


def codec_us() -> float:
    """µs a value of zstd's lowest level for values and times alone."""
    one = batch(1, np.random.default_rng(1))
    raw, codec = one.value.tobytes() + one.t_ns.tobytes(), zstandard.ZstdCompressor(level=1)
    return best_us(lambda: codec.compress(raw), values=POINTS, repeat=20)


def main() -> None:
    """Measure in a folder below the current one, so that a real disk is measured and not memory."""
    telemetry.configure(level="warning")
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        rows = asyncio.run(measure(Path(directory)))
        rows["µs, the limit: fdatasync"] = synced_us(Path(directory), int(rows["bytes written to disk"] * POINTS))
        show(rows | {"µs, the limit: zstd": codec_us()})


if __name__ == "__main__":
    main()
