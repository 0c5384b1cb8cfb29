"""`model`: a hypothesis state machine over the simulated disk against a list. `--count` counts examples of 50 steps."""

from __future__ import annotations

import logging
import time

import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.ledger import Violation
from tests.model.machine import StoreMachine
from tests.soak.finding import Finding


def soak(count: int | None) -> Finding:
    """Run 20,000 examples, or `count`; a failing one is made small and shown."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    count, began = count or 20_000, time.monotonic()
    chosen = settings(
        max_examples=count,
        stateful_step_count=50,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    first = ""
    try:
        run_state_machine_as_test(StoreMachine, settings=chosen)
    except Violation as violation:
        first = "\n".join([str(violation), *getattr(violation, "__notes__", ())])
    facts = {"count": count, "violations": int(bool(first)), "first": first}
    return Finding(facts | {"seconds": round(time.monotonic() - began, 1)}, not first)
