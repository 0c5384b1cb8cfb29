"""`crash-states`: states that a power cut can leave of a simulated disk, in storms of work, faults and kills.

`--count` counts such states, those of one storm that are alike once. After every fifth step of a storm the power goes,
in thought, before the calls that settle what was promised: the store must start from each disk that this leaves, and
everything acknowledged must be found, delivered, or named in a gap.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import NamedTuple

import structlog

from tests.model.ledger import Violation
from tests.model.spread import spread
from tests.model.storm import run
from tests.soak.finding import Finding

TRIES = 24
STEPS = 20


class Seen(NamedTuple):
    """What one storm came to."""

    states: int
    violation: str = ""


def storm(seed: int) -> Seen:
    """One storm; every fourth has hardly any room."""
    try:
        return Seen(run(seed, quota_kb=(1 << 20, 12)[seed % 4 == 0], steps=STEPS, probes=TRIES).states)
    except Violation as violation:
        return Seen(1, f"seed {seed}: {violation}")


def soak(count: int | None) -> Finding:
    """Storm until that many states are seen."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wanted, states, storms = count or 300_000, 0, 0
    violations: list[str] = []
    began = time.monotonic()
    with contextlib.closing(spread(storm)) as storming:
        for seen in storming:
            states, storms = states + seen.states, storms + 1
            violations += filter(None, [seen.violation])
            if states >= wanted:
                break
    seconds = round(time.monotonic() - began, 1)
    facts = {"count": states, "storms": storms, "violations": len(violations), "seconds": seconds}
    return Finding(facts | {"first": violations[:3]}, is_well=not violations)
