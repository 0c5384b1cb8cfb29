"""`disk-full`: another program fills the disk to 500 different levels; then the space returns.

On a tmpfs of its own, so that the errors are the kernel's. What was acknowledged must be in the log or in a gap, the
appends that waited must be answered within 5 s of the space's return, and nothing is restarted. Needs root.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import structlog

from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Urgency
from tests.agent.store.journals import wide
from tests.model.disks import tmpfs
from tests.soak.finding import Finding

KILOBYTES = 1500
CONFIG = StoreConfig(linger_s=0.0, segment_mb=0.03, quota_mb=8)
RESUME_S = 5.0
AT_ONCE = 8
APPENDS = 300
ROWS = 400


class Level(NamedTuple):
    """What one fill level did."""

    acked: int
    lost: int  # neither in the log nor in a gap
    dropped: int  # named in gaps
    was_held: bool
    resumed_s: float


async def fill(directory: Path, free_bytes: int, *, is_greedy: bool) -> Level:
    """Append while another program leaves that much space, until the log holds; then give the space back.

    is_greedy: the other program also takes what the log gives up, at once.
    """
    acked: set[int] = set()
    noise = np.random.default_rng(free_bytes)
    async with Log.open(CONFIG, directory=directory / "log", plant="p") as log:

        async def append(number: int) -> None:
            urgent = wide(number, np.r_[float(number), noise.random(ROWS - 1)])
            urgent.urgency = Urgency.NOW
            await log.append(urgent)
            acked.add(number)

        for number in range(1, 40):
            await append(number)
        filler = directory / "filler"
        waiting: asyncio.Task[None] | None = None
        for number in range(40, APPENDS):
            if number == 40 or is_greedy:
                _occupy(filler, directory, free_bytes)
            waiting = asyncio.create_task(append(number))
            while not waiting.done() and log.status()["state"] == "ok":  # noqa: ASYNC110 - the writer is a thread
                await asyncio.sleep(0.001)
            if log.status()["state"] != "ok":
                break
        was_held = log.status()["state"] != "ok"
        await asyncio.sleep(0.05)
        filler.unlink()
        began = time.monotonic()
        assert waiting is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 2 * RESUME_S)
            await asyncio.wait_for(append(APPENDS + 1), 2 * RESUME_S)
        resumed_s = time.monotonic() - began
        waiting.cancel()
        kept, dropped = await _read(log)
    return Level(len(acked), max(0, len(acked - kept) - dropped // ROWS), dropped // ROWS, was_held, resumed_s)


def _occupy(filler: Path, directory: Path, free_bytes: int) -> None:
    """Let a file grow until about so much is left."""
    stat = os.statvfs(directory)
    size = max(0, stat.f_bavail * stat.f_frsize - free_bytes)
    with filler.open("ab") as file, contextlib.suppress(OSError):
        file.write(bytes(size))


async def _read(log: Log) -> tuple[set[int], int]:
    """All values, and the points that gaps name."""
    cursor, kept, dropped = log.cursor("reader"), set[int](), 0
    while cursor.pending()[0]:
        for entry in await cursor.read(max_points=10_000, linger_s=0.0):
            if entry.batch.source == "store":
                dropped += sum(orjson.loads(str(point.value))["points"] for point in entry.batch.points())
            else:
                kept.add(int(entry.batch.value[0]))
            last = entry.seq
        await cursor.commit(last, b"")
    return kept, dropped


async def _levels(count: int) -> list[Level]:
    chance = random.Random(1)
    levels: list[Level] = []
    todo = [chance.choice((0, chance.randrange(4096), chance.randrange(400_000))) for _ in range(count)]

    async def work(folder: Path) -> None:
        while todo:
            place = folder / str(len(todo))
            place.mkdir()
            levels.append(await fill(place, todo.pop(), is_greedy=len(todo) % 2 == 0))
            for path in sorted(place.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            place.rmdir()

    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(tmpfs(kilobytes=KILOBYTES)) for _ in range(min(AT_ONCE, count))]
        await asyncio.gather(*map(work, folders))
    return levels


def soak(count: int | None) -> Finding:
    """Fill to 500 levels, or `count`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    levels = asyncio.run(_levels(count or 500))
    lost, slowest_s = sum(level.lost for level in levels), max(level.resumed_s for level in levels)
    facts = {
        "count": len(levels),
        "held": sum(level.was_held for level in levels),
        "acked": sum(level.acked for level in levels),
        "acked_lost": lost,
        "told_in_gaps": sum(level.dropped for level in levels),
        "slowest_resume_s": round(slowest_s, 2),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, not lost and slowest_s <= RESUME_S)
