"""`model`: a hypothesis state machine over the simulated disk against a list. `--count` counts examples of 50 steps."""

from __future__ import annotations

import logging
import time
from functools import partial

import hypothesis
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.ledger import Violation
from tests.model.machine import StoreMachine
from tests.model.spread import spread
from tests.soak.finding import Finding

EXAMPLES = 100  # of one run of hypothesis


def examples(most: int, seed: int) -> str:
    """A run with examples of its own; the smallest that fails, or nothing."""
    chosen = settings(
        max_examples=most,
        stateful_step_count=50,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(StoreMachine), settings=chosen)  # type: ignore[no-untyped-call]
    except Violation as violation:
        return "\n".join([f"seed {seed}: {violation}", *getattr(violation, "__notes__", ())])
    return ""


def soak(count: int | None) -> Finding:
    """Run 20,000 examples, or about `count`; a failing one is made small and shown."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    count, began = count or 20_000, time.monotonic()
    most = min(EXAMPLES, count)
    runs = -(-count // most)
    failing = list(filter(None, spread(partial(examples, most), tries=runs)))
    facts = {"count": runs * most, "violations": len(failing), "first": failing[:1]}
    return Finding(facts | {"seconds": round(time.monotonic() - began, 1)}, not failing)
