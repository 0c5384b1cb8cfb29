"""`syscalls`: the process is killed before every single system call that touches the store, its recovery included.

One scenario lives twice: it appends over several segments, keeps places and a dead letter, ends without closing and
with a torn tail; then it starts on what it finds, appends, drops what is over and closes. strace counts its calls and
kills it at the n-th of each kind; then the store must start and hold everything that was acknowledged. `--count` takes
every so-manieth call only, so that about that many are tried. strace attaches when the interpreter is ready, so that
its own calls are not counted.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.store.config import StoreConfig
from agent.store.journal import Journal
from collectors.points import DeadLetter, Stream
from tests.agent.store.journals import batch, confirm, read, values
from tests.model.nursery import Child, Promises
from tests.soak.finding import Finding, Missing

CALLS = (
    "openat,pwritev,pwrite64,write,pread64,fdatasync,fsync,fallocate,ftruncate,rename,renameat,unlink,unlinkat,mkdir,"
    "flock,close"
)
CONFIG = StoreConfig(segment_mb=1 / 1024, quota_mb=10, rewind_hours=0.0)
VALUES = 27
READ = 25  # of them have been confirmed when segments are deleted


def scenario(directory: Path) -> Callable[[Callable[[bytes, int], None]], None]:
    """Both lives. Every value is said when it is durable."""

    def work(say: Callable[[bytes, int], None]) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)  # until strace is there
        journal = start(directory)
        append(journal, range(1, 12), say)
        confirm(journal, "reader", 8)
        say(b"P", 8)
        journal.stage([DeadLetter("mqtt", 1, "topic", "bad", b"payload")])
        append(journal, range(12, 20), say)
        tear(journal, directory)
        journal = start(directory)
        say(b"P", journal.cursor("reader").confirmed.seq)
        append(journal, range(20, VALUES + 1), say)
        confirm(journal, "reader", journal.durable_seq - (VALUES - READ))
        journal.tend()
        journal.close()

    return work


def start(directory: Path) -> Journal:
    """An open store with segments of a few records."""
    journal = Journal(directory, plant="p", config=CONFIG)
    journal.open()
    return journal


def append(journal: Journal, numbers: range, say: Callable[[bytes, int], None]) -> None:
    """Each value alone, and every third one among the records."""
    for number in numbers:
        stream = Stream.RECORDS if number % 3 == 0 else Stream.TELEMETRY
        row = [float(number)] + [number + 0.1 * part for part in range(1, 4)]
        journal.stage([batch(number, *row, stream=stream)])
        journal.flush()
        say(b"A", number)


def tear(journal: Journal, directory: Path) -> None:
    """End without closing, with a record half written."""
    segment = max((directory / "telemetry").iterdir())
    with segment.open("r+b") as file:
        file.seek(journal.telemetry.segments[-1].end)
        file.write(b"RWRC" + bytes(range(60)))
    journal.files.close(journal._lock)


def traced(directory: Path, *options: str) -> tuple[Child, str]:
    """Run the scenario under strace; returns the child, which has ended, and what strace wrote."""
    child = Child(scenario(directory))
    os.waitpid(child.pid, os.WUNTRACED)
    log = directory.with_suffix(".strace")
    command = ["strace", "-p", str(child.pid), "-o", str(log), "-e", f"trace={CALLS}", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        while "attached" not in (line := strace.stderr.readline()):
            if not line:
                raise Missing("strace cannot attach to a process; it needs the right to trace (CAP_SYS_PTRACE)")
        os.kill(child.pid, signal.SIGCONT)
        os.waitpid(child.pid, 0)
    return child, log.read_text()


def calls_of_scenario() -> list[tuple[str, int]]:
    """(call, n) for each system call of the scenario, in order."""
    with tempfile.TemporaryDirectory(prefix="raceway-syscalls-") as folder:
        child, text = traced(Path(folder) / "log")
        child.bury()
    count: Counter[str] = Counter()
    found = []
    for name in re.findall(r"^(\w+)\(", text, re.MULTILINE):
        count[name] += 1
        found.append((name, count[name]))
    return found


def lost_when_killed_at(name: str, nth: int) -> tuple[int, bool]:
    """How much of what was acknowledged is lost, and whether a durable place was; (0, False) is well."""
    with tempfile.TemporaryDirectory(prefix="raceway-syscalls-") as folder:
        directory = Path(folder) / "log"
        child, _ = traced(directory, "-e", f"inject={name}:signal=SIGKILL:when={nth}")
        promises = Promises()
        promises.hear(child.bury())
        journal = start(directory)
        kept = {int(value) for value in values(read(journal)) if value == int(value)}
        place = journal.cursor("reader").confirmed.seq
        kept |= set(range(1, READ + 1)) if place > VALUES else set()  # numbers have jumped beyond the torn tail
        journal.close()
        return len(promises.acked - kept), place < promises.place or promises.moved_back > 0


def soak(count: int | None) -> Finding:
    """Kill at every call, or at about `count` of them."""
    if shutil.which("strace") is None:
        raise Missing("strace is not installed")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    calls = calls_of_scenario()
    chosen = calls[:: max(1, len(calls) // count)] if count else calls
    results = [lost_when_killed_at(*call) for call in chosen]
    facts = {
        "count": len(chosen),
        "calls": len(calls),
        "acked_lost": sum(lost for lost, _ in results),
        "violations": sum(is_back for _, is_back in results),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finding(facts, not any(lost or is_back for lost, is_back in results))
