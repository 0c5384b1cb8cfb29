"""A library's warnings: heard once, then counted."""

from __future__ import annotations

import logging

from collectors.opcua import connection
from collectors.opcua.chatter import QUIET_S, Seldom


class Kept(logging.Handler):
    """Keeps the texts."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.texts.append(record.getMessage())


def warn(logger: logging.Logger, number: int) -> None:
    """Always from the same place, never with the same text."""
    logger.warning("request %s failed", number)


def test_a_warning_is_heard_once_and_counted() -> None:
    """A flood of a thousand is two lines in ten minutes; another place in the code is heard at once."""
    now = [0.0]
    kept = Kept()
    root, library = logging.Logger("root"), logging.Logger("library")
    root.addHandler(kept)
    library.addHandler(Seldom(root, clock=lambda: now[0]))
    for number in range(1000):
        warn(library, number)
    library.warning("something else")
    now[0] = QUIET_S
    warn(library, 1000)

    assert kept.texts == ["request 0 failed", "something else", "request 1000 failed (and 999 times before)"]


def test_asyncua_is_heard_from_warnings_on() -> None:
    """Importing the connection tames the library: its children inherit the level and reach the journal through this."""
    library = logging.getLogger("asyncua")

    assert connection.__name__ == "collectors.opcua.connection"
    assert logging.getLogger("asyncua.client.ua_client").getEffectiveLevel() == logging.WARNING
    assert [type(one) for one in library.handlers].count(Seldom) == 1
    assert not library.propagate
