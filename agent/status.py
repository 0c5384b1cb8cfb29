"""The board: what every part of the agent says of itself, in one place, for the page, the CLI, /metrics and systemd."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import structlog

from collectors.source import SourceStatus

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class SinkStatus:
    """What a sink says of itself; written by `drain` and the sink, read by everyone."""

    kind: str
    address: str = ""
    state: str = "starting"  # starting | delivering | blocked
    since_ns: int = field(default_factory=time.time_ns)
    reason: str = ""  # why it is blocked, for people
    blocked: str = ""  # the same in one word, for metrics
    points: int = 0  # delivered and committed
    requests: int = 0
    retries: int = 0
    bytes_sent: int = 0
    dead_letters: int = 0  # points that went to the dead-letter log
    pending_points: int = 0  # durable, not yet delivered
    oldest_pending_ns: int = 0  # gateway time of the oldest of them, 0 when there is none
    last_delivery_ns: int = 0

    def delivering(self) -> None:
        """Mark the edge to delivering and log it once."""
        if self.state != "delivering":
            logger.info("sink.delivering", sink_kind=self.kind, address=self.address)
            self.state, self.since_ns, self.reason, self.blocked = "delivering", time.time_ns(), "", ""

    def hold(self, reason: str, blocked: str) -> None:
        """Mark the edge to blocked and log it once; repeats only count."""
        self.retries += 1
        if self.state != "blocked":
            logger.warning("sink.blocked", sink_kind=self.kind, address=self.address, reason=reason, blocked=blocked)
            self.state, self.since_ns = "blocked", time.time_ns()
        self.reason, self.blocked = reason, blocked


@dataclass(slots=True)
class Board:
    """All statuses. Parts register themselves; nobody removes anything."""

    plant: str = ""
    started_ns: int = field(default_factory=time.time_ns)
    started_monotonic: float = field(default_factory=time.monotonic)
    sources: dict[str, SourceStatus] = field(default_factory=dict)
    sinks: dict[str, SinkStatus] = field(default_factory=dict)
    log: Callable[[], Mapping[str, object]] = dict
    loop_lag_s: float = 0.0  # how late the newest heartbeat was

    def snapshot(self) -> dict[str, object]:
        """Everything, ready for JSON."""
        return {
            "plant": self.plant,
            "started_ns": self.started_ns,
            "up_s": round(time.monotonic() - self.started_monotonic, 3),
            "loop_lag_s": round(self.loop_lag_s, 4),
            "log": dict(self.log()),
            "sources": {
                name: {**asdict(status), "silent_s": round(status.silent_s(time.monotonic()), 1)}
                for name, status in self.sources.items()
            },
            "sinks": {name: asdict(status) for name, status in self.sinks.items()},
        }
