"""An OPC UA server that is never the bottleneck: asyncua's for everything but monitored items and what they send.

It has variables ns=2;s=n0, n1, …; a load begins when all of them are monitored, and follows `rule.Rule`.
    python -m benchmarks.load.opcua --nodes 10000 --period-ms 1000 --ticks 60 [--kinds mixed] [--pki FOLDER]
prints one JSON line each: {"url"}, then {"rule"} when the load begins, then {"done"} with what it saw when it is over.
Values that a client does not fetch are kept in its queues, as long as it asked for, and then thrown away and counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import Server, ua
from asyncua.server import binary_server_asyncio
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

from benchmarks.load.items import Wanted, created, read_items
from benchmarks.load.notifications import Block, clock_item, response, verify
from benchmarks.load.rule import Rule

URI = "urn:raceway:benchmark"
_TYPES = {
    name: ua.NodeId(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))
    for name in ("CreateSubscription", "CreateMonitoredItems", "DeleteSubscriptions", "Publish")
}
_MOST_BLOCK = 50_000


def say(**what: object) -> None:
    """One line for whoever started this."""
    print(json.dumps(what), flush=True)


class Load:
    """The values of all nodes, the same for every client."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rule: Rule | None = None
        self.begun = asyncio.Event()
        self.subscriptions: set[Subscription] = set()
        self.thrown_away = self.unheard = self.cut_off = self.first_acknowledged_ns = 0
        self.acknowledged_ms: list[float] = []

    def monitored(self) -> None:
        """Called whenever items were created."""
        items = sum(len(each.wanted) for each in self.subscriptions)
        if items >= self.options.nodes and self.rule is None:
            period_ns = int(self.options.period_ms * 1_000_000)
            start_ns = (time.time_ns() + int(self.options.lead_s * 1e9)) // 10_000_000 * 10_000_000
            self.rule = Rule(self.options.nodes, period_ns, start_ns, self.options.kinds)
            say(monitored_ns=time.time_ns())
            say(rule={**asdict(self.rule), "ticks": self.options.ticks})
            self.begun.set()

    async def run(self) -> None:
        """Emit all ticks, then say what was seen."""
        await self.begun.wait()
        rule = self.rule
        assert rule is not None
        for tick in range(self.options.ticks):
            await asyncio.sleep((rule.start_ns + tick * rule.period_ns - time.time_ns()) / 1e9)
            self.unheard += max(rule.nodes - sum(len(each.wanted) for each in self.subscriptions), 0)
            for each in list(self.subscriptions):
                each.sample(tick)
        await asyncio.sleep(rule.period_ns / 1e9)
        say(emitted=self.options.ticks * rule.nodes)

    def facts(self) -> dict[str, object]:
        """What was seen so far."""
        late = np.array(self.acknowledged_ms or [np.nan])
        kept = sum(len(each.pending) * len(each.wanted) for each in self.subscriptions)
        return {
            "thrown_away": self.thrown_away,
            "unfetched": kept,
            "unheard": self.unheard,
            "cut_off": self.cut_off,
            "first_acknowledged_ns": self.first_acknowledged_ns,
            "acknowledged_p50_ms": float(np.percentile(late, 50)),
            "acknowledged_p99_ms": float(np.percentile(late, 99)),
        }


class Subscription:
    """Items of one client, their queue, and its publishing timer."""

    _last_id = 0

    def __init__(self, load: Load, processor: LoadProcessor, asked: Any) -> None:
        Subscription._last_id += 1
        self.id = Subscription._last_id
        self.interval_s = max(asked.RequestedPublishingInterval, 10.0) / 1000
        self.most = min(asked.MaxNotificationsPerPublish or _MOST_BLOCK, _MOST_BLOCK)
        self.keep_alives = max(asked.RequestedMaxKeepAliveCount, 1)
        self.wanted: list[Wanted] = []
        self.clock: tuple[Wanted, float] | None = None
        self.pending: deque[int] = deque()
        self.sequence = 0
        self._load, self._processor = load, processor
        self._blocks: list[Block] = []
        self._part = 0  # blocks of the oldest tick that are sent
        self._late = self._quiet = 0
        self._sent: dict[int, tuple[int, int]] = {}  # sequence number -> when its values were measured, how many
        self._timer = asyncio.create_task(self._publish_for_ever())
        load.subscriptions.add(self)

    def close(self) -> None:
        """The client has gone."""
        self._timer.cancel()
        self._load.subscriptions.discard(self)
        self._load.thrown_away += len(self.pending) * len(self.wanted)
        self._load.cut_off += sum(count for _, count in self._sent.values())

    def add(self, wanted: list[Wanted]) -> None:
        """Monitor these nodes."""
        for each in wanted:
            if each.is_clock:
                self.clock = each, 0.0
            elif each.node is not None:
                self.wanted.append(each)
        self._blocks = []
        self._load.monitored()

    def sample(self, tick: int) -> None:
        """Every node has a new value; the oldest ones are thrown away where the queues are full."""
        if not self.wanted:
            return
        self.pending.append(tick)
        if len(self.pending) > self.wanted[0].queue:
            self.pending.popleft()
            blocks = self._ready_blocks()
            self._load.thrown_away += sum(len(block.nodes) for block in blocks[self._part :])
            self._part = 0

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
        requests = self._processor.waiting
        rule, now = self._load.rule, time.time_ns()
        if not self._late or not requests:
            return
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
        measured_ns, _ = self._sent.pop(sequence, (0, 0))
        if measured_ns:
            self._load.first_acknowledged_ns = self._load.first_acknowledged_ns or time.time_ns()
            self._load.acknowledged_ms.append((time.time_ns() - measured_ns) / 1e6)

    def _send(self, items: bytes, count: int, *, measured_ns: int, more: bool) -> None:
        self._quiet = 0
        if count:
            self.sequence += 1
            self._sent[self.sequence] = measured_ns, count if measured_ns else 0
        sequence = self.sequence if count else self.sequence + 1
        handle, request_id, results = self._processor.waiting.popleft()
        body = response(
            handle=handle, subscription=self.id, sequence=sequence, count=count, items=items, more=more,
            results=results, now_ns=time.time_ns(),
        )  # fmt: skip
        self._processor.send(body, request_id)

    def _ready_blocks(self) -> list[Block]:
        if not self._blocks:
            for first in range(0, len(self.wanted), self.most):
                part = self.wanted[first : first + self.most]
                nodes = [each.node for each in part if each.node is not None]
                self._blocks.append(Block([each.handle for each in part], nodes, self._load.options.kinds))
        return self._blocks


class LoadProcessor(UaProcessor):  # asyncua types none of it
    """asyncua's side of one connection, with subscriptions of our own."""

    load: Load

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waiting: deque[tuple[int, int, int]] = deque()  # Publish requests: handle, id, acknowledgements
        self._mine: dict[int, Subscription] = {}

    def send(self, body: bytes, request_id: int) -> None:
        """Write a response that is encoded already."""
        self._transport.write(self._connection.message_to_binary(body, request_id=request_id))

    async def close(self) -> None:
        """The connection is over, and its subscriptions with it."""
        for each in self._mine.values():
            each.close()
        self._mine.clear()
        await super().close()  # type: ignore[no-untyped-call]

    async def _process_message(self, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        if self.session is None or typeid not in _TYPES.values():
            return await super()._process_message(typeid, requesthdr, seqhdr, body)  # type: ignore[no-untyped-call]
        self.session_last_activity = time.monotonic()
        self.session.touch()
        handle, request_id = requesthdr.RequestHandle, seqhdr.RequestId
        if typeid == _TYPES["Publish"]:
            acknowledgements = struct_from_binary(ua.PublishParameters, body).SubscriptionAcknowledgements or []
            for each in acknowledgements:
                if each.SubscriptionId in self._mine:
                    self._mine[each.SubscriptionId].acknowledged(each.SequenceNumber)
            self.waiting.append((handle, request_id, len(acknowledgements)))
            for subscription in self._mine.values():
                subscription.publish()
        elif typeid == _TYPES["CreateMonitoredItems"]:
            subscription_id, wanted = read_items(body.read(len(body)), self.load.options.nodes)
            self.send(created(wanted, handle), request_id)
            self._mine[subscription_id].add(wanted)
        elif typeid == _TYPES["CreateSubscription"]:
            self._create(struct_from_binary(ua.CreateSubscriptionParameters, body), handle, seqhdr)
        else:
            for each in list(self._mine.values()):
                each.close()
            answer = ua.DeleteSubscriptionsResponse()
            answer.Results = [ua.StatusCode() for _ in self._mine]
            self._mine.clear()
            self.send_response(handle, seqhdr, answer)  # type: ignore[no-untyped-call]
        return True

    def _create(self, asked: Any, handle: int, seqhdr: Any) -> None:
        subscription = Subscription(self.load, self, asked)
        self._mine[subscription.id] = subscription
        answer = ua.CreateSubscriptionResponse()
        answer.Parameters.SubscriptionId = subscription.id
        answer.Parameters.RevisedPublishingInterval = subscription.interval_s * 1000
        answer.Parameters.RevisedLifetimeCount = asked.RequestedLifetimeCount
        answer.Parameters.RevisedMaxKeepAliveCount = asked.RequestedMaxKeepAliveCount
        self.send_response(handle, seqhdr, answer)  # type: ignore[no-untyped-call]


async def serve(options: argparse.Namespace) -> None:
    """Serve until standard input ends; a line on it asks for the facts."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    load = LoadProcessor.load = Load(options)
    sample = Rule(min(options.nodes, 40), 1, 0, options.kinds)
    verify(Block(list(range(sample.nodes)), list(range(sample.nodes)), options.kinds), sample.values(3))
    setattr(binary_server_asyncio, "UaProcessor", LoadProcessor)  # noqa: B010 - asyncua has no other place for it
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}/bench/")
    policies = [ua.SecurityPolicyType.NoSecurity]
    if options.pki:
        await server.set_application_uri("urn:raceway:benchmark:server")
        await server.load_certificate(str(options.pki / "server.der"))
        await server.load_private_key(str(options.pki / "server.pem"))
        policies.append(ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt)
    server.set_security_policy(policies)
    await server.register_namespace(URI)
    async with server:
        running = asyncio.create_task(load.run())
        say(url=f"opc.tcp://127.0.0.1:{options.port}/bench/")
        while await asyncio.to_thread(sys.stdin.readline):
            say(facts=load.facts())
        running.cancel()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--period-ms", type=float, required=True)
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--lead-s", type=float, default=0.0, help="how long after all items are there the load begins")
    parser.add_argument("--kinds", choices=("doubles", "mixed"), default="doubles")
    parser.add_argument("--pki", type=Path, help="folder with server.der and server.pem: offers SignAndEncrypt, too")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
