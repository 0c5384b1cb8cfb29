"""Holes in the data, said aloud: when they begin, when they end, and why. Pure.

All times are the gateway's, except where a hole begins in an earlier life of the agent: there it is the newest durable
source timestamp, since nothing else survived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from collectors.points import Gap, Series

OVERFLOW_NS = 60_000_000_000  # an overflow that goes on is said once in this time


@dataclass(slots=True)
class Reading:
    """A hole, and how far the server's history of it was read; it outlives a connection that is cut."""

    hole: Gap
    since: dict[int, int]  # tag -> the newest source timestamp that is on disk, ns
    points: int = 0
    refusals: list[str] = field(default_factory=list)  # what could not be read and why, for people
    is_done: bool = False

    def told(self) -> Gap:
        """The hole with what is known of it up to now."""
        found = f"{self.points} points recovered from the server's history"
        if self.is_done and not self.points and not self.refusals:
            found = "the server's history holds nothing of it"
        known = [self.hole.detail, found, *self.refusals, "" if self.is_done else "its recovery goes on"]
        return replace(self.hole, detail="; ".join(filter(None, known)), recovered=self.points)


@dataclass(slots=True)
class Memory:
    """What a source knows from one connection to the next. 0 and "" where it does not know."""

    unread: list[Reading] = field(default_factory=list)  # holes that were said and are not yet read to their end
    durable_ns: int = 0  # gateway time at which the newest durable values came, or it was clear that none are missing
    started: str = ""  # when the server was started


@dataclass(slots=True)
class Holes:
    """The holes of one connection."""

    source: str
    memory: Memory
    _from_ns: int = 0
    _series: set[Series] = field(default_factory=set)

    def before(self, *, started: str, last_ns: int, now_ns: int) -> Gap:
        """The hole before a new subscription, where anything is durable or known of an earlier one.

        It ends now, where the items were created: from here on the server keeps the values for us.
        started: when the server says it was started.  last_ns: the newest durable source timestamp.
        """
        restarted = bool(self.memory.started) and self.memory.started != started
        self.memory.started = started
        if self.memory.durable_ns:
            return self._gap(self.memory.durable_ns, now_ns, "server_restarted" if restarted else "link_lost")
        return self._gap(last_ns, now_ns, "agent_down")

    def outlasted(self, series: tuple[Series, ...], now_ns: int) -> Gap:
        """The connection was away for longer than the server's queues can hold values of these."""
        detail = "the connection was away for longer than the server's queues of these tags last"
        return self._gap(self.memory.durable_ns, now_ns, "link_lost", series=series, detail=detail)

    def missing(self, messages: int, now_ns: int) -> Gap:
        """Some messages between two that came never arrived."""
        detail = f"{messages} messages of the server did not arrive"
        return self._gap(self.memory.durable_ns or now_ns, now_ns, "sequence_gap", detail=detail)

    def overflowed(self, series: Iterable[Series], now_ns: int) -> Gap | None:
        """Gather what the server's queues could not hold; one record when it ends, or once a minute."""
        found = set(series)
        if found:
            self._from_ns = self._from_ns or self.memory.durable_ns or now_ns
            self._series |= found
        if not self._series or (found and now_ns - self._from_ns < OVERFLOW_NS):
            return None
        detail = "the server's queue was too small; raise queue_size or sampling_ms of these tags"
        gap = self._gap(self._from_ns, now_ns, "queue_overflow", series=tuple(self._series), detail=detail)
        self._from_ns, self._series = 0, set()
        return gap

    def unheard(self, series: tuple[Series, ...], now_ns: int) -> Gap:
        """The server had more events for us than its queue can hold."""
        detail = (
            "the server's queue of events was too small; what stands is told again, what came and went is not known"
        )
        return self._gap(self.memory.durable_ns or now_ns, now_ns, "queue_overflow", series=series, detail=detail)

    def _gap(self, from_ns: int, to_ns: int, reason: str, *, series: tuple[Series, ...] = (), detail: str = "") -> Gap:
        return Gap(self.source, from_ns, to_ns, reason, series=series, detail=detail)
