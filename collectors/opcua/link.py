"""One connection's life: everything created or picked up again, kept in order, silence noticed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

import numpy as np
import structlog
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.address import Address
from collectors.opcua.addresses import HEALTHY
from collectors.opcua.alarm_past import Past
from collectors.opcua.alarms import UNHEARD, Alarms
from collectors.opcua.conditions import Conditions
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.connection import Kept
from collectors.opcua.explain import FORESEEN, Degraded, Ended, explained
from collectors.opcua.holes import Memory
from collectors.opcua.intake import Intake
from collectors.opcua.items import Items
from collectors.opcua.monitor import NO_HEARTBEAT, Monitor
from collectors.opcua.polling import NO_SUBSCRIPTIONS, POLLED, Poller
from collectors.opcua.profiles import crowded
from collectors.opcua.recovery import Recovery
from collectors.opcua.rhythm import Rhythm
from collectors.opcua.sequence import Talk
from collectors.opcua.session import Session
from collectors.opcua.subscription import Granted, Subscription
from collectors.opcua.table import Table
from collectors.points import Gap
from collectors.source import Deliver, LastTime, SourceLost, SourceStatus

SILENT_KEEP_ALIVES = 3
SKEW_S = 5.0  # a clock that is further away is said aloud
CLOCK = "(clock)"
CERTIFICATE = "(certificate)"
CROWDED = "(items)"

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Thread:
    """What a source knows from one connection to the next."""

    conditions: Conditions
    past: Past
    rhythm: Rhythm
    memory: Memory = field(default_factory=Memory)
    kept: Kept | None = None  # the session that the server may still have
    talk: Talk = field(default_factory=Talk)
    granted: Granted | None = None
    has_heartbeat: bool = False
    lost_ns: int = 0  # when the last connection was heard for the last time


class Link:
    """The life of one connection. `live` returns why it ended."""

    def __init__(
        self,
        config: OpcUaConfig,
        session: Session,
        *,
        items: Items,
        table: Table,
        thread: Thread,
        status: SourceStatus,
        last_time: LastTime,
        deliver: Deliver,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._config = config
        self._session = session
        self._items = items
        self._thread = thread
        self._status = status
        self._tasks = tasks
        addresses = [Address.parse(tag.node) for tag in config.tags]
        if not session.continues:
            thread.talk, thread.granted = Talk(), None
            items.new_session()
            thread.rhythm.new_subscription(time.monotonic())
        items.on_server(session.started)
        self._recovery = Recovery(
            config, session, table=table, facts=items.facts, addresses=addresses, last_time=last_time
        )
        self._alarms = Alarms(config, session, thread.conditions, thread.past)
        self._intake = Intake(
            config,
            items=items,
            table=table,
            memory=thread.memory,
            talk=thread.talk,
            recovery=self._recovery,
            alarms=self._alarms,
            rhythm=thread.rhythm,
            status=status,
            deliver=deliver,
            tasks=tasks,
            lost=self._lose,
        )
        self._subscription = Subscription(session.client, config, heard=self._intake.hear, lost=self._lose)
        self._intake.subscription = self._subscription
        self._intake.product = session.product
        self._addresses = addresses
        sampling_ms = [config.sampling_ms(tag) for tag in config.tags]
        self._too_many = crowded(session.profile, sampling_ms, most_items=session.most_items)
        self._monitor = Monitor(config, session, self._subscription, items=items, addresses=addresses)
        self._poller: Poller | None = None  # where the server has no subscriptions
        self._poll_at = self._level_at = 0.0
        self._life: list[asyncio.Task[None]] = []
        self._ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def live(self) -> Exception:
        """Create everything, keep it in order, and return why the connection ended; foreseen failures do not raise."""
        self._life += [self._tasks.create_task(self._work()), self._tasks.create_task(self._watch())]
        try:
            reason = await self._ended
            self._keep_session(reason)
            return reason
        finally:
            self._subscription.close()
            self._intake.stop()
            for task in self._life:
                task.cancel()

    def _keep_session(self, reason: Exception) -> None:
        """Leave the session to the next connection, where the server did not end it and data flowed in this one."""
        thread, intake = self._thread, self._intake
        thread.kept, thread.lost_ns = None, time.time_ns() - int((time.monotonic() - intake.heard_at) * 1e9)
        if isinstance(reason, SourceLost) and not isinstance(reason, Ended) and intake.has_data:
            goes_on = self._poller is None and not intake.owes
            thread.kept = Kept.of(self._session, subscription=self._subscription.id, goes_on=goes_on)
            thread.talk.is_stale = True
            self._session.stays_open = True

    async def _work(self) -> None:
        try:
            hole = await self._begin()
            self._intake.read_on()
            if hole is not None:
                self._intake.start(self._intake.fill(hole))
            while not self._ended.done():
                await self._keep_in_order()
                if self._poller is not None:
                    await self._poll(self._poller)
                self._report()
                await asyncio.wait({self._ended}, timeout=max(self._next_look() - time.monotonic(), 0))
        except FORESEEN as error:
            self._lose(explained(error, self._config.url))

    async def _begin(self) -> Gap | None:
        """Pick up the subscription, or create it and its items; the hole before it, if there is one."""
        thread, started = self._thread, self._session.started
        holes = self._intake.holes
        if self._session.continues and thread.granted is not None:
            out_s = (time.time_ns() - thread.lost_ns) / 1e9
            beyond = self._items.outlasted(out_s)
            hole = holes.outlasted(self._recovery.series_of(beyond), time.time_ns()) if beyond else None
            if hole is not None:
                self._intake.owe()
            how = "reactivated" if self._session.is_resumed else "transferred"
            logger.info("subscription.resumed", source=self._config.name, how=how, out_s=round(out_s, 1))
            self._subscription.go_on(thread.granted)
            self._alarms.missed()
            self._life.append(self._tasks.create_task(self._hear_alarms()))
            return hole
        last_ns = self._recovery.newest_ns()
        is_first = not (last_ns or thread.memory.durable_ns)  # then nothing is missing, and nothing has to wait
        if is_first:
            thread.memory.started = started
        else:
            self._intake.owe()
        try:
            await self._subscription.create(shortest_ms=self._session.profile.shortest_ms)
            thread.granted = self._subscription.granted
            self._life.append(self._tasks.create_task(self._hear_alarms()))
            thread.has_heartbeat = await self._monitor.create_heartbeat()
        except UaStatusCodeError as error:
            if error.code not in NO_SUBSCRIPTIONS:
                raise
            thread.has_heartbeat = False
            self._alarms.give_up()
            self._monitor = self._poller = Poller(
                self._config, self._session, self._subscription, items=self._items, addresses=self._addresses
            )
        await self._keep_in_order()
        if is_first:
            return None
        hole = holes.before(started=started, last_ns=last_ns, now_ns=time.time_ns())
        return replace(hole, detail=UNHEARD if self._config.alarms else "")

    async def _hear_alarms(self) -> None:
        try:
            await self._alarms.live(self._subscription.id)
        except FORESEEN as error:
            self._lose(explained(error, self._config.url))

    async def _poll(self, poller: Poller) -> None:
        """Read everything once in each publishing interval."""
        now = time.monotonic()
        if now >= self._poll_at:
            self._poll_at = max(self._poll_at + self._config.publishing_ms / 1000, now)
            await self._intake.take(await poller.read())

    async def _watch(self) -> None:
        """Look at the clock while `_work` may be waiting for an answer that never comes."""
        while not self._ended.done():
            await asyncio.wait({self._ended}, timeout=self._subscription.keep_alive_s / 2)
            self._check_silence(time.monotonic())

    async def _keep_in_order(self) -> None:
        now = time.monotonic()
        if now >= self._session.renew_at:
            await self._session.renew_channel()
        if self._intake.gone:
            gone, self._intake.gone = self._intake.gone, {}
            ids = [one for tag, trouble in gone.items() for one in self._items.gone([tag], trouble, now)]
            await self._monitor.delete(ids)
        if self._config.failover and now >= self._level_at:
            self._level_at = now + self._subscription.keep_alive_s
            await self._look_at_the_level()
        is_quiet = now - self._intake.heard_at > self._subscription.keep_alive_s
        if self._subscription.is_parked or is_quiet:
            # any request keeps the session alive while nothing is published, and tells at once that it was ended
            await self._session.look_up_namespaces()
        await self._monitor.reconcile(now)
        self._intake.repeat(time.monotonic())

    async def _look_at_the_level(self) -> None:
        """Leave a server whose values are not whole any more, where there is another address."""
        was = self._session.service_level
        if await self._session.look_up_service_level() < min(was, HEALTHY):
            self._lose(Degraded(self._config.url, self._session.service_level))

    def _next_look(self) -> float:
        """When something has to be looked at again, monotonic seconds."""
        if self._intake.gone:
            return 0.0
        soon = time.monotonic() + self._subscription.keep_alive_s / 2
        if self._poller is not None:
            soon = self._poll_at
        return min(self._items.next_due(), self._session.renew_at, soon)

    def _check_silence(self, now: float) -> None:
        """Give up a connection that is open and says nothing: only the age of what came proves that it lives."""
        intake = self._intake
        patience_s = SILENT_KEEP_ALIVES * self._subscription.keep_alive_s
        if self._subscription.is_parked:
            intake.heard_at = intake.data_at = now
        elif now - intake.heard_at > patience_s:
            self._lose(self._silent(now - intake.heard_at, "said nothing"))
        elif self._thread.has_heartbeat and now - intake.data_at > patience_s:
            self._lose(self._silent(now - intake.data_at, "sent no values, not even its own clock,"))

    def _silent(self, age_s: float, what: str) -> SourceLost:
        return SourceLost(
            f"{self._config.url}: the server {what} for {age_s:.0f} s although the connection is open; "
            "check whether it is overloaded or frozen, and the network on the way"
        )

    def _lose(self, reason: Exception) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _report(self) -> None:
        late = self._thread.rhythm.late(time.monotonic(), running=np.array(self._items.running(), dtype=np.bool_))
        troubles = late | self._items.troubles() | self._intake.clocks.troubles() | self._alarms.troubles()
        if self._poller is not None:
            troubles[POLLED] = (
                f"the server has no subscriptions; its values are read every {self._config.publishing_ms:g} ms, "
                "and what changes in between is not seen"
            )
        elif not self._thread.has_heartbeat:
            troubles[NO_HEARTBEAT] = "the server does not let its clock be watched; only keep-alives show that it lives"
        if abs(self._session.skew_s) > SKEW_S:
            troubles[CLOCK] = (
                f"the server's clock is {abs(self._session.skew_s):.0f} s "
                f"{'ahead of' if self._session.skew_s > 0 else 'behind'} ours; set one of them"
            )
        if self._too_many:
            troubles[CROWDED] = self._too_many
        if self._session.expiring:
            troubles[CERTIFICATE] = "; ".join(self._session.expiring)
        if troubles and not self._status.troubles:
            example = ": ".join(next(iter(troubles.items())))
            logger.warning("source.troubled", source=self._config.name, troubles=len(troubles), example=example)
        self._status.troubles = troubles
