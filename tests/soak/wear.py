"""`wear`: what a commit costs the flash. `--count` counts commits of 5,000 points, 200 by default.

Measured at a loop device below ext4 with its default journal, so that the filesystem's own writes count; needs root.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import numpy as np
import structlog

from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Batch, Series
from tests.model.disks import Ext4, ext4
from tests.soak.finding import Finding

POINTS = 5_000
SIGNALS = 40
T = 1_790_000_000_000_000_000
MOST_BYTES_A_POINT = 12.0
MOST_BYTES_A_COMMIT = 24 * 1024  # beyond the payload
_TABLE = tuple(Series("p", "hall", "line", f"cnc-{number // 8}", f"signal-{number % 8}") for number in range(SIGNALS))


async def write(disk: Ext4, directory: Path, commits: int) -> tuple[int, int]:
    """Bytes that reached the device, and bytes of the records themselves."""
    noise = np.random.default_rng(1)
    levels = noise.normal(60, 5, SIGNALS)
    async with Log.open(StoreConfig(linger_s=0.0), directory=directory, plant="p") as log:
        await log.append(_batch(0, levels, noise))  # files and names are made once
        device, payload = disk.bytes_written(), int(str(log.status()["bytes_written"]))
        for number in range(1, commits + 1):
            await log.append(_batch(number, levels, noise))
        return disk.bytes_written() - device, int(str(log.status()["bytes_written"])) - payload


def _batch(number: int, levels: np.ndarray, noise: np.random.Generator) -> Batch:  # type: ignore[type-arg]
    """Signals that wander, with four decimals, a hundred and twenty-five times each."""
    rows = POINTS // SIGNALS
    walk = levels + np.cumsum(noise.normal(0, 0.05, (rows, SIGNALS)), axis=0)
    levels[:] = walk[-1]
    times = T + (number * rows + np.arange(rows)) * 100_000_000
    which, zeros = np.tile(np.arange(SIGNALS, dtype=np.uint32), rows), np.zeros(POINTS, np.uint32)
    values = np.round(walk, 4).ravel()
    return Batch("s", T, _TABLE, which, np.repeat(times, SIGNALS), values, zeros, zeros.astype(np.uint8))


def soak(count: int | None) -> Finding:
    """Commit, and look at the device."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    commits, began = count or 200, time.monotonic()
    with ext4(megabytes=256) as disk:
        device, payload = asyncio.run(write(disk, disk.path / "log", commits))
    per_point, overhead = device / (commits * POINTS), (device - payload) / commits
    facts = {
        "count": commits,
        "points": commits * POINTS,
        "device_bytes_per_point": round(per_point, 2),
        "payload_bytes_per_point": round(payload / (commits * POINTS), 2),
        "bytes_per_commit_beyond_payload": round(overhead),
        "violations": int(per_point > MOST_BYTES_A_POINT) + int(overhead > MOST_BYTES_A_COMMIT),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, not facts["violations"])
