"""What every collector is: a name, a status to look at, and one connection's life."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import structlog

from collectors.points import Batch, Delivery, Series

logger = structlog.get_logger(__name__)

Deliver = Callable[[Delivery], Coroutine[Any, Any, None]]
"""Returns when what was handed over is on disk. Never returns, and never raises, for data that is not: it waits."""

LastTime = Callable[[Series], int]
"""The timestamp of a series' newest durable value, ns since 1970 UTC; 0 where there is none. Survives a restart."""

Recall = Callable[[], Iterable[Batch]]
"""The durable alarms, states and gaps, oldest first. It reads files, for a thread; it may raise OSError."""


def heartbeat_series(plant: str) -> Series:
    """The agent's own tick, once a second; its newest durable value says until when an earlier agent lived."""
    return Series(plant, "", "", "raceway", "up", "s")


UNKNOWN_RHYTHM_S = 300.0  # so long may a source say nothing whose rhythm is not known yet
SHORTEST_SILENCE_S = 60.0
DAY_S = 86_400
RHYTHMLESS = ("heartbeat", "ledger")  # watched otherwise; people write when they write
USUALS = 3  # so many of its longest usual intervals without a value are silence


class SourceLost(Exception):
    """The connection's life is over; the supervisor starts another one after a while.

    `reason` is for people: what happened and what to check. `hold_s` asks for a longer pause than the usual back-off,
    for faults that trying again makes worse (a wrong password locks accounts).
    """

    def __init__(self, reason: str, *, hold_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hold_s = hold_s


@dataclass(slots=True)
class SourceStatus:
    """What a source says of itself: plain fields, written by the source, read by the board, the page and /metrics."""

    kind: str
    address: str = ""
    state: str = "connecting"  # connecting | connected | lost
    since_ns: int = field(default_factory=time.time_ns)
    reason: str = ""  # why it is not connected, for people
    attempts: int = 0
    points: int = 0  # handed over and durable
    messages: int = 0  # notifications or MQTT messages
    dead_letters: int = 0
    gaps: int = 0
    faults: int = 0  # lives that ended by a fault nobody foresaw
    last_data_ns: int = 0  # gateway time of the newest value
    last_data_monotonic: float = 0.0
    since_monotonic: float = field(default_factory=time.monotonic)  # of the newest edge
    usual_s: float = 0.0  # the longest usual interval between deliveries, learnt; 0 before the second one
    troubles: dict[str, str] = field(default_factory=dict)  # tag or topic -> what is wrong with it, for people

    def connected(self, **facts: object) -> None:
        """Mark the edge to connected and log it once."""
        if self.state != "connected":
            logger.info("source.connected", source_kind=self.kind, address=self.address, **facts)
            self.state, self.since_ns, self.reason, self.attempts = "connected", time.time_ns(), "", 0
            self.since_monotonic = time.monotonic()

    def lost(self, reason: str) -> None:
        """Mark the edge to lost and log it once; repeats only count."""
        self.attempts += 1
        if self.state != "lost":
            logger.warning("source.lost", source_kind=self.kind, address=self.address, reason=reason)
            self.state, self.since_ns = "lost", time.time_ns()
        self.reason = reason

    def received(self, points: int) -> None:
        """Count what has become durable, and learn the rhythm from intervals within one connection."""
        now = time.monotonic()
        if self.last_data_monotonic > self.since_monotonic:
            self.usual_s = learnt_s(self.usual_s, now - self.last_data_monotonic)
        self.points += points
        self.last_data_ns = time.time_ns()
        self.last_data_monotonic = now

    def silent_s(self, now: float) -> float:
        """Seconds without a value while connected, if that is against the source's own rhythm, else 0.

        now: seconds of the monotonic clock. The agent's own heartbeat is watched by the watchdog and never silent,
        a ledger has no rhythm.
        """
        quiet_s = now - max(self.last_data_monotonic, self.since_monotonic)
        is_due = quiet_s > (max(SHORTEST_SILENCE_S, USUALS * self.usual_s) if self.usual_s else UNKNOWN_RHYTHM_S)
        return quiet_s if self.state == "connected" and self.kind not in RHYTHMLESS and is_due else 0.0


def learnt_s(usual_s: float, interval_s: float) -> float:
    """The longest usual interval after one more, in seconds.

    A longer one is learnt at once up to ten minutes, beyond that by doubling, so that one standstill does not make a
    source of seconds one of hours. It is forgotten by half a day by day.
    """
    kept: float = usual_s * 0.5 ** (interval_s / DAY_S)
    return max(min(interval_s, 2 * max(usual_s, UNKNOWN_RHYTHM_S)), kept)


class Source(Protocol):
    """One configured connection to the outside world.

    `run` lives for one connection and ends only by `SourceLost` or by being cancelled. It hands over batches with
    `deliver` and acknowledges to its server only after `deliver` returned. It never sleeps to retry: the supervisor
    does.
    """

    name: str
    status: SourceStatus

    async def run(self, deliver: Deliver) -> NoReturn:
        """Connect, hand over batches until the connection is lost."""
        ...
