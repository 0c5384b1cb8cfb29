"""An OPC UA server that is never the bottleneck: asyncua's for everything but monitored items and what they send.

It has variables ns=2;s=n0, n1, …; a load begins when all of them are monitored, and follows `rule.Rule`.
    python -m benchmarks.load.opcua --nodes 10000 --period-ms 1000 --ticks 60 [--kinds mixed] [--pki FOLDER]
prints one JSON line each: {"url"}, then {"rule"} when the load begins, then {"emitted"} when it is over.
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

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.server import binary_server_asyncio
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

from benchmarks.load.items import created, read_items
from benchmarks.load.notifications import Block, republished, verify
from benchmarks.load.rule import Rule
from benchmarks.load.subscription import Ledger, Subscription

URI = "urn:raceway:benchmark"


def _request(name: str) -> ua.NodeId:
    return ua.NodeId(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))


_KINDS = {
    _request(name): name
    for name in ("CreateSubscription", "CreateMonitoredItems", "DeleteSubscriptions", "Publish", "Republish")
}
_ACTIVATE = _request("ActivateSession")


def say(**what: object) -> None:
    """One line for whoever started this."""
    print(json.dumps(what), flush=True)


class Load:
    """The values of all nodes, the same for every client, and who has subscribed to them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.ledger = Ledger()
        self.begun = asyncio.Event()
        self.of_session: dict[str, dict[int, Subscription]] = {}
        self.rule: Rule | None = None
        if options.start_ns:
            self._begin(options.start_ns)

    def _begin(self, start_ns: int) -> Rule:
        self.rule = Rule(self.options.nodes, int(self.options.period_ms * 1_000_000), start_ns, self.options.kinds)
        for each in self.ledger.subscriptions:
            each.rule = self.rule
        self.begun.set()
        return self.rule

    def monitored(self) -> None:
        """Called whenever items were created: the load begins when all are there."""
        items = sum(len(each.wanted) for each in self.ledger.subscriptions)
        if items >= self.options.nodes and self.rule is None:
            say(monitored_ns=time.time_ns())
            rule = self._begin((time.time_ns() + int(self.options.lead_s * 1e9)) // 10_000_000 * 10_000_000)
            say(rule={**asdict(rule), "ticks": self.options.ticks})

    async def run(self) -> None:
        """Emit all ticks, those excepted that were over before a server that was restarted, then say so."""
        await self.begun.wait()
        rule = self.rule
        assert rule is not None
        first = max(-((rule.start_ns - time.time_ns()) // rule.period_ns), 0) if self.options.start_ns else 0
        say(first_tick=first)
        for tick in range(first, self.options.ticks):
            await asyncio.sleep((rule.start_ns + tick * rule.period_ns - time.time_ns()) / 1e9)
            self.ledger.sample(tick, rule.nodes)
        await asyncio.sleep(rule.period_ns / 1e9)
        say(emitted=self.options.ticks * rule.nodes)


class LoadProcessor(UaProcessor):  # asyncua types none of it
    """asyncua's side of one connection, with subscriptions of our own."""

    load: Load

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waiting: deque[tuple[int, int, int]] = deque()  # Publish requests: handle, id, acknowledgements

    @property
    def _mine(self) -> dict[int, Subscription]:
        return self.load.of_session.setdefault(str(self.session.session_id), {}) if self.session else {}

    def send(self, body: bytes, request_id: int) -> None:
        """Write a response that is encoded already."""
        self._transport.write(self._connection.message_to_binary(body, request_id=request_id))

    async def close(self) -> None:
        """The connection is over; its session, and the subscriptions in it, are not."""
        for each in self._mine.values():
            if each.connection is self:
                each.detach()
        await super().close()  # type: ignore[no-untyped-call]

    def _should_close_session_on_transport_loss(self) -> bool:
        return not self._mine

    async def _process_message(self, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        kind = _KINDS.get(typeid)
        if self.session is None or kind is None:
            goes_on = await super()._process_message(typeid, requesthdr, seqhdr, body)  # type: ignore[no-untyped-call]
            if typeid == _ACTIVATE:
                for each in self._mine.values():
                    each.attach(self)
            return goes_on
        self.session_last_activity = time.monotonic()
        self.session.touch()
        handle = requesthdr.RequestHandle
        match kind:
            case "Publish":
                self._publish(struct_from_binary(ua.PublishParameters, body), handle, seqhdr.RequestId)
            case "CreateMonitoredItems":
                subscription, wanted = read_items(body.read(len(body)), self.load.options.nodes)
                self.send(created(wanted, handle), seqhdr.RequestId)
                self._mine[subscription].add(wanted)
                self.load.monitored()
            case "CreateSubscription":
                self._create(struct_from_binary(ua.CreateSubscriptionParameters, body), handle, seqhdr)
            case "Republish":
                self._republish(struct_from_binary(ua.RepublishParameters, body), handle, seqhdr.RequestId)
            case _:
                self._delete(struct_from_binary(ua.DeleteSubscriptionsParameters, body), handle, seqhdr)
        return True

    def _publish(self, asked: Any, handle: int, request_id: int) -> None:
        acknowledgements = asked.SubscriptionAcknowledgements or []
        for each in acknowledgements:
            if each.SubscriptionId in self._mine:
                self._mine[each.SubscriptionId].acknowledged(each.SequenceNumber)
        self.waiting.append((handle, request_id, len(acknowledgements)))
        for subscription in self._mine.values():
            subscription.publish()

    def _create(self, asked: Any, handle: int, seqhdr: Any) -> None:
        load = self.load
        subscription = Subscription(load.ledger, load.rule, self, asked, load.options.kinds)
        self._mine[subscription.id] = subscription
        answer = ua.CreateSubscriptionResponse()
        answer.Parameters.SubscriptionId = subscription.id
        answer.Parameters.RevisedPublishingInterval = subscription.interval_s * 1000
        answer.Parameters.RevisedLifetimeCount = asked.RequestedLifetimeCount
        answer.Parameters.RevisedMaxKeepAliveCount = asked.RequestedMaxKeepAliveCount
        self.send_response(handle, seqhdr, answer)  # type: ignore[no-untyped-call]

    def _republish(self, asked: Any, handle: int, request_id: int) -> None:
        subscription = self._mine.get(asked.SubscriptionId)
        if subscription is None:
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        body = subscription.again(asked.RetransmitSequenceNumber)
        if body is None:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        self.send(republished(handle=handle, body=body, now_ns=time.time_ns()), request_id)

    def _delete(self, asked: Any, handle: int, seqhdr: Any) -> None:
        answer = ua.DeleteSubscriptionsResponse()
        answer.Results = []
        for one in asked.SubscriptionIds:
            if subscription := self._mine.pop(one, None):
                subscription.close()
            code = ua.StatusCodes.Good if subscription else ua.StatusCodes.BadSubscriptionIdInvalid
            answer.Results.append(ua.StatusCode(ua.UInt32(code)))
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
            say(facts=load.ledger.facts())
        running.cancel()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--period-ms", type=float, required=True)
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--lead-s", type=float, default=0.0, help="how long after all items are there the load begins")
    parser.add_argument("--start-ns", type=int, default=0, help="go on with a load that began then: a server restarted")
    parser.add_argument("--kinds", choices=("doubles", "mixed"), default="doubles")
    parser.add_argument("--pki", type=Path, help="folder with server.der and server.pem: offers SignAndEncrypt, too")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
