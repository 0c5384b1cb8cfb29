"""A progress bar for what takes longer than two seconds, on a terminal only."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

import click

AFTER_S = 2.0


class Bar:
    """Use as a context manager; `show(done, total)` may be called as often as one likes."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._started = time.monotonic()
        self._shown: Any = None  # click's bar, once two seconds have passed
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown.__exit__(None, None, None)

    def show(self, done: int, total: int) -> None:
        """Say how far it is."""
        if self._shown is None and sys.stderr.isatty() and time.monotonic() - self._started >= AFTER_S:
            self._shown = click.progressbar(length=total, label=self._label, file=sys.stderr).__enter__()
            self._done = 0
        if self._shown is not None:
            self._shown.update(done - self._done)
            self._done = done
