"""CPU a point of a whole OPC UA source, socket to batch, against node-opcua in a process of its own.

Needs what tests/servers/opcua_node/install installs.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path

import structlog

from benchmarks.measure import show
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.source import OpcUaSource
from collectors.points import Batch, Delivery
from tests.servers.opcua import URI
from tests.servers.opcua_node import MODULES, node_opcua_server

WARM_S, MEASURED_S = 3.0, 10.0


async def measure(config: OpcUaConfig) -> dict[str, float]:
    """CPU seconds of this process and points that came, over some seconds of steady flow."""
    points = 0
    came = asyncio.Event()

    async def deliver(delivery: Delivery) -> None:
        nonlocal points
        if isinstance(delivery, Batch):
            points += len(delivery)
            came.set()

    running = asyncio.create_task(OpcUaSource(config, plant="bench", last_time=lambda _: 0).run(deliver))
    await came.wait()
    await asyncio.sleep(WARM_S)
    before, cpu, start = points, time.process_time(), time.perf_counter()
    await asyncio.sleep(MEASURED_S)
    used, took, new = time.process_time() - cpu, time.perf_counter() - start, points - before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    at = f"{len(config.tags)} items at 1 Hz"
    return {
        f"µs CPU a point, {at}": used / new * 1e6,
        f"points a second, {at}": new / took,
        f"MB resident, {at}": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Start a server for each size, measure, print."""
    if not MODULES.exists():
        sys.exit("node-opcua is not installed; run tests/servers/opcua_node/install")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows: dict[str, float] = {}
    for items in (2_000, 10_000):
        tags = [{"machine": f"m{i % 50}", "signal": f"C{i}", "node": f"nsu={URI};s=C{i}"} for i in range(items)]
        with (
            tempfile.TemporaryDirectory() as folder,
            node_opcua_server(Path(folder), counters=items, period_s=1) as server,
        ):
            wanted = {"kind": "opcua", "name": "bench", "url": server.url, "connect_timeout_s": 30, "tags": tags}
            rows |= asyncio.run(measure(OpcUaConfig.model_validate(wanted)))
    show(rows)


if __name__ == "__main__":
    main()
