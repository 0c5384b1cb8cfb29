"""One connection's life: messages in, batches out, holes said aloud, silence noticed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import replace

from collectors.opcua.address import Address
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.decode import Columns, Decoder
from collectors.opcua.explain import FORESEEN, explained, status_name
from collectors.opcua.holes import Holes, Memory
from collectors.opcua.items import Items
from collectors.opcua.monitor import NO_HEARTBEAT, Monitor, meaning
from collectors.opcua.odd import read_variant
from collectors.opcua.recovery import Recovery
from collectors.opcua.sequence import Sequence
from collectors.opcua.session import Session
from collectors.opcua.shape import Shaped, Table, merged, shape
from collectors.opcua.subscription import Subscription
from collectors.opcua.wire import DATA_CHANGE, STATUS_CHANGE, Malformed, Response
from collectors.points import Batch, DeadLetter, Delivery, Gap
from collectors.source import Deliver, LastTime, SourceLost, SourceStatus

SILENT_KEEP_ALIVES = 3
SKEW_S = 5.0  # a clock that is further away is said aloud
CLOCK = "(clock)"


class Link:
    """The life of one session. `live` returns why it ended."""

    def __init__(
        self,
        config: OpcUaConfig,
        session: Session,
        *,
        items: Items,
        table: Table,
        memory: Memory,
        status: SourceStatus,
        last_time: LastTime,
        deliver: Deliver,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._config = config
        self._session = session
        self._items = items
        self._table = table
        self._memory = memory
        self._status = status
        self._deliver = deliver
        self._tasks = tasks
        self._addresses = [Address.parse(tag.node) for tag in config.tags]
        since = {tag: ns for tag, one in enumerate(table.first.tolist()) if (ns := last_time(table.series[one]))}
        self._recovery = Recovery(config, session, table=table, addresses=self._addresses, since=since)
        self._decoder = Decoder(read_variant)
        self._sequence = Sequence()
        self._holes = Holes(config.name, memory)
        self._subscription = Subscription(session.client, config, heard=self._hear, lost=self._lose)
        self._monitor = Monitor(config, session, self._subscription, items=items, addresses=self._addresses)
        self._ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._under_way: set[asyncio.Task[None]] = set()
        self._gone: dict[int, str] = {}  # tags whose node turned out not to be there
        self._has_heartbeat = False
        self._heard_at = self._data_at = time.monotonic()

    async def live(self) -> Exception:
        """Create everything, keep it in order, and return why the connection ended; foreseen failures do not raise."""
        life = [self._tasks.create_task(self._work()), self._tasks.create_task(self._watch())]
        try:
            return await self._ended
        finally:
            self._subscription.close()
            for task in (*life, *self._under_way):
                task.cancel()

    async def _work(self) -> None:
        try:
            await self._subscription.create()
            self._has_heartbeat = await self._monitor.create_heartbeat()
            await self._keep_in_order()
            self._start(self._fill_hole_before(time.time_ns()))
            while not self._ended.done():
                await self._keep_in_order()
                self._report()
                await asyncio.wait({self._ended}, timeout=max(self._next_look() - time.monotonic(), 0))
        except FORESEEN as error:
            self._lose(explained(error, self._config.url))

    async def _watch(self) -> None:
        """Look at the clock while `_work` may be waiting for an answer that never comes."""
        while not self._ended.done():
            await asyncio.wait({self._ended}, timeout=self._subscription.keep_alive_s / 2)
            self._check_silence(time.monotonic())

    async def _keep_in_order(self) -> None:
        now = time.monotonic()
        if now >= self._session.renew_at:
            await self._session.renew_channel()
        if self._gone:
            gone, self._gone = self._gone, {}
            ids = [one for tag, trouble in gone.items() for one in self._items.gone([tag], trouble, now)]
            await self._monitor.delete(ids)
        if self._subscription.is_parked:
            await self._session.look_up_namespaces()  # any request keeps the session alive while nothing is published
        await self._monitor.reconcile(now)

    def _next_look(self) -> float:
        """When something has to be looked at again, monotonic seconds."""
        if self._gone:
            return 0.0
        soon = time.monotonic() + self._subscription.keep_alive_s / 2
        return min(self._items.next_due(), self._session.renew_at, soon)

    def _check_silence(self, now: float) -> None:
        """Give up a connection that is open and says nothing: only the age of what came proves that it lives."""
        patience_s = SILENT_KEEP_ALIVES * self._subscription.keep_alive_s
        if self._subscription.is_parked:
            self._heard_at = self._data_at = now
        elif now - self._heard_at > patience_s:
            self._lose(self._silent(now - self._heard_at, "said nothing"))
        elif self._has_heartbeat and now - self._data_at > patience_s:
            self._lose(self._silent(now - self._data_at, "sent no values, not even its own clock,"))

    def _silent(self, age_s: float, what: str) -> SourceLost:
        return SourceLost(
            f"{self._config.url}: the server {what} for {age_s:.0f} s although the connection is open; "
            "check whether it is overloaded or frozen, and the network on the way"
        )

    def _lose(self, reason: Exception) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _report(self) -> None:
        troubles = self._items.troubles()
        if not self._has_heartbeat:
            troubles[NO_HEARTBEAT] = "the server does not let its clock be watched; only keep-alives show that it lives"
        if abs(self._session.skew_s) > SKEW_S:
            troubles[CLOCK] = (
                f"the server's clock is {abs(self._session.skew_s):.0f} s "
                f"{'ahead of' if self._session.skew_s > 0 else 'behind'} ours; set one of them"
            )
        self._status.troubles = troubles

    def _hear(self, response: Response, body: bytes) -> None:
        """A message came: check its number, decode it, hand it over. Called in order of arrival, does not wait."""
        now_ns = time.time_ns()
        self._heard_at = time.monotonic()
        check = self._sequence.came if response.parts else self._sequence.kept_alive
        missing = check(response.sequence)
        deliveries: list[Delivery] = [self._holes.missing(missing, now_ns)] if missing else []
        try:
            columns = self._decoded(response, body)
            if columns is not None:
                deliveries += self._data(shape(columns, self._table, source=self._config.name, received_ns=now_ns))
        except Malformed as error:
            deliveries.append(DeadLetter(self._config.name, now_ns, self._config.url, str(error), body))
        self._status.messages += bool(response.parts)
        if deliveries:
            self._start(self._keep(deliveries, response.sequence if response.parts else 0))
        else:
            if self._recovery.done.is_set() and not self._under_way and self._memory.durable_ns:
                self._memory.durable_ns = now_ns  # nothing is missing up to now
            if response.parts:
                self._subscription.delivered(response.sequence)

    def _decoded(self, response: Response, body: bytes) -> Columns | None:
        """The columns of all data changes in a message, None if it has none. Raises Malformed."""
        changes: list[Columns] = []
        for part in response.parts:
            if part.encoding == DATA_CHANGE:
                changes.append(self._decoder.decode(body, part.start, part.stop))
            elif part.encoding == STATUS_CHANGE:
                code = int.from_bytes(body[part.start : part.start + 4], "little")
                self._lose(SourceLost(f"{self._config.url}: the server ended the subscription ({status_name(code)})"))
        return merged(changes) if changes else None

    def _data(self, shaped: Shaped) -> list[Delivery]:
        """Values came: the batch, if it has rows, after the records of what was noticed in it."""
        now_ns = shaped.batch.received_ns
        self._data_at = self._heard_at
        self._status.connected(product=self._session.product, items=len(self._items.names))
        for tag in shaped.not_there:
            code = int(shaped.batch.quality[shaped.tags == tag][-1]) & 0xFFFF_0000
            self._gone[tag] = f"{self._config.tags[tag].node}: {meaning(code)}"
        if self._items.troubled:
            self._items.delivers(set(shaped.tags.tolist()) & self._items.troubled - shaped.not_there)
        for tag, trouble in shaped.misfits.items():
            self._items.misfit(tag, trouble)
        overflow = self._holes.overflowed(shaped.overflowed, now_ns)
        rows: list[Delivery] = [shaped.batch] if len(shaped.batch) else []
        return [overflow, *rows] if overflow else rows

    def _start(self, keeping: Coroutine[object, object, None]) -> None:
        """Deliver beside the loop: tasks begin in the order in which they are made, so that batches keep theirs."""
        task = self._tasks.create_task(keeping, name=f"{self._config.name}: deliver")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _fill_hole_before(self, created_ns: int) -> None:
        """Say the hole between the last connection and this one, after its values were read from the history.

        It ends where the items were created: from there on the server keeps the values for us.
        """
        hole = self._holes.before(started=self._session.started, last_ns=self._recovery.last_ns)
        if hole is not None:
            await self._recovery.fill(replace(hole, to_ns=created_ns), self._deliver)
            self._status.gaps += 1
        self._recovery.done.set()

    async def _keep(self, deliveries: Iterable[Delivery], sequence: int) -> None:
        """Wait until it is on disk; only then is the message acknowledged. A keep-alive's sequence is 0."""
        await self._recovery.done.wait()
        for delivery in deliveries:
            await self._deliver(delivery)
            match delivery:
                case Batch():
                    self._memory.durable_ns = max(self._memory.durable_ns, delivery.received_ns)
                case Gap():
                    self._status.gaps += 1
                case DeadLetter():
                    self._status.dead_letters += 1
        if sequence:
            self._subscription.delivered(sequence)
