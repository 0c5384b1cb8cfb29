"""`crash-states`: states that a power cut can leave of a simulated disk, in storms of work, faults and kills.

`--count` counts such states. After every fifth step of a storm several are looked at: the store must start from each,
and everything acknowledged must be found, delivered, or named in a gap.
"""

from __future__ import annotations

import logging
import time

import structlog

from tests.model.ledger import Violation
from tests.model.storm import run
from tests.soak.finding import Finding

PROBES = 12
STEPS = 30


def soak(count: int | None) -> Finding:
    """Storm until that many states are seen."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wanted, states, seed = count or 300_000, 0, 0
    violations: list[str] = []
    began = time.monotonic()
    while states < wanted:
        try:
            states += run(seed, quota_kb=(1 << 20, 12)[seed % 4 == 0], steps=STEPS, probes=PROBES).states
        except Violation as violation:
            violations.append(f"seed {seed}: {violation}")
            states += 1
        seed += 1
    seconds = round(time.monotonic() - began, 1)
    facts = {"count": states, "storms": seed, "violations": len(violations), "seconds": seconds}
    return Finding(facts | {"first": violations[:3]}, is_well=not violations)
