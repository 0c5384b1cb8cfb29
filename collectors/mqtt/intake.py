"""From blocks of messages to durable batches, and back to acknowledgements in order of arrival.

Several deliveries are under way at a time, so that the log can commit them together; each is acknowledged when it and
all before it are durable.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple

from collectors.mqtt.link import Link
from collectors.mqtt.outcome import KEPT_PAYLOAD_BYTES
from collectors.mqtt.packets import Block, Messages
from collectors.mqtt.plans import Publication
from collectors.mqtt.reader import Reader
from collectors.mqtt.window import Window
from collectors.points import Batch, Clock, DeadLetter, Delivery, Gap, Point, Series, Urgency
from collectors.source import Deliver, SourceStatus

DROP_BYTES = 8 * 1024 * 1024
"""With more than this undelivered, messages of QoS 0 are dropped and counted."""
STOP_BYTES = 16 * 1024 * 1024
"""With more than this undelivered, the socket is not read."""
LEAST_BYTES = 4096
"""What a delivery counts at least, so that many small ones are bounded too."""
EAGER_S = 0.1
"""After the broker had to wait for us, that long we do not rest between reads: it has more."""
SHORTEST_REST_S = 0.001
MOST_TROUBLES = 100
AGENT = "raceway"
"""Who says what is no data of the source."""
STANDS_NS = 10 * 10**9
"""So often, while messages come, it is written down that nothing is missing so far."""


def stands(plant: str, source: str, *, now_ns: int, urgency: Urgency = Urgency.IDLE) -> Batch:
    """Says, to an agent that starts after this one was killed, until when the connection stood."""
    point = Point(stands_series(plant, source), now_ns, 1.0, clock=Clock.GATEWAY)
    return Batch.of(AGENT, [point], received_ns=now_ns, urgency=urgency)


def stands_series(plant: str, source: str) -> Series:
    """Its newest durable point is the end of what an earlier agent had received from the source."""
    return Series(plant, "", "", AGENT, f"connected_{source}", "1")


class _Flight(NamedTuple):
    task: asyncio.Task[None]
    acks: bytes
    size: int
    replies: Sequence[Publication]


class Intake:
    """One connection's flow. `close` forgets what is not acknowledged."""

    def __init__(
        self, reader: Reader, deliver: Deliver, status: SourceStatus, *, plant: str, source: str, limit: int
    ) -> None:
        self._reader = reader
        reader.reconnected()
        self._deliver = deliver
        self._status = status
        self._plant = plant
        self._source = source
        self._window = Window(limit)
        self._link: Link | None = None
        self._flights: deque[_Flight] = deque()
        self._size = 0  # bytes in flight
        self._is_stopped = False
        self._dropped = 0  # messages of QoS 0, in the episode that is going on
        self._dropped_since_ns = 0
        self._dropped_in_all = 0
        self._eager_until = 0.0
        self._read_at = time.monotonic()
        self._said_ns = time.time_ns()
        self.last_message_ns = 0

    @property
    def whole_until_ns(self) -> int:
        """Until when nothing is missing: the newest message, or the beginning of a loss that is not said yet."""
        return self._dropped_since_ns or self.last_message_ns

    def close(self) -> None:
        """Give up what is under way: it was not acknowledged, so it comes again."""
        self._link = None
        for flight in self._flights:
            flight.task.cancel()

    def take(self, link: Link, block: Block) -> None:
        """Decode a block and send it on its way."""
        self._link = link
        now_ns = time.time_ns()
        self.last_message_ns = now_ns
        messages = self._without_surplus(block.messages, now_ns)
        acks = messages.acknowledgement()
        self._window.arrived(len(acks) // 4)
        deliveries: list[Delivery] = [self._broken(packet, now_ns) for packet in block.broken]
        replies: list[Publication] = []
        for decoded in self._reader.decode(messages, received_ns=now_ns):
            self._show(decoded.troubles)
            deliveries += [*decoded.letters, *decoded.gaps]
            replies += decoded.replies
            if decoded.batch is not None:
                if self._window.is_urgent:
                    decoded.batch.urgency = Urgency.NOW
                deliveries.append(decoded.batch)
        if now_ns - self._said_ns > STANDS_NS and not self._dropped:
            self._said_ns = now_ns
            deliveries.append(stands(self._plant, self._source, now_ns=now_ns))
        self._status.messages += len(messages)
        size = max(LEAST_BYTES, sum(map(len, messages.payloads)))
        self._launch(self._deliver_all(deliveries), acks, size, replies)
        self._pace(link, len(messages))

    def _launch(
        self, delivery: Coroutine[Any, Any, None], acks: bytes, size: int, replies: Sequence[Publication] = ()
    ) -> None:
        task = asyncio.get_running_loop().create_task(delivery, name=f"mqtt {self._source}: deliver")
        self._flights.append(_Flight(task, acks, size, replies))
        self._size += size
        task.add_done_callback(self._settle)

    async def _deliver_all(self, deliveries: Sequence[Delivery]) -> None:
        if len(deliveries) == 1:
            await self._deliver(deliveries[0])
        else:
            await asyncio.gather(*map(self._deliver, deliveries))
        self._status.dead_letters += sum(isinstance(delivery, DeadLetter) for delivery in deliveries)
        self._status.gaps += sum(isinstance(delivery, Gap) for delivery in deliveries)

    def _settle(self, _task: asyncio.Task[None]) -> None:
        """Acknowledge what is durable, oldest first, as far as there is no hole."""
        link = self._link
        if link is None:
            return
        acks: list[bytes] = []
        while self._flights and self._flights[0].task.done():
            flight = self._flights[0]
            if flight.task.cancelled():
                return
            if (error := flight.task.exception()) is not None:
                link.end(error)
                return
            self._flights.popleft()
            self._size -= flight.size
            acks.append(flight.acks)
            for reply in flight.replies:
                link.publish(reply)
        if self._window.is_full:
            self._eager_until = time.monotonic() + EAGER_S
        acknowledged = b"".join(acks)
        link.acknowledge(acknowledged)
        self._window.acknowledged(len(acknowledged) // 4)
        self._resume(link)

    def _pace(self, link: Link, count: int) -> None:
        """Stop reading where too much is under way; rest a little where little comes and nobody waits for us."""
        now = time.monotonic()
        elapsed_s, self._read_at = now - self._read_at, now
        if self._size > STOP_BYTES:
            self._is_stopped = True
            link.pause()
        elif now > self._eager_until and not self._window.is_full:
            rest_s = self._window.rest_s(count, elapsed_s)
            if rest_s > SHORTEST_REST_S:
                link.pause(rest_s)

    def _resume(self, link: Link) -> None:
        if self._dropped and self._size <= DROP_BYTES:
            self._say_dropped()
        if self._is_stopped and self._size <= STOP_BYTES // 2:
            self._is_stopped = False
            link.resume()

    def _without_surplus(self, messages: Messages, now_ns: int) -> Messages:
        """Let messages of QoS 0 go where too much is undelivered; those of QoS 1 and 2 the broker keeps for us."""
        if self._size <= DROP_BYTES:
            return messages
        kept = [row for row, qos in enumerate(messages.qos.tolist()) if qos > 0]
        dropped = len(messages) - len(kept)
        if not dropped:
            return messages
        self._dropped_since_ns = self._dropped_since_ns or now_ns
        self._dropped += dropped
        self._dropped_in_all += dropped
        self._status.troubles["QoS 0"] = (
            f"{self._dropped_in_all} messages of QoS 0 dropped since the start, because more came than the disk takes; "
            "let the devices publish with QoS 1"
        )
        return messages.only(kept)

    def _say_dropped(self) -> None:
        gap = Gap(
            self._source,
            self._dropped_since_ns,
            self.last_message_ns,
            "queue_overflow",
            detail=f"{self._dropped} messages of QoS 0 dropped",
        )
        self._dropped = self._dropped_since_ns = 0
        self._launch(self._deliver_all([gap]), b"", 0)

    def _broken(self, packet: bytes, now_ns: int) -> DeadLetter:
        reason = "a PUBLISH packet that contradicts itself; the broker or something before it is faulty"
        return DeadLetter(self._source, now_ns, "", reason, packet[:KEPT_PAYLOAD_BYTES])

    def _show(self, troubles: dict[str, str]) -> None:
        for topic, trouble in troubles.items():
            if not trouble:
                self._status.troubles.pop(topic, None)
            elif topic in self._status.troubles or len(self._status.troubles) < MOST_TROUBLES:
                self._status.troubles[topic] = trouble
