"""How long `raceway check` takes for the example configuration, as a process of its own.

python -m benchmarks.check_start [--json]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import show

EXAMPLE = Path(__file__).parents[1] / "config" / "plant.example.yaml"
COMMAND = [sys.executable, "-c", "from agent.cli import main; main()", "check", str(EXAMPLE)]
RUNS = 5


def main() -> None:
    """The best of some runs: the others were disturbed."""
    wall_s = cpu_s = float("inf")
    for _ in range(RUNS):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(COMMAND, check=True, capture_output=True)
        wall_s = min(wall_s, time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = min(cpu_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    show({"s of wall time": wall_s, "s of CPU": cpu_s})


if __name__ == "__main__":
    main()
