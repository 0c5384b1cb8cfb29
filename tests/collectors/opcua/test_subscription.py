"""The publish loop against a protocol that keeps what it is asked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary

from collectors.opcua.subscription import REQUESTS, WINDOW, Subscription
from collectors.opcua.wire import Response
from collectors.source import SourceLost
from tests.collectors.opcua.messages import encoded, scalar
from tests.collectors.opcua.rig import configured, tag

ID = 7


class FakeServer:
    """Keeps the Publish requests; answers them when told to."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[bytes]] = []
        self.acknowledged: list[int] = []
        self.uaclient = SimpleNamespace(protocol=self, session=self)

    async def create_subscription(self, params: ua.CreateSubscriptionParameters, callback: Any) -> Any:
        return SimpleNamespace(SubscriptionId=ID, RevisedPublishingInterval=200.0, RevisedMaxKeepAliveCount=5)

    def _send_request(self, request: ua.PublishRequest, timeout: float) -> asyncio.Future[bytes]:
        self.acknowledged += [one.SequenceNumber for one in request.Parameters.SubscriptionAcknowledgements]
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    async def answer(self, body: bytes) -> None:
        """Answer the oldest request."""
        self.waiting.pop(0).set_result(body)
        await asyncio.sleep(0)


class Rig:
    """A subscription on the fake server, and what it said."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.heard: list[int] = []
        self.lost: list[Exception] = []
        self.fails = False
        config = configured("opc.tcp://h:4840", [tag("a")])
        client: Any = self.server
        self.subscription = Subscription(client, config, heard=self._hear, lost=self.lost.append)

    def _hear(self, response: Response, body: bytes) -> None:
        if self.fails:
            raise KeyError("a fault nobody foresaw")
        self.heard.append(response.sequence)


@pytest.fixture
async def rig() -> Rig:
    """A subscription that has just been created."""
    made = Rig()
    await made.subscription.create()
    return made


def data(sequence: int) -> bytes:
    """A message with one value."""
    return encoded([(0, scalar("Double", 1.0))], sequence=sequence, subscription=ID)


def fault(code: int) -> bytes:
    """What a server says instead of a message."""
    answer = ua.ServiceFault()
    answer.ResponseHeader.ServiceResult = ua.StatusCode(code)
    return bytes(struct_to_binary(answer))


async def test_several_requests_are_under_way_and_each_answer_is_replaced(rig: Rig) -> None:
    """The server never has to wait for us."""
    assert len(rig.server.waiting) == REQUESTS
    await rig.server.answer(data(1))

    assert (len(rig.server.waiting), rig.heard) == (REQUESTS, [1])


async def test_the_revised_parameters_count(rig: Rig) -> None:
    """200 ms and five of them: a keep-alive each second, whatever was asked."""
    assert rig.subscription.granted == (ID, 200.0, 1.0)


async def test_only_what_is_delivered_is_acknowledged(rig: Rig) -> None:
    """With the next request after it became durable, not before, whichever became durable first."""
    await rig.server.answer(data(1))
    await rig.server.answer(data(2))
    await rig.server.answer(data(3))
    assert rig.server.acknowledged == []
    rig.subscription.delivered(2)
    await rig.server.answer(data(4))
    assert rig.server.acknowledged == [2]
    rig.subscription.delivered(1)
    await rig.server.answer(data(5))

    assert rig.server.acknowledged == [2, 1]


async def test_a_disk_that_does_not_answer_stops_the_asking(rig: Rig) -> None:
    """At most WINDOW messages are in memory; the first that becomes durable makes room for the next."""
    for sequence in range(1, WINDOW + 1):
        await rig.server.answer(data(sequence))

    assert (len(rig.server.waiting), rig.subscription.is_parked) == (0, True)
    rig.subscription.delivered(1)
    assert (len(rig.server.waiting), rig.server.acknowledged) == (1, [1])


async def test_a_keep_alive_is_not_acknowledged(rig: Rig) -> None:
    """It has no data and takes no room."""
    for _ in range(3 * WINDOW):
        await rig.server.answer(encoded([], sequence=1, subscription=ID))

    assert (len(rig.server.waiting), rig.server.acknowledged) == (REQUESTS, [])


async def test_a_message_of_another_subscription_is_passed_over(rig: Rig) -> None:
    """Some servers use ids twice."""
    await rig.server.answer(encoded([(0, scalar("Double", 1.0))], subscription=ID + 1))

    assert (rig.heard, len(rig.server.waiting)) == ([], REQUESTS)


async def test_a_server_that_finds_it_too_many_gets_fewer(rig: Rig) -> None:
    """BadTooManyPublishRequests is an answer, not an end."""
    await rig.server.answer(fault(StatusCodes.BadTooManyPublishRequests))
    await rig.server.answer(data(1))

    assert (len(rig.server.waiting), rig.lost) == (REQUESTS - 1, [])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(fault(StatusCodes.BadNoSubscription), id="the subscription is gone"),
        pytest.param(fault(StatusCodes.BadSessionIdInvalid), id="the session is gone"),
        pytest.param(data(1)[:40], id="damaged bytes"),
    ],
)
async def test_what_ends_the_subscription_is_said_once(rig: Rig, body: bytes) -> None:
    """As SourceLost; nothing is asked or heard afterwards."""
    await rig.server.answer(body)
    await rig.server.answer(data(1))

    (lost,) = rig.lost
    assert isinstance(lost, SourceLost)
    assert rig.heard == []


async def test_a_fault_in_hearing_ends_the_connection(rig: Rig) -> None:
    """It is not swallowed by the event loop while messages pile up."""
    rig.fails = True
    await rig.server.answer(data(1))

    assert [type(one) for one in rig.lost] == [KeyError]
