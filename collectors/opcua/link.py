"""One connection's life: messages in, batches out, holes said aloud, silence noticed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field

from collectors.opcua.config import OpcUaConfig
from collectors.opcua.decode import Columns, Decoder
from collectors.opcua.explain import FORESEEN, explained, status_name
from collectors.opcua.items import Items
from collectors.opcua.monitor import NO_HEARTBEAT, Monitor, meaning
from collectors.opcua.odd import read_variant
from collectors.opcua.sequence import Sequence
from collectors.opcua.session import Session
from collectors.opcua.shape import Shaped, Table, merged, shape
from collectors.opcua.subscription import Subscription
from collectors.opcua.wire import DATA_CHANGE, STATUS_CHANGE, Malformed, Response
from collectors.points import Batch, DeadLetter, Delivery, Gap, Series
from collectors.source import Deliver, SourceLost, SourceStatus

SILENT_KEEP_ALIVES = 3
SKEW_S = 5.0  # a clock that is further away is said aloud
OVERFLOW_S = 60.0  # an overflow that goes on is said once in this time
CLOCK = "(clock)"


@dataclass(slots=True)
class Memory:
    """What a source knows from one connection to the next."""

    durable_ns: int = 0  # gateway time at which the newest durable values came
    started: str = ""  # when the server was started


@dataclass(slots=True)
class Overflow:
    """A hole in the making: the server's queues were too small for these series since `from_ns`."""

    from_ns: int = 0
    to_ns: int = 0
    series: set[Series] = field(default_factory=set)


class Link:
    """The life of one session. `live` returns why it ended."""

    def __init__(
        self,
        config: OpcUaConfig,
        session: Session,
        items: Items,
        table: Table,
        memory: Memory,
        status: SourceStatus,
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
        self._decoder = Decoder(read_variant)
        self._sequence = Sequence()
        self._overflow = Overflow()
        self._subscription = Subscription(session.client, config, heard=self._hear, lost=self._lose)
        self._monitor = Monitor(config, session, self._subscription, items)
        self._ended: asyncio.Future[SourceLost] = asyncio.get_running_loop().create_future()
        self._under_way: set[asyncio.Task[None]] = set()
        self._gone: dict[int, str] = {}  # tags whose node turned out not to be there
        self._has_heartbeat = False
        self._first = True  # no data yet in this session
        self._heard_at = self._data_at = time.monotonic()

    async def live(self) -> SourceLost:
        """Create everything, keep it in order, and say why the connection ended. Foreseen failures do not raise."""
        try:
            await self._subscription.create()
            self._has_heartbeat = await self._monitor.create_heartbeat()
            while not self._ended.done():
                await self._keep_in_order()
                self._report()
                await asyncio.wait({self._ended}, timeout=max(self._next_look() - time.monotonic(), 0))
        except FORESEEN as error:
            self._lose(explained(error, self._config.url))
        finally:
            self._subscription.close()
            for task in self._under_way:
                task.cancel()
        return self._ended.result()

    async def _keep_in_order(self) -> None:
        now = time.monotonic()
        self._check_silence(now)
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
        return min(
            self._items.next_due(), self._session.renew_at, time.monotonic() + self._subscription.keep_alive_s / 2
        )

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

    def _lose(self, reason: SourceLost) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _report(self) -> None:
        troubles = self._items.troubles()
        if not self._has_heartbeat:
            troubles[NO_HEARTBEAT] = (
                "the server does not let its clock be watched; only its keep-alives show that it lives"
            )
        if abs(self._session.skew_s) > SKEW_S:
            troubles[CLOCK] = (
                f"the server's clock is {abs(self._session.skew_s):.0f} s "
                f"{'ahead of' if self._session.skew_s > 0 else 'behind'} ours; set one of them"
            )
        self._status.troubles = troubles

    def _hear(self, response: Response, body: bytes) -> None:
        """A message came: check its number, decode it, hand it over. Called in order of arrival, does not wait."""
        received_ns = time.time_ns()
        self._heard_at = time.monotonic()
        if not response.parts:
            self._say_missing(self._sequence.kept_alive(response.sequence), received_ns)
            return
        self._say_missing(self._sequence.came(response.sequence), received_ns)
        try:
            columns = self._decoded(response, body)
            shaped = shape(columns, self._table, source=self._config.name, received_ns=received_ns) if columns else None
        except Malformed as error:
            letter = DeadLetter(self._config.name, received_ns, self._config.url, str(error), body)
            self._hand_over([letter], response.sequence)
            return
        deliveries: list[Delivery] = []
        if shaped is not None:
            self._data_at = self._heard_at
            if self._first:
                deliveries += self._returned(received_ns)
            deliveries += self._noticed(shaped, received_ns)
        self._hand_over(deliveries, response.sequence)

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

    def _returned(self, received_ns: int) -> list[Delivery]:
        """The first values of this session came: the source is connected, and the hole before them has an end."""
        self._first = False
        self._status.connected(product=self._session.product, items=len(self._items.names))
        restarted = bool(self._memory.started) and self._memory.started != self._session.started
        self._memory.started = self._session.started
        if not self._memory.durable_ns:
            return []
        reason = "server_restarted" if restarted else "link_lost"
        return [Gap(self._config.name, self._memory.durable_ns, received_ns, reason)]

    def _noticed(self, shaped: Shaped, received_ns: int) -> list[Delivery]:
        """The batch, if it has rows, after the records of what was noticed in it."""
        for tag in shaped.not_there:
            code = int(shaped.batch.quality[shaped.fitting == tag][-1])
            self._gone[tag] = f"{self._config.tags[tag].node}: {meaning(code)}"
        if self._items.troubled:
            well = set(shaped.fitting.tolist()) & self._items.troubled - shaped.not_there
            self._items.delivers(well)
        for tag, trouble in shaped.misfits.items():
            self._items.misfit(tag, trouble)
        noticed: list[Delivery] = self._overflowed(shaped.overflowed, received_ns)
        return [*noticed, shaped.batch] if len(shaped.batch) else noticed

    def _overflowed(self, series: tuple[Series, ...], received_ns: int) -> list[Delivery]:
        """Gather overflows into one hole; it is said when they end, or after a minute."""
        hole = self._overflow
        if series:
            hole.from_ns = hole.from_ns or self._memory.durable_ns or received_ns
            hole.to_ns = received_ns
            hole.series.update(series)
        if not hole.series or (series and received_ns - hole.from_ns < OVERFLOW_S * 1e9):
            return []
        self._overflow = Overflow()
        return [
            Gap(
                self._config.name,
                hole.from_ns,
                hole.to_ns,
                "queue_overflow",
                series=tuple(hole.series),
                detail="the server's queue was too small; raise queue_size or sampling_ms of these tags",
            )
        ]

    def _say_missing(self, messages: int, received_ns: int) -> None:
        """Messages are missing between two that came."""
        if messages and not self._first:
            gap = Gap(
                self._config.name,
                self._memory.durable_ns or received_ns,
                received_ns,
                "sequence_gap",
                detail=f"{messages} messages of the server did not arrive",
            )
            self._start(self._keep([gap], None))

    def _hand_over(self, deliveries: list[Delivery], sequence: int) -> None:
        if deliveries:
            self._start(self._keep(deliveries, sequence))
        else:
            self._subscription.delivered(sequence)

    def _start(self, keeping: Coroutine[object, object, None]) -> None:
        """Deliver beside the loop: tasks begin in the order in which they are made, so that batches keep theirs."""
        task = self._tasks.create_task(keeping, name=f"{self._config.name}: deliver")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _keep(self, deliveries: list[Delivery], sequence: int | None) -> None:
        """Wait until it is on disk; only then is the message acknowledged."""
        for delivery in deliveries:
            await self._deliver(delivery)
            match delivery:
                case Batch():
                    self._memory.durable_ns = max(self._memory.durable_ns, delivery.received_ns)
                case Gap():
                    self._status.gaps += 1
                case DeadLetter():
                    self._status.dead_letters += 1
        if sequence is not None:
            self._subscription.delivered(sequence)
