"""`power-cuts`: a real ext4 filesystem that loses its power while the store writes; its journal is replayed, 500 times.

FS_IOC_SHUTDOWN lets nothing more reach the disk, not even the journal. What was acknowledged is counted before that:
in a real cut nobody is left to hear an acknowledgement. Needs root and loop devices.
"""

from __future__ import annotations

import logging
import random
import time

import structlog

from agent.store import inspect
from tests.model.disks import Ext4, ext4
from tests.model.nursery import Child, Promises, feed
from tests.soak.finding import Finding

CUTS_PER_STORE = 25


def cut(disk: Ext4, store: str, promises: Promises, chance: random.Random) -> None:
    """One life of the store, ended by a power cut, and the filesystem mounted again."""
    child = Child(feed(disk.path / store, chance.getrandbits(32)))
    child.live(chance, most_s=0.25)
    promises.hear(child.said())
    disk.cut_power()
    child.kill()
    disk.unmount()
    disk.mount()


def soak(count: int | None) -> Finding:
    """Cut the power 500 times, or `count` times."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chance, cuts = random.Random(1), count or 500
    acked = lost = back = flaws = 0
    starts_s = [0.0]
    began = time.monotonic()
    with ext4() as disk:
        for first in range(0, cuts, CUTS_PER_STORE):
            promises, store = Promises(), f"store-{first}"
            for _ in range(min(CUTS_PER_STORE, cuts - first)):
                cut(disk, store, promises, chance)
            acked, lost = acked + len(promises.acked), lost + len(promises.lost(disk.path / store))
            back += promises.moved_back
            flaws += len(inspect.verify(disk.path / store).flaws)
            starts_s += promises.starts_s
            for path in sorted((disk.path / store).rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    facts = {
        "count": cuts,
        "acked": acked,
        "acked_lost": lost,
        "violations": back,
        "flaws": flaws,
        "slowest_store_start_s": round(max(starts_s), 3),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, not lost and not back)
