"""What asyncua logs from warnings on, each kind once in a while: it repeats itself with every message and every try."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

QUIET_S = 600.0


class Seldom(logging.Handler):
    """Passes on the first record of each place in the code, then one in `QUIET_S` with the number of those left out.

    The place and not the text tells them apart: asyncua writes numbers and ids into its texts.
    """

    def __init__(self, target: logging.Logger, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._target = target
        self._clock = clock
        self._said: dict[tuple[str, int], tuple[float, int]] = {}  # place -> when, and how many were left out since

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, or count it."""
        place, now = (record.pathname, record.lineno), self._clock()
        since, left_out = self._said.get(place, (now - QUIET_S, 0))
        if now - since < QUIET_S:
            self._said[place] = (since, left_out + 1)
            return
        self._said[place] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} times before)", ()
        self._target.handle(record)


def tame(library: logging.Logger) -> None:
    """Let a library's warnings be heard, but not again and again."""
    library.setLevel(logging.WARNING)
    library.propagate = False
    library.addHandler(Seldom(logging.getLogger()))
