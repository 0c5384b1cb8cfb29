"""Storms over a simulated disk that turns bits over. `--count` counts storms, each with a few flips."""

from __future__ import annotations

import logging
import time

import structlog

from tests.model.storm import Violation, run
from tests.soak.finding import Finding


def soak(count: int | None) -> Finding:
    """What is lost must be named, and every start must succeed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    violations: list[str] = []
    named = 0
    began = time.monotonic()
    for seed in range(count or 10_000):
        try:
            named += sum(run(seed, flips=4).ledger.lost.values())
        except Violation as violation:
            violations.append(f"seed {seed}: {violation}")
    seconds = round(time.monotonic() - began, 1)
    facts = {"count": count or 10_000, "points_named_lost": named, "violations": len(violations), "seconds": seconds}
    return Finding(facts | {"first": violations[:3]}, is_well=not violations)
