"""`mutants`: bugs planted one at a time; each must be caught by the storms or by the bad networks.

`--count` is how many storms or schedules each of them may survive.
"""

from __future__ import annotations

import logging
import time
from functools import partial

import pytest
import structlog

from tests.model import storm
from tests.model.ledger import Violation
from tests.model.mutants import MUTANTS, Mutant
from tests.model.spread import spread
from tests.soak import network
from tests.soak.finding import Finding

SETTINGS: dict[str, dict[str, int]] = {
    "storm": {},
    "flips": {"flips": 6},
    "cuts": {"probes": 6, "steps": 40},
    "quota": {"quota_kb": 3, "segment_kb": 1},
    "blocks": {"quota_kb": 3, "segment_kb": 1, "probes": 6, "steps": 40, "shows_freed_blocks": True},
}


def hunt(mutant: Mutant, tries: int) -> int | None:
    """The seed that catches it; None if it survives them all."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.plant(patch)
        return next((seed for seed in range(tries) if _is_caught(mutant, seed)), None)


def _hunted(tries: int, number: int) -> int | None:
    return hunt(MUTANTS[number], tries)


def _is_caught(mutant: Mutant, seed: int) -> bool:
    if mutant.hunt == "network":
        return not network.schedule(seed).is_well
    try:
        storm.run(seed, **SETTINGS[mutant.hunt])
    except Violation:
        return True
    return False


def soak(count: int | None) -> Finding:
    """Hunt all of them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    seeds = spread(partial(_hunted, count or 300), tries=len(MUTANTS))
    caught = dict(zip((mutant.name for mutant in MUTANTS), seeds, strict=True))
    survivors = [name for name, seed in caught.items() if seed is None]
    facts: dict[str, object] = {"count": len(caught), "caught": len(caught) - len(survivors)}
    facts |= {"violations": len(survivors), "survivors": survivors, "seconds": round(time.monotonic() - began, 1)}
    return Finding(facts | {"caught_by_seed": caught}, not survivors)
