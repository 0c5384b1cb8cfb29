"""How fast a backlog is sent: from the log on disk through both lanes to a server, while new values go on coming.

python -m benchmarks.replay [--points N] [--real] [--json]
With --real the server is an InfluxDB 2.7 that is started for it, else the counting sink of `benchmarks.load.sink`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agent import telemetry
from agent.drain import Pace, drain_live_first
from agent.influx.config import InfluxConfig
from agent.influx.sink import InfluxSink
from agent.status import SinkStatus
from agent.store.config import StoreConfig
from agent.store.log import Log
from benchmarks.measure import show
from collectors.points import Batch, Series
from tests.servers.influxdb import real_influxdb

PER_S = 10_000  # new values while the backlog is sent
SIGNALS = 10
SERIES = tuple(
    Series("plant", "area", "line", f"cnc-{row // SIGNALS}", f"signal_{row % SIGNALS}", "1") for row in range(PER_S)
)


def batch(second: int, noise: np.random.Generator, *, received_ns: int) -> Batch:
    """A value of every series; none of its digits can be guessed."""
    which, zeros = np.arange(PER_S, dtype=np.uint32), np.zeros(PER_S, np.uint32)
    times = np.full(PER_S, 1_790_000_000_000_000_000 + second * 1_000_000_000, np.int64)
    return Batch(
        "machines", received_ns, SERIES, which, times, noise.normal(60, 5, PER_S), zeros, zeros.astype(np.uint8)
    )


@contextlib.contextmanager
def counting_sink() -> Iterator[str]:
    """The address of a server that answers at once."""
    command = [sys.executable, "-m", "benchmarks.load.sink", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


async def measure(config: InfluxConfig, directory: Path, points: int) -> dict[str, float]:
    """Fill the log, then drain it; figures."""
    noise, status = np.random.default_rng(1), SinkStatus("influxdb")
    async with Log.open(StoreConfig(linger_s=0.2), directory=directory, plant="plant") as log:
        lanes, seconds = log.lanes("influx"), points // PER_S
        hour_ago_ns = time.time_ns() - 3_600 * 10**9
        for second in range(0, seconds, 100):
            some = range(second, min(second + 100, seconds))
            await asyncio.gather(*(log.append(batch(each, noise, received_ns=hour_ago_ns)) for each in some))
        work = drain_live_first(
            lanes,
            lambda: InfluxSink(config, status=status, dead_letter=log.append),
            status,
            max_points=config.max_points,
            linger_s=0.2,
            pace=Pace(),
        )
        began_s, cpu_s, lags = time.perf_counter(), time.process_time(), [0.0]
        task = asyncio.create_task(work)
        while len(lanes) > 1 or lanes.pending()[0] > 2 * PER_S:
            await log.append(batch(seconds, noise, received_ns=time.time_ns()))
            seconds += 1
            for _ in range(10):
                await asyncio.sleep(0.1)
                lags.append(lanes.lag_s() if len(lanes) > 1 else 0.0)
        replay_s, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return {
        "points/s": points / replay_s,
        "s": replay_s,
        "µs of CPU a point": used_s / points * 1e6,
        "s of lag, new values": max(lags),
        "dead letters": status.dead_letters,
        "retries": status.retries,
        "peak RSS, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--real", action="store_true")
    options, _ = parser.parse_known_args()
    telemetry.configure(level="error")
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folder = Path(directory)
        (folder / "token").write_text("bench")
        if options.real:
            influx = stack.enter_context(real_influxdb())
            url, token_file = influx.url, str(influx.token_file())
        else:
            url, token_file = stack.enter_context(counting_sink()), str(folder / "token")
        config = InfluxConfig.model_validate(
            {"kind": "influxdb", "url": url, "org": "plant", "bucket": "telemetry", "token_file": token_file}
        )
        show(asyncio.run(measure(config, folder / "log", options.points)))


if __name__ == "__main__":
    main()
