"""Messages in, batches out: decoded, handed over in order, acknowledged when durable, fetched again when missed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import partial

from collectors.opcua.alarms import Alarms
from collectors.opcua.clocks import WrongClocks
from collectors.opcua.columns import Columns, merged
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.decode import Decoder
from collectors.opcua.eventlist import Event, read_events
from collectors.opcua.explain import FORESEEN, Ended, explained, status_name
from collectors.opcua.holes import Holes, Memory, Reading
from collectors.opcua.items import Items
from collectors.opcua.monitor import meaning
from collectors.opcua.odd import read_variant
from collectors.opcua.recovery import Gate, Recovery
from collectors.opcua.rhythm import Rhythm
from collectors.opcua.sequence import Talk, missing_and_kept
from collectors.opcua.shape import Shaped, shape
from collectors.opcua.subscription import Subscription
from collectors.opcua.table import Table
from collectors.opcua.wire import DATA_CHANGE, EVENT_LIST, STATUS_CHANGE, Malformed, Response
from collectors.points import BAD, Batch, DeadLetter, Delivery, Gap
from collectors.source import Deliver, SourceStatus


class Intake:
    """What is done with every message of one connection."""

    def __init__(
        self,
        config: OpcUaConfig,
        *,
        items: Items,
        table: Table,
        memory: Memory,
        talk: Talk,
        recovery: Recovery,
        alarms: Alarms,
        rhythm: Rhythm,
        status: SourceStatus,
        deliver: Deliver,
        tasks: asyncio.TaskGroup,
        lost: Callable[[Exception], None],
    ) -> None:
        self._config = config
        self._items = items
        self._table = table
        self._memory = memory
        self._talk = talk
        self._recovery = recovery
        self._alarms = alarms
        self._rhythm = rhythm
        self._status = status
        self._deliver = deliver
        self._tasks = tasks
        self._lost = lost
        self._read_odd = partial(read_variant, structures=items.facts.structures)
        self._decoder = Decoder(self._read_odd)
        self._under_way: set[asyncio.Task[None]] = set()
        self.clocks = WrongClocks(config.name, table)
        self.holes = Holes(config.name, memory)
        self.gate = Gate()
        self.subscription: Subscription | None = None  # set before the first message
        self.product = ""
        self.gone: dict[int, str] = {}  # tags whose node turned out not to be there
        self.heard_at = self.data_at = time.monotonic()
        self.has_data = False
        self._owed = 0  # holes that are known and not yet said

    @property
    def owes(self) -> bool:
        """Whether a hole is known and not yet said: then the next connection must not go on as if there were none."""
        return bool(self._owed)

    def owe(self) -> None:
        """A hole is known: nothing newer passes until `fill` has said it."""
        self._owed += 1
        self.gate.close()

    def owes_nothing(self) -> None:
        """The hole is said, or there was none after all: newer values pass."""
        self._owed -= 1
        self.gate.open()

    def hear(self, response: Response, body: bytes) -> None:
        """A message came: check its number, decode it, hand it over. Called in order of arrival, does not wait."""
        assert self.subscription is not None
        now_ns = time.time_ns()
        before, self.heard_at = self.heard_at, time.monotonic()
        self._look_back(response, before)
        deliveries = self._read(response, body, now_ns)
        self._status.messages += bool(response.parts)
        if response.parts:
            self._talk.undelivered.add(response.sequence)
            self.start(self._keep(deliveries, response.sequence))
        elif self.gate.is_open and not self._under_way and self._memory.durable_ns:
            self._memory.durable_ns = now_ns  # nothing is missing up to now

    async def take(self, columns: Columns) -> None:
        """Values were read, not published: hand them over, and return when they are durable."""
        self.heard_at = time.monotonic()
        if len(columns.handle):
            deliveries = self._shaped(columns, time.time_ns())
            await self.gate.wait()
            await self._hand_over(deliveries)
        elif self.gate.is_open and not self._under_way and self._memory.durable_ns:
            self._memory.durable_ns = time.time_ns()  # all was read, and nothing is missing up to now

    def start(self, keeping: Coroutine[object, object, None]) -> None:
        """Deliver beside the loop: tasks begin in the order in which they are made, so that batches keep theirs."""
        task = self._tasks.create_task(keeping, name=f"{self._config.name}: deliver")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def repeat(self, now: float) -> None:
        """Record again what has not changed for as long as is configured: as of a time up to which all was heard."""
        config = self._config
        if not (config.repeat_s and self.has_data and self.gate.is_open):
            return
        now_ns = time.time_ns()
        back_s = now - self.heard_at + 2 * config.publishing_ms / 1000 + 1 - self._recovery.session.skew_s
        as_of_ns = now_ns - int(back_s * 1e9)
        batch = self._rhythm.repeats(
            now, after_s=config.repeat_s, t_ns=as_of_ns, source=config.name, received_ns=now_ns
        )
        if batch is not None:
            self.start(self._deliver(batch))

    def stop(self) -> None:
        """Hand over nothing more; what is not durable stays unacknowledged."""
        for task in self._under_way:
            task.cancel()

    async def fill(self, hole: Gap, *, since_ns: int = 0) -> None:
        """Say a hole that is owed, after its values were read from the server's history, and open the gate."""
        reading = self._recovery.reading(hole, since_ns=since_ns)

        def said() -> None:
            self._memory.unread.append(reading)
            self._status.gaps += 1
            self.owes_nothing()

        await self._recovery.fill(reading, self._deliver, said)
        self._was_read(reading)

    def read_on(self) -> None:
        """Go on with the histories that the connection before could not read to their end."""
        for reading in self._memory.unread:
            self.start(self._read_on(reading))

    async def _read_on(self, reading: Reading) -> None:
        await self._recovery.read_on(reading, self._deliver)
        self._was_read(reading)

    def _was_read(self, reading: Reading) -> None:
        if reading.is_done:
            self._memory.unread.remove(reading)

    def _look_back(self, response: Response, before: float) -> None:
        """Find out by its number what did not arrive before this message, and have it fetched again."""
        talk = self._talk
        missing = (talk.sequence.came if response.parts else talk.sequence.kept_alive)(response.sequence)
        again = missing_and_kept(response.sequence, missing, response.available)
        gone = missing - len(again)
        if talk.is_stale:
            talk.is_stale = False
            heard = [one for one in talk.sequence.were_heard(response.available) if one != response.sequence]
            again = [one for one in heard if one in talk.undelivered and one not in again] + again
            for one in set(heard) - set(again):
                self._acknowledge(one)
            gone += len(talk.undelivered.difference(again))
            talk.undelivered.clear()
        talk.undelivered.update(again)
        if gone:
            self.owe()
        if again or gone:
            self.gate.close()
            self.start(self._repair(again, gone, before))

    async def _repair(self, again: list[int], gone: int, before: float) -> None:
        """Fetch the messages that the server still has, say how many are gone, and open the gate.

        before: when the last message came that is older than these, monotonic seconds.

        When the connection ends before, nothing newer is durable, and all of it is asked for once more.
        """
        assert self.subscription is not None
        noticed_ns = time.time_ns()
        try:
            for sequence in again:
                found = await self.subscription.again(sequence)
                if found is not None:
                    await self._hand_over(self._read(*found, noticed_ns, before=before))
                    self._acknowledge(sequence)
                elif not gone:
                    self.owe()
                gone += found is None
                self._talk.undelivered.discard(sequence)
        except (*FORESEEN, Malformed) as error:
            self._lost(explained(error, self._config.url))
            return
        self._alarms.missed()
        self.gate.open()
        if gone:
            await self.fill(self.holes.missing(gone, noticed_ns))

    def _read(self, response: Response, body: bytes, now_ns: int, *, before: float | None = None) -> list[Delivery]:
        """What a message becomes; bytes that cannot be read become a dead letter. before: as in `_repair`, for one that
        was fetched again.
        """
        try:
            columns, events = self._decoded(response, body)
        except Malformed as error:
            return [DeadLetter(self._config.name, now_ns, self._config.url, str(error), body)]
        deliveries = self._told(events, now_ns, again=before is not None) if events else []
        if columns is not None:
            deliveries += self._shaped(columns, now_ns, before)
        return deliveries

    def _shaped(self, columns: Columns, now_ns: int, before: float | None = None) -> list[Delivery]:
        shaped = shape(columns, self._table, source=self._config.name, received_ns=now_ns, facts=self._items.facts)
        if before is None:
            self._rhythm.came(shaped, self.heard_at)
        else:
            self._rhythm.came_again(shaped, before)
        return self._noted(shaped)

    def _told(self, events: list[tuple[int, Event]], now_ns: int, *, again: bool) -> list[Delivery]:
        """Events came: their records, and a hole where the server could not keep them all for us."""
        records = self._alarms.hear(events, now_ns, again=again)
        if lost := self._alarms.lost():
            self.owe()
            self.start(self.fill(self.holes.unheard(lost, now_ns)))
        return [records] if records is not None else []

    def _decoded(self, response: Response, body: bytes) -> tuple[Columns | None, list[tuple[int, Event]]]:
        """The columns of all data changes in a message, None if it has none, and its events. Raises Malformed."""
        changes: list[Columns] = []
        events: list[tuple[int, Event]] = []
        for part in response.parts:
            if part.encoding == DATA_CHANGE:
                changes.append(self._decoder.decode(body, part.start, part.stop))
            elif part.encoding == EVENT_LIST:
                events += read_events(body, part.start, part.stop, self._read_odd)
            elif part.encoding == STATUS_CHANGE:
                code = int.from_bytes(body[part.start : part.start + 4], "little")
                if code >= BAD:  # node-opcua tells the new session, too, that its subscription was transferred
                    self._lost(Ended(f"{self._config.url}: the server ended the subscription ({status_name(code)})"))
        return merged(changes) if changes else None, events

    def _noted(self, shaped: Shaped) -> list[Delivery]:
        """Values came: the batch, if it has rows, after what was noticed in it."""
        now_ns = shaped.batch.received_ns
        self.data_at = self.heard_at
        self.has_data = True
        self._status.connected(product=self.product, items=len(self._items.names))
        for tag in shaped.not_there:
            code = int(shaped.batch.quality[shaped.tags == tag][-1]) & 0xFFFF_0000
            self.gone[tag] = f"{self._config.tags[tag].node}: {meaning(code)}"
        if self._items.troubled:
            self._items.delivers(set(shaped.tags.tolist()) & self._items.troubled - shaped.not_there)
        for tag, trouble in shaped.misfits.items():
            self._items.misfit(tag, trouble)
        overflow = self.holes.overflowed(shaped.overflowed, now_ns)
        if overflow is not None:
            self.owe()
            self.start(self._fill_overflow(overflow))
        record = self.clocks.came(shaped.tags, shaped.wrong_times, now_ns)
        return [one for one in (record, shaped.batch) if one is not None and len(one)]

    async def _fill_overflow(self, hole: Gap) -> None:
        """Read what the server's queues could not hold, from a little before it was noticed."""
        margin_ns = int((2 * self._config.publishing_ms / 1000 + 1) * 1e9)
        await self.fill(hole, since_ns=hole.from_ns - margin_ns)

    async def _keep(self, deliveries: Iterable[Delivery], sequence: int) -> None:
        """Wait until it is on disk; only then is the message acknowledged."""
        assert self.subscription is not None
        await self.gate.wait()
        await self._hand_over(deliveries)
        self._talk.undelivered.discard(sequence)
        self.subscription.delivered(sequence)

    async def _hand_over(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            await self._deliver(delivery)
            match delivery:
                case Batch():
                    self._memory.durable_ns = max(self._memory.durable_ns, delivery.received_ns)
                case DeadLetter():
                    self._status.dead_letters += 1

    def _acknowledge(self, sequence: int) -> None:
        assert self.subscription is not None
        self.subscription.acknowledge(sequence)
