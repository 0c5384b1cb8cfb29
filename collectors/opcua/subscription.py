"""The publish loop of one subscription: several requests under way, raw answers in order, acknowledged when durable.

asyncua acknowledges what its callback has merely seen, also when the callback raised, keeps one request under way, and
makes an object of every value. This loop keeps `REQUESTS` under way, takes the bytes, and sends an acknowledgement only
for what `delivered` was called with. At most `WINDOW` messages are handed over and not yet durable: when the disk does
not answer, nothing more is asked for, and the values wait in the server's queues.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.config import OpcUaConfig
from collectors.opcua.explain import Ended, explained, status_name
from collectors.opcua.wire import Malformed, Response, read_republished, read_response
from collectors.source import SourceLost

REQUESTS = 3
WINDOW = 10
LIFETIME_S = 600.0  # how long the server keeps the subscription while nothing is asked for
MOST_NOTIFICATIONS = 10_000  # in one message


class Granted(NamedTuple):
    """A subscription as the server made it."""

    id: int
    publishing_ms: float
    keep_alive_s: float


class Subscription:
    """One subscription of one session, from its creation to the first sign that it is lost.

    `heard` is called with every message in order of arrival, keep-alives included; `lost` once, with the reason.
    Both are called from the event loop and must not block. What `heard` raises is the reason, too.
    """

    def __init__(
        self,
        client: Client,
        config: OpcUaConfig,
        *,
        heard: Callable[[Response, bytes], None],
        lost: Callable[[Exception], None],
    ) -> None:
        self._client = client
        self._config = config
        self._heard = heard
        self._lost = lost
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._under_way = 0
        self._undelivered = 0
        self._requests = REQUESTS
        self._open = False
        self.granted = Granted(0, config.publishing_ms, config.keep_alive_s)

    async def create(self, *, shortest_ms: float = 0) -> None:
        """Create it on the server and ask for its first messages. Raises what `explain.FORESEEN` lists.

        shortest_ms: the server's shortest publishing interval, where it is known. Keep-alives are counted in intervals:
        a server that lengthens the interval would show ten times later that it is alive.
        """
        interval_ms = max(self._config.publishing_ms, shortest_ms)
        keep_alives = max(math.ceil(self._config.keep_alive_s * 1000 / interval_ms), 1)
        answer = await self._client.uaclient.session.create_subscription(
            ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=interval_ms,
                RequestedLifetimeCount=max(math.ceil(LIFETIME_S * 1000 / interval_ms), 3 * keep_alives),
                RequestedMaxKeepAliveCount=keep_alives,
                MaxNotificationsPerPublish=MOST_NOTIFICATIONS,
                PublishingEnabled=True,
            ),
            callback=lambda _: None,  # asyncua's publish loop, which would call it, never runs
        )
        publishing_ms = answer.RevisedPublishingInterval or interval_ms
        keep_alive_s = publishing_ms * (answer.RevisedMaxKeepAliveCount or keep_alives) / 1000
        self.go_on(Granted(answer.SubscriptionId, publishing_ms, keep_alive_s))

    def go_on(self, granted: Granted) -> None:
        """Ask for the messages of a subscription that the server has already."""
        self.granted = granted
        self._open = True
        self._ask()

    @property
    def id(self) -> int:
        """Its number on the server."""
        return self.granted.id

    @property
    def keep_alive_s(self) -> float:
        """How often the server shows that it is alive."""
        return self.granted.keep_alive_s

    def close(self) -> None:
        """Ask for nothing more and hear nothing more."""
        self._open = False

    @property
    def is_parked(self) -> bool:
        """Whether nothing is asked for because too much is not yet durable."""
        return self._undelivered >= WINDOW

    def delivered(self, sequence: int) -> None:
        """The message with this number is durable: acknowledge it with the next request."""
        self._undelivered -= 1
        self.acknowledge(sequence)
        self._ask()

    def acknowledge(self, sequence: int) -> None:
        """Let the server forget this message, with the next request."""
        self._acknowledge.append(ua.SubscriptionAcknowledgement(self.id, sequence))

    async def again(self, sequence: int) -> tuple[Response, bytes] | None:
        """The message with this number once more, None where the server does not have it (any more).

        Raises what `explain.FORESEEN` lists, and Malformed.
        """
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = self.id
        request.Parameters.RetransmitSequenceNumber = sequence
        try:
            body = bytes(await self._client.uaclient.session._send_request(request))
        except UaStatusCodeError:
            return None
        response = read_republished(body)
        return (response, body) if response.parts and response.sequence == sequence else None

    def _ask(self) -> None:
        """Send as many Publish requests as may be under way; the first one takes all acknowledgements along."""
        while self._open and self._under_way < self._requests and self._under_way + self._undelivered < WINDOW:
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements = self._acknowledge
            self._acknowledge = []
            protocol = self._client.uaclient.protocol
            try:
                if protocol is None:
                    raise ConnectionError("the connection is closed")
                # not `send_request`: its answer passes a task; here answers must keep their order
                answer = protocol._send_request(request, timeout=0)
            except OSError as error:
                self._end(explained(error, self._config.url))
                return
            self._under_way += 1
            answer.add_done_callback(self._answered)

    def _answered(self, answer: asyncio.Future[Any]) -> None:
        """One answer came, or the connection broke; called in the order of arrival."""
        self._under_way -= 1
        if answer.cancelled() or not self._open:
            answer.cancelled() or answer.exception()
            return
        error = answer.exception()
        if error is not None:
            self._end(explained(error, self._config.url))
            return
        body = bytes(answer.result())
        try:
            response = read_response(body)
        except Malformed as malformed:
            self._end(SourceLost(f"{self._config.url}: the server's answer is damaged; connecting anew ({malformed})"))
            return
        if response.result >= 0x8000_0000:
            self._refused(response.result)
        elif response.subscription == self.id:
            self._undelivered += bool(response.parts)
            self._ask()
            try:
                self._heard(response, body)
            except Exception as unforeseen:  # a callback has nobody to raise to: unheard, it would stall in silence
                self._end(unforeseen)
        else:
            self._ask()  # of a subscription that is not ours: some servers use ids twice

    def _refused(self, code: int) -> None:
        """The server did not take a Publish request."""
        if code == StatusCodes.BadTooManyPublishRequests and self._requests > 1:
            self._requests -= 1
        elif code in (StatusCodes.BadTimeout, StatusCodes.BadRequestTimeout):
            self._ask()
        else:
            self._end(Ended(f"{self._config.url}: the server ended the subscription ({status_name(code)})"))

    def _end(self, reason: Exception) -> None:
        if self._open:
            self._open = False
            self._lost(reason)
