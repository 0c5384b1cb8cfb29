"""What every reader of the log is: a name, a state, and `write`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from collectors.points import Batch, DeadLetter


class Entry(NamedTuple):
    """One record of the log: its sequence number, strictly rising over both streams, and what it holds."""

    seq: int
    batch: Batch


class Retry(Exception):
    """Nothing is lost and nothing is delivered: the same entries come again after `after_s`, or after the back-off.

    `reason` is for people: what happened and what to check. `blocked` is one word for metrics (auth, bucket, tls, dns,
    refused, throttled, timeout, server).
    """

    def __init__(self, reason: str, *, after_s: float | None = None, blocked: str = "server") -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s
        self.blocked = blocked


class Sink(Protocol):
    """One reader of the log. `write` is called with entries in order and returns the state that belongs to them.

    The cursor commits position and state together, after `write` returned: a sink that is killed in between is
    restored to an earlier pair and sees the same entries again. Sinks with side effects must bear that.
    """

    name: str

    def restore(self, state: bytes) -> None:
        """Take back the state of the last commit; b"" at the very first start."""
        ...

    async def write(self, entries: Sequence[Entry]) -> bytes:
        """Take the entries; raises Retry when none of them may be committed."""
        ...


def buried(batch: Batch, *, origin: str, reason: str) -> DeadLetter:
    """A batch that `origin` cannot take, its columns as JSON: the others go on, people can look at it."""
    columns = {
        "series": [str(series) for series in batch.series],
        "which": batch.which.tolist(),
        "t_ns": batch.t_ns.tolist(),
        "value": batch.value.tolist(),
        "quality": batch.quality.tolist(),
        "texts": list(batch.texts),
    }
    payload = json.dumps(columns).encode()  # writes halves of characters as escapes, where orjson refuses
    return DeadLetter(origin, batch.received_ns, "", reason, payload, len(batch))
