"""The sink: reads of the log become parcels, parcels become confirmed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from isal import igzip

from agent.influx.answers import Answer
from agent.influx.client import Client
from agent.influx.config import InfluxConfig
from agent.influx.lines import Encoded, Encoder
from agent.influx.memory import UNKNOWN, Memory
from agent.influx.parcel import Learnt, Parcel, Post, Refused
from agent.sink import Entry
from agent.status import SinkStatus
from collectors.points import DeadLetter
from collectors.threads import in_daemon_thread

_GZIP_LEVEL = 1  # igzip's: 0.06 µs a point, and a tenth more bytes than zlib's default at six times the cost

Delivered = tuple[Encoded, Parcel]
Aside = Callable[[Callable[[], Delivered]], Awaitable[Delivered]]
"""Runs a blocking call without holding up the event loop."""


class InfluxSink:
    """Writes every point into one bucket; see `agent.sink.Sink`.

    Returns from `write` only when each point is confirmed by a 204 or handed to `dead_letter` with the server's words.
    The state is the memory of qualities, empty when all are Good, and of figures told out of turn.
    """

    beginning = UNKNOWN.pack()

    def __init__(
        self,
        config: InfluxConfig,
        *,
        status: SinkStatus,
        dead_letter: Callable[[DeadLetter], Awaitable[object]],
        post: Post | None = None,
        aside: Aside = in_daemon_thread,
    ) -> None:
        self.name = config.name
        self.status = status
        self._config = config
        self._dead_letter = dead_letter
        self._post = post or Client(config).post
        self._aside = aside
        self._learnt = Learnt(most_lines=config.batch_lines, ceiling_bytes=config.batch_bytes)
        self._encoder = Encoder(config.measurement)
        self._under_way: tuple[tuple[int, int], Encoded, Parcel] | None = None
        self._sent: list[int] = []  # bytes of each request that the status does not count yet
        self.buried = 0
        status.address = config.url

    def restore(self, state: bytes) -> None:
        """Take back the memory of qualities."""
        self._encoder = Encoder(self._config.measurement, state)
        self._under_way = None

    def joined(self, older: bytes, newer: bytes) -> bytes:
        """What is known of qualities where one lane ends and the next one goes on."""
        return Memory.unpack(older).joined(Memory.unpack(newer)).pack()

    async def write(self, entries: Sequence[Entry]) -> bytes:
        """Deliver the entries; raises Retry with what was confirmed remembered, for the same entries come again."""
        try:
            encoded, parcel = await self._aside(lambda: self._deliver(entries))
        finally:
            sent, self._sent = self._sent, []
            self.status.requests += len(sent)
            self.status.bytes_sent += sum(sent)
        while parcel.refused:
            await self._bury(parcel.refused)
        self._encoder.keep(encoded)
        self._under_way = None
        return self._encoder.state()

    def _deliver(self, entries: Sequence[Entry]) -> Delivered:
        """Encode and send; blocks. One thread at a time: `write` waits for it."""
        key = (entries[0].seq, entries[-1].seq)
        if self._under_way is None or self._under_way[0] != key:
            encoded = self._encoder.encode([entry.batch for entry in entries])
            parcel = Parcel(self._encoder.due(), encoded.lines)
            parcel.refused.extend(Refused(*unfit) for unfit in encoded.unfit)
            self._under_way = (key, encoded, parcel)
        _, encoded, parcel = self._under_way
        parcel.deliver(self._pack_and_post, self._learnt)
        return encoded, parcel

    def _pack_and_post(self, body: bytes) -> Answer:
        packed = igzip.compress(body, _GZIP_LEVEL)
        self._sent.append(len(packed))
        return self._post(packed)

    async def _bury(self, refused: list[Refused]) -> None:
        """Dead-letter those that share the first one's reason, and forget them once that is durable."""
        reason = refused[0].reason
        alike = [one for one in refused if one.reason == reason]
        points = sum(one.points for one in alike)
        payload = b"".join(one.payload for one in alike)
        letter = DeadLetter(self.name, time.time_ns(), self._config.url, reason, payload, points)
        await self._dead_letter(letter)
        self.status.dead_letters += points
        self.buried += points
        refused[:] = [one for one in refused if one.reason != reason]
