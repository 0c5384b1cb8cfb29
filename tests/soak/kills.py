"""`kills`: kill -9 at random moments, on a real disk, with a ledger of everything that was acknowledged.

`--count` counts kills of a process that does nothing but append, read and confirm; a fiftieth of them on top are kills
of `raceway run` itself, fed by a real MQTT broker. Acknowledged means for that one: the broker was.
"""

from __future__ import annotations

import random
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from agent.store import inspect
from tests.model import agent_kills
from tests.model.nursery import Child, Promises, feed
from tests.model.spread import spread
from tests.soak.finding import Finding

KILLS_PER_STORE = 50
START_S = 2.0


class Lives(NamedTuple):
    """What the lives of one store came to."""

    acked: int
    lost: int
    violations: int
    starts_s: list[float]


def kill_store(kills: int, seed: int) -> Lives:
    """One store that lives so often."""
    chance, promises = random.Random(seed), Promises()
    with tempfile.TemporaryDirectory(prefix="raceway-kills-") as folder:
        directory = Path(folder) / "log"
        for _ in range(kills):
            child = Child(feed(directory, chance.getrandbits(32)))
            time.sleep(chance.uniform(0.01, 0.1))
            promises.hear(child.kill())
        violations = promises.moved_back + len(inspect.verify(directory).flaws)
        return Lives(len(promises.acked), len(promises.lost(directory)), violations, promises.starts_s)


def soak(count: int | None) -> Finding:
    """2,000 kills of the store and 40 of the agent, or `count` and a fiftieth of it."""
    count = count or 2_000
    began = time.monotonic()
    stores = list(spread(partial(kill_store, min(count, KILLS_PER_STORE)), tries=-(-count // KILLS_PER_STORE)))
    kills = min(count, KILLS_PER_STORE) * len(stores)
    kills_per_s = round(kills / (time.monotonic() - began), 1)
    agent = agent_kills.kill_agents(max(1, count // 50))
    violations = sum(store.violations for store in stores)
    slowest_s = max((s for store in stores for s in store.starts_s), default=0.0)
    facts = {
        "count": kills + agent.kills,
        "agent_kills": agent.kills,
        "acked": sum(store.acked for store in stores) + agent.acked,
        "acked_lost": sum(store.lost for store in stores) + agent.lost,
        "violations": violations,
        "kills_per_s": kills_per_s,
        "slowest_store_start_s": round(slowest_s, 3),
        "slowest_agent_start_s": round(max(agent.starts_s), 2),  # libraries included, until the page answers
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, not (facts["acked_lost"] or violations) and slowest_s <= START_S)
