"""What all benchmarks share: the best of some runs, shown as a table or as one JSON object."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping


def best_us(work: Callable[[], object], *, values: int, repeat: int) -> float:
    """µs a value, the best of some runs: the others were disturbed."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best / values * 1e6


def show(rows: Mapping[str, float]) -> None:
    """The figures on standard output, their units in the names; one JSON object with --json."""
    if "--json" in sys.argv:
        print(json.dumps({name: round(cost, 4) for name, cost in rows.items()}, ensure_ascii=False))
        return
    for name, cost in rows.items():
        print(f"{cost:9.4f}  {name}")
