"""Storms over the simulated disk: random work, faults, kills and power cuts. `--count` counts starts after a crash."""

from __future__ import annotations

import logging
import time

import structlog

from tests.model.storm import Violation, run
from tests.soak.finding import Finding


def soak(count: int | None) -> Finding:
    """Storm until that many starts are seen."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wanted, starts, seed = count or 300_000, 0, 0
    violations: list[str] = []
    began = time.monotonic()
    while starts < wanted:
        try:
            starts += run(seed, quota_kb=(1 << 20, 12)[seed % 4 == 0]).starts
        except Violation as violation:
            violations.append(f"seed {seed}: {violation}")
        seed += 1
    seconds = round(time.monotonic() - began, 1)
    facts = {"count": starts, "storms": seed, "violations": len(violations), "seconds": seconds}
    return Finding(facts | {"first": violations[:3]}, is_well=not violations)
