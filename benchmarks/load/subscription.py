"""The load's side of a subscription: its queue, its publishing timer, and what of it was lost.

As on a real server, a subscription outlives the connection: it goes on keeping values while nobody is there, and goes
on sending when the client takes its session up again. What was sent and not acknowledged can be asked for again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, NamedTuple, Protocol

import numpy as np

from benchmarks.load.items import Wanted
from benchmarks.load.notifications import Block, clock_item, message, response
from benchmarks.load.rule import Kinds, Rule

_MOST_BLOCK = 50_000
_MOST_SENT = 100


class Connection(Protocol):
    """Where a subscription sends."""

    waiting: deque[tuple[int, int, int]]
    """Publish requests: handle, id, acknowledgements."""

    def send(self, body: bytes, request_id: int) -> None:
        """Write a response that is encoded already."""
        ...


class Sent(NamedTuple):
    """A message that is not acknowledged."""

    measured_ns: int
    values: int
    body: bytes


class Ledger:
    """What became of the values of all subscriptions."""

    def __init__(self) -> None:
        self.subscriptions: set[Subscription] = set()
        self.thrown_away = self.unheard = self.first_acknowledged_ns = 0
        self.acknowledged_ms: list[float] = []

    def sample(self, tick: int, nodes: int) -> None:
        """Every node has a new value; those that nobody who is connected wants are unheard, for now."""
        heard = sum(len(each.wanted) for each in self.subscriptions if each.connection)
        self.unheard += max(nodes - heard, 0)
        for each in list(self.subscriptions):
            each.sample(tick)

    def facts(self) -> dict[str, object]:
        """What was seen so far."""
        late = np.array(self.acknowledged_ms or [np.nan])
        kept = sum(len(each.pending) * len(each.wanted) for each in self.subscriptions if each.connection)
        return {
            "thrown_away": self.thrown_away,
            "unfetched": kept,
            "unheard": self.unheard,
            "cut_off": sum(each.at_stake for each in self.subscriptions),
            "first_acknowledged_ns": self.first_acknowledged_ns,
            "acknowledged_p50_ms": float(np.percentile(late, 50)),
            "acknowledged_p99_ms": float(np.percentile(late, 99)),
        }


class Subscription:
    """Items of one client."""

    _last_id = 0

    def __init__(self, ledger: Ledger, rule: Rule | None, connection: Connection, asked: Any, kinds: Kinds) -> None:
        Subscription._last_id += 1
        self.id = Subscription._last_id
        self.interval_s = max(asked.RequestedPublishingInterval, 10.0) / 1000
        self.most = min(asked.MaxNotificationsPerPublish or _MOST_BLOCK, _MOST_BLOCK)
        self.keep_alives = max(asked.RequestedMaxKeepAliveCount, 1)
        self.rule = rule
        self.wanted: list[Wanted] = []
        self.clock: tuple[Wanted, float] | None = None
        self.pending: deque[int] = deque()
        self.connection: Connection | None = connection
        self.at_stake = 0  # values that are lost where the client does not come back
        self._away = self._away_dropped = 0
        self._sequence = 0
        self._ledger, self._kinds = ledger, kinds
        self._blocks: list[Block] = []
        self._part = 0  # blocks of the oldest tick that are sent
        self._late = False
        self._quiet = 0
        self._sent: dict[int, Sent] = {}
        self._timer = asyncio.create_task(self._publish_for_ever())
        ledger.subscriptions.add(self)

    def close(self) -> None:
        """The client has deleted it."""
        self._timer.cancel()
        self._ledger.subscriptions.discard(self)
        self._ledger.thrown_away += len(self.pending) * len(self.wanted)

    def detach(self) -> None:
        """The connection is over; the client may come back for it."""
        self.connection = None
        self.at_stake = len(self.pending) * len(self.wanted) + sum(each.values for each in self._sent.values())

    def attach(self, connection: Connection) -> None:
        """The client has come back: what was kept meanwhile was heard after all."""
        self.connection = connection
        self._ledger.unheard -= self._away
        self._ledger.thrown_away += self._away_dropped
        self.at_stake = self._away = self._away_dropped = 0

    def add(self, wanted: list[Wanted]) -> None:
        """Monitor these nodes."""
        for each in wanted:
            if each.is_clock:
                self.clock = each, 0.0
            elif each.node is not None:
                self.wanted.append(each)
        self._blocks = []

    def sample(self, tick: int) -> None:
        """Every node has a new value; the oldest ones are thrown away where the queues are full."""
        if not self.wanted:
            return
        self.pending.append(tick)
        dropped = 0
        if len(self.pending) > self.wanted[0].queue:
            self.pending.popleft()
            dropped = sum(len(block.nodes) for block in self._ready_blocks()[self._part :])
            self._part = 0
        if self.connection:
            self._ledger.thrown_away += dropped
        else:
            self._away += len(self.wanted)
            self._away_dropped += dropped

    async def _publish_for_ever(self) -> None:
        due = time.monotonic()
        while True:
            due += self.interval_s
            await asyncio.sleep(due - time.monotonic())
            self._late = True
            self._quiet += 1
            self.publish()

    def publish(self) -> None:
        """Send what waits, as far as there are requests to answer."""
        if not self._late or self.connection is None or not self.connection.waiting:
            return
        requests, rule, now = self.connection.waiting, self.rule, time.time_ns()
        if self.clock and time.monotonic() >= self.clock[1]:
            wanted = self.clock[0]
            self.clock = wanted, time.monotonic() + wanted.sampling_ms / 1000
            self._send(clock_item(wanted.handle, now), 1, measured_ns=0, more=bool(self.pending))
        blocks = self._ready_blocks() if self.pending else []
        while self.pending and requests and rule is not None:
            tick = self.pending[0]
            t_ns, values = rule.start_ns + tick * rule.period_ns, rule.values(tick)
            while self._part < len(blocks) and requests:
                block = blocks[self._part]
                self._part += 1
                is_last = self._part == len(blocks) and len(self.pending) == 1
                items = block.items(values, t_ns, now)
                self._send(items, len(block.nodes), measured_ns=t_ns, more=not is_last)
            if self._part == len(blocks):
                self._part = 0
                self.pending.popleft()
        self._late = bool(self.pending)
        if self._quiet >= self.keep_alives and requests:
            self._send(b"", 0, measured_ns=0, more=False)

    def acknowledged(self, sequence: int) -> None:
        """The client has it."""
        sent = self._sent.pop(sequence, None)
        if sent is not None and sent.measured_ns:
            now_ns = time.time_ns()
            self._ledger.first_acknowledged_ns = self._ledger.first_acknowledged_ns or now_ns
            self._ledger.acknowledged_ms.append((now_ns - sent.measured_ns) / 1e6)

    def again(self, sequence: int) -> bytes | None:
        """The body of a message that is not acknowledged, None where it is not there any more."""
        sent = self._sent.get(sequence)
        return sent.body if sent else None

    def _send(self, items: bytes, count: int, *, measured_ns: int, more: bool) -> None:
        assert self.connection is not None
        self._quiet = 0
        now_ns = time.time_ns()
        sequence = self._sequence + 1
        body = message(sequence=sequence, count=count, items=items, now_ns=now_ns)
        if count:
            self._sequence = sequence
            self._sent[sequence] = Sent(measured_ns, count if measured_ns else 0, body)
            if len(self._sent) > _MOST_SENT:
                del self._sent[next(iter(self._sent))]
        handle, request_id, results = self.connection.waiting.popleft()
        whole = response(
            handle=handle, subscription=self.id, available=list(self._sent), more=more, body=body, results=results,
            now_ns=now_ns,
        )  # fmt: skip
        self.connection.send(whole, request_id)

    def _ready_blocks(self) -> list[Block]:
        if not self._blocks:
            for first in range(0, len(self.wanted), self.most):
                part = self.wanted[first : first + self.most]
                nodes = [each.node for each in part if each.node is not None]
                self._blocks.append(Block([each.handle for each in part], nodes, self._kinds))
        return self._blocks
