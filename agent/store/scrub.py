"""Reading everything once a week, slowly: damage is found, and told, while its copies in the databases still exist.

Read-only, so that it wears nothing. Flash that is never read loses its charge unnoticed.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import threading
from collections.abc import Callable
from typing import NamedTuple

import structlog

from agent.store.checked import read_checked, replace_checked
from agent.store.journal import Journal
from agent.store.record import Damage
from agent.store.segment import Segment, frames

logger = structlog.get_logger(__name__)

FILE = "scrub.last"
EVERY_NS = 7 * 24 * 3_600_000_000_000
LOOK_S = 600.0  # how often it is looked whether a week has passed
BYTES_PER_S = 4 << 20
_IDLE_CLASS = 3 << 13  # ioprio_set(2): only when nobody else wants the disk
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "armv7l": 314}

Pause = Callable[[float], bool]
"""Wait so many seconds; whether to stop."""


class Found(NamedTuple):
    """What one round saw."""

    segments: int
    bytes_read: int
    damages: int


class Scrub:
    """A thread that reads closed segments. Damage goes to the writer, which tells it as it tells what readers meet."""

    def __init__(self, journal: Journal) -> None:
        self.last_ns = 0  # when the last round ended, by the wall clock
        self.found = Found(0, 0, 0)
        self._journal = journal
        self._path = journal.directory / FILE
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-scrub", daemon=True)

    def start(self) -> None:
        """Once the journal is open."""
        last = read_checked(self._journal.files, self._path)
        self.last_ns = last if isinstance(last, int) else 0
        self._thread.start()

    def stop(self) -> None:
        """End in the middle of whatever it reads; it begins anew after the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        _yield_the_disk()
        while not self._stop.wait(LOOK_S):
            if not 0 <= self._journal.clocks.wall_ns() - self.last_ns < EVERY_NS:
                self.round(self._stop.wait)

    def round(self, pause: Pause) -> None:
        """Read every closed segment once; not counted as done if it is stopped."""
        journal, read = self._journal, [0, 0, 0]
        for name, stream in journal.streams.items():
            for segment in stream.closed:
                read[0] += 1
                read[1] += segment.end
                for damage in _damages(journal, segment, pause):
                    read[2] += 1
                    self._tell(name, segment, damage)
                if pause(0.0):
                    return
        self.found, self.last_ns = Found(*read), journal.clocks.wall_ns()
        with contextlib.suppress(OSError):  # then it comes again sooner
            replace_checked(journal.files, self._path, self.last_ns)
        logger.info("log.scrubbed", **self.found._asdict())

    def _tell(self, name: str, segment: Segment, damage: Damage) -> None:
        """As readers tell it; where every reader has had the points, nothing is lost, and it is only said."""
        header = damage.header
        first, last = (header.seq, header.next_seq - 1) if header else (segment.base_seq, segment.last_seq)
        if self._journal.is_needed(name, first, last):
            self._journal.found_damage.append((name, segment, damage))
        else:
            logger.error("copy.damaged", segment=segment.path.name, offset=damage.offset, why=damage.why)


def _damages(journal: Journal, segment: Segment, pause: Pause) -> list[Damage]:
    """Those of one segment; none if it was dropped meanwhile, or cannot be opened now."""
    found, due = [], 0
    with contextlib.suppress(OSError):
        for item in frames(journal.files, segment):
            if isinstance(item, Damage):
                found.append(item)
            if item.offset - due >= BYTES_PER_S // 4:
                if pause((item.offset - due) / BYTES_PER_S):
                    break
                due = item.offset
    return [] if segment.is_gone else found


def _yield_the_disk() -> None:
    """Let everybody else read and write first, where this computer can do that."""
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).syscall(number, 1, 0, _IDLE_CLASS)  # of this thread
