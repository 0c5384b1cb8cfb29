"""The load's subscription: what was kept while the client was away was heard when it comes back, and lost when not."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace

from benchmarks.load.items import Wanted
from benchmarks.load.rule import Rule
from benchmarks.load.subscription import Ledger, Subscription

NODES, QUEUE = 4, 3
ASKED = SimpleNamespace(
    RequestedPublishingInterval=10_000.0, MaxNotificationsPerPublish=0, RequestedMaxKeepAliveCount=10
)


class Line:
    """A connection that has a Publish request waiting and remembers what was sent."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, int, int]] = deque([(1, 1, 0)])
        self.sent: list[bytes] = []

    def send(self, body: bytes, request_id: int) -> None:
        self.sent.append(body)


def subscribed(ledger: Ledger) -> Subscription:
    rule = Rule(NODES, 1_000_000_000, 1_000_000_000)
    found = Subscription(ledger, rule, Line(), ASKED, "doubles")
    found.add([Wanted(node, False, node, 1000.0, QUEUE) for node in range(NODES)])
    return found


def counts(ledger: Ledger) -> dict[str, object]:
    found = ledger.facts()
    return {name: found[name] for name in ("unheard", "thrown_away", "cut_off")}


def test_values_that_waited_for_a_client_that_came_back_are_heard() -> None:
    """Five ticks while it is away, three of them fit into the queues."""

    async def away() -> tuple[dict[str, object], dict[str, object]]:
        ledger = Ledger()
        subscription = subscribed(ledger)
        subscription.detach()
        for tick in range(5):
            ledger.sample(tick, NODES)
        gone = counts(ledger)
        subscription.attach(Line())
        return gone, counts(ledger)

    gone, back = asyncio.run(away())

    assert gone == {"unheard": 5 * NODES, "thrown_away": 0, "cut_off": 0}
    assert back == {"unheard": 0, "thrown_away": 2 * NODES, "cut_off": 0}


def test_what_was_sent_and_not_acknowledged_can_be_had_again_or_is_cut_off() -> None:
    """One message in flight when the connection ends."""

    async def cut() -> tuple[bytes | None, bytes | None, dict[str, object]]:
        ledger = Ledger()
        subscription = subscribed(ledger)
        ledger.sample(0, NODES)
        subscription._late = True
        subscription.publish()
        again = subscription.again(1)
        subscription.detach()
        return again, subscription.again(2), counts(ledger)

    again, unknown, found = asyncio.run(cut())

    assert again is not None
    assert unknown is None
    assert found == {"unheard": 0, "thrown_away": 0, "cut_off": NODES}
