"""A gateway without a clock: what it stamped before its clock was set is corrected, once, for who has not had it yet.

A gateway that has no battery begins with a clock that is behind. Machines stamp their own values; what the gateway
stamps on receipt is wrong until the network or a person sets the clock. The step is seen at the next commit, as the
difference of the wall clock and the boot clock. It becomes a durable correction before anyone reads by it, and with it
stands what every reader had been handed by then: a number that was handed out with the old time keeps it for that
reader for ever, so that a resend is byte-identical.

A clock that says a year before this program existed is certainly wrong: until it is set, readers whose place is kept
get nothing, for what they wrote with such a time nobody would find again. Because they got nothing, such values are
corrected over restarts of the agent too, as long as the computer is not started again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import orjson
import structlog

from agent.sink import Entry
from agent.store.checked import read_checked, replace_checked
from agent.store.cursor import Interval
from agent.store.stream import Place
from collectors.points import Batch, Clock, Kind, Point, Series, Stream

logger = structlog.get_logger(__name__)

FILE = "clock.offsets"
KEPT = 100  # corrections; each is of one boot
LEAST_STEP_NS = 2_000_000_000
EARLIEST_NS = 1_672_531_200_000_000_000  # 2023-01-01: no clock that is set says less
ON_RECEIPT_NS = 60_000_000_000  # what is further from its batch's receipt was not stamped then


class Correction(NamedTuple):
    """Numbers first to last, received up to `upto_ns` by the old clock, were received `offset_ns` later in truth."""

    boot: str
    first: int
    last: int
    upto_ns: int
    offset_ns: int
    told: Mapping[str, Sequence[Interval]]  # (after, up to): what each reader has with the old times

    def applies(self, reader: str, seq: int) -> bool:
        """Whether the reader gets that number with the true time."""
        return self.first <= seq <= self.last and not any(a < seq <= b for a, b in self.told.get(reader, ()))

    def applied(self, batch: Batch) -> Batch:
        """The batch with true times where the gateway stamped it on receipt."""
        if batch.received_ns > self.upto_ns:
            return batch
        wrong = (batch.clock == Clock.GATEWAY) & (np.abs(batch.t_ns - batch.received_ns) < ON_RECEIPT_NS)
        t_ns = np.where(wrong, batch.t_ns + self.offset_ns, batch.t_ns)
        return replace(batch, received_ns=batch.received_ns + self.offset_ns, t_ns=t_ns)


class Unset(NamedTuple):
    """A clock that is certainly wrong: since which number of which boot, and how far it was from the boot clock."""

    boot: str
    first: int
    offset_ns: int


class Timekeeper:
    """Watches the wall clock. `check` belongs to the writer; `corrected` may be called from any thread.

    Who hands entries to a reader holds `lock` from `corrected` until `told` would say so.
    """

    def __init__(self, place: Place) -> None:
        self.lock = threading.Lock()
        self.corrections: tuple[Correction, ...] = ()
        self._place = place
        self._path = place.directory / FILE
        self._first = 1
        self._offset_ns = self._checked_ns = 0
        self._was_set = True
        self._unset: Unset | None = None

    def begin(self, next_seq: int) -> None:
        """At a start: what is in the log by now keeps the times that readers may have had before."""
        clocks = self._place.clocks
        kept = read_checked(self._place.files, self._path)
        rows, unset = kept if isinstance(kept, list) else ((), None)
        self.corrections = tuple(Correction(*row) for row in rows)
        self._first = next_seq
        self._checked_ns = clocks.boottime_ns()
        self._offset_ns = clocks.wall_ns() - self._checked_ns
        self._was_set = clocks.is_set()
        if unset is not None and unset[0] == clocks.boot_id.hex():
            self._unset = Unset(*unset)
            _, self._first, self._offset_ns = self._unset
            self._was_set = False
        elif self.is_wrong and not self._was_set:
            self._unset = Unset(clocks.boot_id.hex(), self._first, self._offset_ns)
            with contextlib.suppress(OSError):  # then a restart forgets it
                self._keep(self.corrections, unset=self._unset)

    @property
    def is_wrong(self) -> bool:
        """Whether the clock is certainly not set."""
        return self._place.clocks.wall_ns() < EARLIEST_NS

    def check(self, next_seq: int, told: Iterable[tuple[str, Sequence[Interval]]]) -> Correction | None:
        """The correction for a clock that was set since the last call, durable now; None almost always. Raises OSError.

        told: for each reader what it has been handed; looked at only where there is something to correct.
        """
        clocks = self._place.clocks
        now_ns = clocks.boottime_ns()
        offset_ns = clocks.wall_ns() - now_ns
        step_ns = offset_ns - self._offset_ns
        found = None
        if step_ns >= LEAST_STEP_NS and not self._was_set and next_seq > self._first:
            upto_ns = min(self._offset_ns + now_ns, offset_ns + self._checked_ns)
            with self.lock:
                boot = clocks.boot_id.hex()
                found = Correction(boot, self._first, next_seq - 1, upto_ns, step_ns, dict(told))
                self._keep((*self.corrections, found)[-KEPT:], unset=None)
            logger.warning("clock.set", forward_s=round(step_ns / 1e9, 3), numbers=(found.first, found.last))
            self._first = next_seq
        elif self._unset is not None and (clocks.is_set() or not self.is_wrong):
            self._keep(self.corrections, unset=None)
        self._offset_ns, self._checked_ns = offset_ns, now_ns
        self._was_set |= clocks.is_set()
        return found

    def _keep(self, corrections: tuple[Correction, ...], *, unset: Unset | None) -> None:
        """Make durable what is known. Raises OSError."""
        replace_checked(self._place.files, self._path, (list(map(tuple, corrections)), unset and tuple(unset)))
        self.corrections, self._unset = corrections, unset

    def corrected(self, reader: str, entries: list[Entry]) -> list[Entry]:
        """The entries as this reader gets them, now and whenever it reads them again."""
        for each in self.corrections:
            if entries and entries[0].seq <= each.last and entries[-1].seq >= each.first:
                entries = [
                    Entry(seq, each.applied(batch)) if each.applies(reader, seq) else Entry(seq, batch)
                    for seq, batch in entries
                ]
        return entries


def clock_batch(correction: Correction, plant: str, now_ns: int) -> Batch:
    """The correction as the event that readers see: one text point in the records stream.

    `late` names the readers that had some of the values already, with the old times.
    """
    said = {
        "forward_s": round(correction.offset_ns / 1e9, 3),
        "upto_ns": correction.upto_ns,
        "numbers": [correction.first, correction.last],
        "late": [name for name, told in correction.told.items() if any(b >= correction.first for _, b in told)],
    }
    point = Point(Series(plant, "", "", "store", "clock", kind=Kind.EVENT), now_ns, orjson.dumps(said).decode())
    return Batch.of("store", [point], received_ns=now_ns, stream=Stream.RECORDS)
