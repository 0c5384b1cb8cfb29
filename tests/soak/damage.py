"""`damage`: 10,000 flipped bits and 1,000 blocks of garbage, one at a time, in every kind of file of a store.

The store must start each time, lose the one batch that is hit at most (two where a block of 4 KiB is), tell a gap for
what is lost, and take new data. `--count` counts flips; a tenth of them on top are blocks.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np
import structlog

from agent.sink import Entry
from agent.store.dead_letters import read_letters
from collectors.points import DeadLetter, Stream
from tests.agent.store.journals import DIRECTORY, batch, confirm, gaps, read, start, wide, write
from tests.model.simfs import SimFiles
from tests.model.spread import spread
from tests.soak.finding import Finding

BLOCK_BYTES = 4096
ROWS = 600
BATCHES = 16
LETTERS = BATCHES // 4
DISKS = 5
Truth = dict[float, int]  # value to the batch that it came in


class Blow(NamedTuple):
    """What one damage did."""

    kind: str  # of file
    batches_lost: int
    letters_lost: int
    fault: str  # why it is not as promised; empty if it is


@cache
def store(seed: int) -> tuple[SimFiles, Truth]:
    """A disk with every kind of file: sealed and growing segments of all three streams, places, names.

    A record is larger than a block, as those of a plant with some hundred signals are.
    """
    files, truth = SimFiles(), Truth()
    journal = start(files, segment_kb=20)
    noise = np.random.default_rng(seed)
    for number in range(1, BATCHES + 1):
        if number % 4 == 0:
            journal.stage([DeadLetter("mqtt", number, "topic", "bad", noise.bytes(BLOCK_BYTES + 200))])
        row = noise.random(ROWS)
        stream = Stream.RECORDS if number % 3 == 0 else Stream.TELEMETRY
        write(journal, wide(number, row, stream=stream))
        truth |= dict.fromkeys(row.tolist(), number)
        if number in (5, 8):
            confirm(journal, "reader", number // 2)
    files.kill()  # the last segments are growing
    return files, truth


def strike(files: SimFiles, truth: Truth, chance: random.Random, *, length: int) -> Blow:
    """Damage one file of a copy, start, read, append."""
    disk = files.copy()
    path = chance.choice([path for path in disk.paths() if path.name != "LOCK"])
    content = disk.content(path)
    written = max(1, len(content.rstrip(b"\0")))
    at = chance.randrange(written)
    if length:
        damage = chance.randbytes(length)
        at -= at % length
    else:
        damage = bytes([content[at] ^ 1 << chance.randrange(8)]) if content else b"\1"
    disk.overwrite(path, at, damage)
    kind = path.parent.name if path.parent != DIRECTORY else path.name
    try:
        journal = start(disk)
        kept = _numbers(read(journal))  # what readers meet is told by the next commit
        write(journal, batch(10**9, 7.0))
        told = gaps(read(journal, after=BATCHES))
        kept |= _numbers(read(journal, after=BATCHES))
    except Exception as error:
        return Blow(kind, 0, 0, f"{path.name}@{at}: {error!r}")
    missing = truth.keys() - kept
    letters = LETTERS - sum(1 for _ in read_letters(DIRECTORY, files=disk))
    batches = len({truth[value] for value in missing})
    is_told = any(points is None for _, points in told) or sum(points or 0 for _, points in told) >= len(missing)
    fault = ""
    if batches + max(0, letters) > (2 if length else 1):
        fault = f"{path.name}@{at}: {batches} batches and {letters} letters lost"
    elif missing and not is_told:
        fault = f"{path.name}@{at}: {len(missing)} values lost, gaps say {told}"
    elif kept - truth.keys() != {7.0}:
        fault = f"{path.name}@{at}: values that nobody wrote, or the new one is missing"
    return Blow(kind, batches, max(0, letters), fault)


def _numbers(entries: list[Entry]) -> set[float]:
    return {value for entry in entries if entry.batch.source == "s" for value in entry.batch.value.tolist()}


def flip(number: int) -> Blow:
    """Turn one bit over."""
    return strike(*store(number % DISKS), random.Random(number), length=0)


def garble(number: int) -> Blow:
    """Overwrite one block."""
    return strike(*store(number % DISKS), random.Random(number), length=BLOCK_BYTES)


def soak(count: int | None) -> Finding:
    """Flip and overwrite."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    flips = count or 10_000
    blocks, began = max(1, flips // 10), time.monotonic()
    blows = [*spread(flip, tries=flips), *spread(garble, tries=blocks)]
    faults = [blow.fault for blow in blows if blow.fault]
    facts = {
        "count": len(blows),
        "flips": flips,
        "blocks": blocks,
        "batches_lost": sum(blow.batches_lost for blow in blows),
        "letters_lost": sum(blow.letters_lost for blow in blows),
        "violations": len(faults),
        "first": faults[:5],
        "files": dict(Counter(blow.kind for blow in blows)),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, not faults)
