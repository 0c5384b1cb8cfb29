"""Many independent tries over all processors, each named by a number, so that a failing one can be done again alone."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
AT_A_TIME = 1  # tries that a process is given: some take a hundred times as long as others


def spread(work: Callable[[int], Result], *, first: int = 0, tries: int | None = None) -> Iterator[Result]:
    """The results of `work(first)`, `work(first + 1)` and so on, in this order; without end unless `tries` says so.

    The processes are forked, so that nothing is imported again. What `work` raises is raised here.
    """
    processes = os.cpu_count() or 1
    step, end = 16 * processes * AT_A_TIME, None if tries is None else first + tries
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        while end is None or first < end:
            upto = first + step if end is None else min(end, first + step)
            yield from pool.map(work, range(first, upto), chunksize=AT_A_TIME)
            first = upto
