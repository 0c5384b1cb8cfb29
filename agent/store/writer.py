"""The writer thread: it collects what waits, lets the journal make it durable, and answers once for all of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from agent.store.intake import Accepted, Refused
from agent.store.journal import Journal
from agent.store.refusals import Held
from collectors.points import Batch, Delivery, Urgency

logger = structlog.get_logger(__name__)

COMMIT_BYTES = 1 << 20  # so much never waits for the linger
QUEUE_BYTES = 16 << 20  # so much may wait for a disk that is slow or refuses
IDLE_S = 10.0
TEND_S = 30.0
PROBE_S = 2.0  # how often a disk that refuses is tried again

Answer = tuple["asyncio.Future[Accepted]", Accepted]


class StoreFailed(RuntimeError):
    """The writer met a fault of its own. What is durable stays; nothing more is taken until the agent is restarted."""


@dataclass(slots=True)
class Linger:
    """When what waits has to be committed: pure, so that it can be tested without a clock."""

    linger_s: float
    due: float | None = None  # monotonic seconds; None while nothing waits
    waiting_bytes: int = 0

    def note(self, urgency: Urgency, size: int, now: float) -> None:
        """Something more waits."""
        self.waiting_bytes += size
        wait_s = {Urgency.IDLE: IDLE_S, Urgency.NORMAL: self.linger_s, Urgency.NOW: 0.0}[urgency]
        if self.waiting_bytes >= COMMIT_BYTES:
            wait_s = 0.0
        self.due = now + wait_s if self.due is None else min(self.due, now + wait_s)

    def clear(self) -> None:
        """Nothing waits any more."""
        self.due, self.waiting_bytes = None, 0


@dataclass(slots=True)
class Waiting:
    """A delivery and who waits for it."""

    delivery: Delivery
    future: asyncio.Future[Accepted]
    size: int = field(default=0)


class Writer:
    """Owns the journal. `put`, `save_cursors` and `stop` may be called from the loop, everything else is the thread's.

    `on_commit` is called in the loop after every commit, with everything that became durable answered already.
    """

    def __init__(self, journal: Journal, *, linger_s: float, on_commit: Callable[[], None]) -> None:
        self.journal = journal
        self.state, self.reason = "ok", ""
        self.queued_bytes = 0
        self._linger = Linger(linger_s)
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._queue: list[Waiting] = []
        self._under_way: list[Waiting] = []  # taken from the queue, not yet answered
        self._savers: list[asyncio.Future[None]] = []
        self._save_due: float | None = None  # monotonic seconds; None while nobody asks
        self._condition = threading.Condition()
        self._stopping = False
        self._tended = 0.0
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._stopped: asyncio.Future[None] = self._loop.create_future()

    async def start(self) -> None:
        """Open the journal in the thread; raises what that raises."""
        self._thread.start()
        await self._opened

    async def stop(self) -> None:
        """Commit what waits, save the cursors, seal, end the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        await self._stopped
        self._thread.join()

    def put(self, delivery: Delivery) -> asyncio.Future[Accepted]:
        """Queue a delivery; the future is done when it is durable, and cancelled if the agent stops before that.

        Raises StoreFailed where the writer has ended by a fault of its own.
        """
        future: asyncio.Future[Accepted] = self._loop.create_future()
        size = size_of(delivery)
        urgency = delivery.urgency if isinstance(delivery, Batch) else Urgency.NORMAL
        now = self.journal.clocks.monotonic()
        with self._condition:
            if self.state == "failed":
                raise StoreFailed(self.reason)
            self.queued_bytes += size
            self._queue.append(Waiting(delivery, future, size))
            before = self._linger.due
            self._linger.note(urgency, size, now)
            if self._linger.due != before:
                self._condition.notify()
        return future

    def save_cursors(self) -> asyncio.Future[None]:
        """Make all places durable at once; the future is done when they are. Raises StoreFailed as `put` does."""
        future: asyncio.Future[None] = self._loop.create_future()
        with self._condition:
            if self.state == "failed":
                raise StoreFailed(self.reason)
            self._savers.append(future)
            self._save_due = 0.0
            self._condition.notify()
        return future

    def _run(self) -> None:
        try:
            self.journal.open()
        except BaseException as error:
            self._tell(_fail, self._opened, error)
            return
        self._tell(_finish, self._opened, None)
        try:
            self._work()
        except Exception as error:
            self._give_up(error)
        self._tell(_finish, self._stopped, None)

    def _work(self) -> None:
        self._tended = self.journal.clocks.monotonic()
        while not self._stopping:
            self._commit(self._take())
            self._save()
            self._tend()
        self._commit(self._take_all())
        self.journal.close()
        for future in self._savers:  # their places may be durable or not: nobody is told that they are
            self._tell(future.cancel)

    def _take(self) -> list[Waiting]:
        """Wait until something is due; the deliveries that are."""
        with self._condition:
            while not self._stopping and not self.journal.found_damage:
                now = self.journal.clocks.monotonic()
                dues = (self._linger.due, self._save_due, self._tended + TEND_S)
                wait_s = min(due for due in dues if due is not None) - now
                if wait_s <= 0:
                    break
                self._condition.wait(wait_s)
            is_due = self._linger.due is not None and self._linger.due <= self.journal.clocks.monotonic()
            return self._take_all() if is_due or self._stopping else []

    def _take_all(self) -> list[Waiting]:
        waiting, self._queue = self._queue, []
        self._linger.clear()
        return waiting

    def _commit(self, waiting: list[Waiting]) -> None:
        self._under_way = waiting
        answers = self._stage(waiting)
        if self._flush():
            self._under_way = []
            if waiting:
                self._tell(self._answer, answers, sum(each.size for each in waiting))
        else:
            self._forsake()

    def _stage(self, waiting: list[Waiting]) -> list[Answer]:
        """Stage all at once; if one of them is no delivery, one by one, so that only its owner hears of it."""
        try:
            accepted = self.journal.stage([each.delivery for each in waiting])
            return list(zip((each.future for each in waiting), accepted, strict=True))
        except Refused as error:
            if len(waiting) == 1:
                self._tell(_fail, waiting[0].future, error)
                return []
            return [answer for each in waiting for answer in self._stage([each])]

    def _flush(self) -> bool:
        """Until it is durable, which is True, or the agent is stopped while the disk refuses, which is not."""
        while True:
            try:
                self.journal.flush()
            except Held as held:
                self._hold(held)
                self._save()  # readers go on with what is durable, so that space may become free
                self._tend()
                with self._condition:
                    self._condition.wait_for(self._is_wanted, PROBE_S)
                if self._stopping:
                    return False
            else:
                if self.state != "ok":
                    logger.info("store.resumed", was=self.state)
                    self.state, self.reason = "ok", ""
                return True

    def _is_wanted(self) -> bool:
        """Whether there is more to do than to try the disk again."""
        is_asked = self._save_due is not None and self._save_due <= self.journal.clocks.monotonic()
        return self._stopping or is_asked

    def _forsake(self) -> None:
        """Nobody may believe that what is not durable is: those who wait are cancelled, their sources send again."""
        for each in self._under_way:
            self._tell(each.future.cancel)

    def _give_up(self, error: Exception) -> None:
        """A fault of ours: whoever waits or comes later is told, so that the agent ends and is started again."""
        logger.exception("store.failed", error=repr(error))
        with self._condition:
            self.state, self.reason = "failed", repr(error)
            waiting = [*self._under_way, *self._take_all()]
            savers, self._savers = self._savers, []
        for each in waiting:
            self._tell(_fail, each.future, StoreFailed(self.reason))
        for saver in savers:
            self._tell(saver.cancel)
        self._tell(self._answer, [], sum(each.size for each in waiting))  # who waits for room may come in, and hear it

    def _hold(self, held: Held) -> None:
        if self.state != held.state:
            logger.error("store.held", state=held.state, reason=held.reason)
        self.state, self.reason = held.state, held.reason

    def _save(self) -> None:
        """Make the places durable if someone asked; on a disk that refuses, they wait for the next try."""
        with self._condition:
            if self._save_due is None or self._save_due > self.journal.clocks.monotonic():
                return
            self._save_due, savers, self._savers = None, self._savers, []
        try:
            self.journal.flush_cursors()
        except (OSError, Held) as error:
            logger.debug("cursor.held", error=str(error))
            with self._condition:
                self._savers += savers
                self._save_due = self.journal.clocks.monotonic() + PROBE_S
            return
        for future in savers:
            self._tell(_finish, future, None)

    def _tend(self) -> None:
        now = self.journal.clocks.monotonic()
        if now - self._tended >= TEND_S:
            self._tended = now
            self.journal.tend()

    def _answer(self, answers: list[Answer], size: int) -> None:
        """In the loop: everyone whose data is durable may go on."""
        self.queued_bytes -= size
        for future, accepted in answers:
            _finish(future, accepted)
        self._on_commit()

    def _tell(self, what: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits any more
            logger.debug("loop.closed")


def size_of(delivery: Delivery) -> int:
    """About what it takes up in memory, in bytes."""
    match delivery:
        case Batch():
            return 200 + 25 * len(delivery) + sum(map(len, delivery.texts))
        case _:
            return 500 + len(getattr(delivery, "payload", b""))


def _finish(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
