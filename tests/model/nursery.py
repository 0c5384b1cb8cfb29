"""Children that feed a real store on a real disk until they are killed, and the ledger of what they were promised.

A child is forked from a process that has everything imported, so that a life costs milliseconds. It says through a
pipe what was acknowledged; the parent compares that with what the files hold. Linux only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import select
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from agent.store import inspect
from agent.store.config import StoreConfig
from agent.store.log import Log
from tests.agent.store.journals import batch

CONFIG = StoreConfig(linger_s=0.0, segment_mb=0.06)
_SAID = struct.Struct("<cq")
_PIPE_BYTES = 1 << 20
FIRST_WORD_S = 20.0


@dataclass(slots=True)
class Promises:
    """What children have heard from their stores."""

    acked: set[int] = field(default_factory=set)
    place: int = 0  # that was said to be durable
    starts_s: list[float] = field(default_factory=list)
    moved_back: int = 0  # places that were durable once and then earlier

    def hear(self, said: bytes) -> None:
        """Whole messages only; a torn one was never said."""
        for kind, number in _SAID.iter_unpack(said[: len(said) // _SAID.size * _SAID.size]):
            match kind:
                case b"A":
                    self.acked.add(number)
                case b"P":
                    self.moved_back += number < self.place
                    self.place = max(self.place, number)
                case b"S":
                    self.starts_s.append(number / 1e9)

    def lost(self, directory: Path) -> set[int]:
        """What was acknowledged and is neither in the log nor said to be lost."""
        entries = inspect.entries(directory)
        return self.acked - {int(p.value) for e in entries if e.batch.source == "s" for p in e.batch.points()}


class Child:
    """One life. `work(say)` runs in the child; `say(kind, number)` tells the parent."""

    def __init__(self, work: Callable[[Callable[[bytes, int], None]], None]) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self._said = b""
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._read)
                structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
                work(lambda kind, number: os.write(write, _SAID.pack(kind, number)) and None)
            finally:
                os._exit(0)
        os.close(write)

    def said(self) -> bytes:
        """Everything it has said until now."""
        while True:
            try:
                block = os.read(self._read, _PIPE_BYTES)
            except BlockingIOError:
                return self._said
            if not block:
                return self._said
            self._said += block

    def live(self, chance: random.Random, most_s: float) -> None:
        """Let it live for a random time: three times of four from its first word on, so that a slow machine gives it
        work to lose too, else from its birth, so that starts are cut short as well.
        """
        if chance.random() < 0.75:
            select.select([self._read], [], [], FIRST_WORD_S)
        time.sleep(chance.uniform(0.01, most_s))

    def kill(self) -> bytes:
        """SIGKILL; returns everything it has said."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return self.bury()

    def bury(self) -> bytes:
        """After its end: everything it has said."""
        said = self.said()
        os.close(self._read)
        return said


def feed(directory: Path, seed: int) -> Callable[[Callable[[bytes, int], None]], None]:
    """Work for a child: append records of several sizes, read, confirm, for ever. Numbers go on from the last life."""

    async def main(say: Callable[[bytes, int], None]) -> None:
        chance = random.Random(seed)
        began = time.monotonic_ns()
        async with Log.open(CONFIG, directory=directory, plant="p") as log:
            say(b"S", time.monotonic_ns() - began)
            cursor = log.cursor("reader")
            say(b"P", int(cursor.state or b"0"))
            t_ns = int(str(log.status()["durable_seq"])) * 1000 + 1
            while True:
                numbers = range(t_ns, t_ns + chance.randint(1, 5))
                t_ns = numbers[-1] + 1
                batches = [batch(n, *[float(n)] * chance.randint(1, 4)) for n in numbers]
                await asyncio.gather(*map(log.append, batches))
                for number in numbers:
                    say(b"A", number)
                if chance.random() < 0.2:
                    entries = await cursor.read(max_points=1000, linger_s=0.0)
                    await cursor.commit(entries[-1].seq, str(entries[-1].seq).encode())
                    say(b"P", entries[-1].seq)

    return lambda say: asyncio.run(main(say))
