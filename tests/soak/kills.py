"""`kills`: kill -9 at random moments, on a real disk, with a ledger of everything that was acknowledged.

`--count` counts kills of a process that does nothing but append, read and confirm; a fiftieth of them on top are kills
of `raceway run` itself, fed by a real MQTT broker. Acknowledged means for that one: the broker was.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from agent.store import inspect
from tests.model import agent_kills
from tests.model.nursery import Child, Promises, feed
from tests.soak.finding import Finding

KILLS_PER_STORE = 50
START_S = 2.0


def kill_stores(kills: int, seed: int = 0) -> Promises:
    """The promises of all lives; `acked` holds what was lost, over all stores."""
    chance = random.Random(seed)
    total = Promises()
    while kills > 0:
        with tempfile.TemporaryDirectory(prefix="raceway-kills-") as folder:
            promises = Promises()
            for _ in range(min(kills, KILLS_PER_STORE)):
                child = Child(feed(Path(folder) / "log", chance.getrandbits(32)))
                child.live(chance, most_s=0.1)
                promises.hear(child.kill())
            kills -= KILLS_PER_STORE
            total.acked |= promises.lost(Path(folder) / "log")
            total.place += len(promises.acked)
            total.moved_back += promises.moved_back + len(inspect.verify(Path(folder) / "log").flaws)
            total.starts_s += promises.starts_s
    return total


def soak(count: int | None) -> Finding:
    """2,000 kills of the store and 40 of the agent, or `count` and a fiftieth of it."""
    count = count or 2_000
    began = time.monotonic()
    stores = kill_stores(count)
    kills_per_s = round(count / (time.monotonic() - began), 1)
    agent = agent_kills.kill_agents(max(1, count // 50))
    slowest_s = max(stores.starts_s, default=0.0)
    facts = {
        "count": count + agent.kills,
        "agent_kills": agent.kills,
        "acked": stores.place + agent.acked,
        "acked_lost": len(stores.acked) + agent.lost,
        "violations": stores.moved_back,
        "kills_per_s": kills_per_s,
        "slowest_store_start_s": round(slowest_s, 3),
        "slowest_agent_start_s": round(max(agent.starts_s), 2),  # libraries included, until the page answers
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, not (facts["acked_lost"] or stores.moved_back) and slowest_s <= START_S)
