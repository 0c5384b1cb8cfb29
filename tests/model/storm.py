"""A storm over the simulated disk: random work, random faults, random crashes, and a ledger that knows the truth.

The ledger checks the store's invariants (agent/store/__init__.py) while it goes; `Violation` names the one that broke.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import orjson

from agent.sink import Entry
from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed, load_cursors
from agent.store.journal import Journal
from agent.store.reader import Reader
from agent.store.record import Frame, RecordType
from agent.store.refusals import Held
from agent.store.segment import Segment, frames, parse_name
from collectors.points import Batch, DeadLetter, Kind, Series, Stream
from tests.model.simfs import UNLIMITED, SimClocks, SimFiles

DIRECTORY = Path("/store")
PLANT = "p"
SERIES = tuple(
    Series(PLANT, "", "", f"machine-{number}", "signal", kind=Kind.TEXT if number == 7 else Kind.GAUGE)
    for number in range(8)
)
EXCUSES = ("quota", "disk_full")  # reasons of gaps that may hide what was acknowledged, on a disk that is not harmed
Key = tuple[str, int]  # machine, value: every value is used once


class Violation(AssertionError):
    """An invariant of the store does not hold."""


@dataclass(slots=True)
class Ledger:
    """What was produced, acknowledged, delivered and said to be lost."""

    produced: dict[Key, int] = field(default_factory=dict)  # to the time it was given
    acked: set[Key] = field(default_factory=set)
    delivered: dict[Key, int] = field(default_factory=dict)  # to the time it was read with
    times: dict[tuple[str, int], Key] = field(default_factory=dict)  # I6
    digests: dict[int, bytes] = field(default_factory=dict)  # I7: of every number that was ever read
    lost: Counter[str] = field(default_factory=Counter)
    lost_unknown: Counter[str] = field(default_factory=Counter)  # gaps that do not know how many
    confirmed: int = 0
    is_harmed: bool = False  # a flipped bit may hide that a time is taken: then I6 cannot hold

    def copy(self) -> Ledger:
        """One that learns more without this one knowing."""
        lost, unknown = Counter(self.lost), Counter(self.lost_unknown)
        return replace(
            self, delivered=dict(self.delivered), times=dict(self.times), digests=dict(self.digests), lost=lost,
            lost_unknown=unknown,
        )  # fmt: skip

    def read(self, entries: list[Entry], after: int) -> None:
        """Check what a reader got."""
        for seq, batch in entries:
            if seq <= after:
                raise Violation(f"I3: {seq} comes after {after}")
            after = seq
            if self._is_again(seq, batch):
                continue
            if batch.source == "store":
                self._gap(batch)
                continue
            for point in batch.points():
                value = int(point.value)
                key = (point.series.machine, value)
                given = self.produced.get(key)
                if given is None or not given <= point.t_ns <= given + 90:
                    raise Violation(f"I2: {point} was never produced")
                if self.times.setdefault((key[0], point.t_ns), key) != key and not self.is_harmed:
                    raise Violation(f"I6: {point} beside {self.times[key[0], point.t_ns]}")
                self.delivered[key] = point.t_ns

    def _is_again(self, seq: int, batch: Batch) -> bool:
        """Whether it was read before; raises Violation where it was something else then."""
        columns = (batch.which, batch.t_ns, batch.value, batch.quality, batch.clock)
        told = f"{batch.source} {batch.received_ns} {batch.texts}".encode()
        digest = hashlib.sha256(b"".join([told, *(column.tobytes() for column in columns)])).digest()
        known = self.digests.setdefault(seq, digest)
        if known != digest:
            raise Violation(f"I7: {seq} is not what it was")
        return known is not digest

    def _gap(self, batch: Batch) -> None:
        for point in batch.points():
            said = orjson.loads(str(point.value))
            if ("gap", point.t_ns) in self.delivered:
                continue
            self.delivered["gap", point.t_ns] = point.t_ns
            if said["points"] is None:
                self.lost_unknown[said["reason"]] += 1
            else:
                self.lost[said["reason"]] += said["points"]

    def settle(self, *, excuses: Sequence[str]) -> None:
        """At the end: what was acknowledged was delivered, or a gap says so, for one of these reasons."""
        missing = self.acked - self.delivered.keys()
        is_unknown = any(self.lost_unknown[reason] for reason in excuses)
        if len(missing) > sum(self.lost[reason] for reason in excuses) and not is_unknown:
            raise Violation(
                f"I1: {len(missing)} acknowledged points are nowhere, gaps say {dict(self.lost)}: {sorted(missing)[:3]}"
            )


class Storm:
    """One journal, its crashes, one reader, and the ledger."""

    def __init__(self, seed: int, *, segment_kb: int = 4, quota_kb: int = 1 << 20) -> None:
        self.random = random.Random(seed)
        self.files = SimFiles()
        self.files.watch = self._watch
        self.are_places_safe = True  # no bit of a cursor's file was ever flipped
        self.clocks = SimClocks()
        self.ledger = Ledger()
        self.config = StoreConfig(segment_mb=segment_kb / 1024)
        self.quota_bytes = quota_kb << 10
        self.waiting: list[Key] = []  # staged, not acknowledged
        self._value = 0
        self._time = 1_000_000
        self.states = 0  # of the disk, from which the store has started
        self.saved = 0  # the newest place that was durable
        self.start()

    def start(self) -> None:
        """Open whatever is on the disk."""
        self.states += 1
        self.waiting.clear()
        self.journal = Journal(DIRECTORY, plant=PLANT, config=self.config, files=self.files, clocks=self.clocks)
        try:
            self.journal.open()
        except Exception as error:
            raise Violation(f"I9: it does not start: {error!r}") from error
        self.cursor = self.journal.cursor("reader")
        self.journal.telemetry.quota_bytes = self.quota_bytes
        if self.cursor.confirmed.seq > self.ledger.confirmed:
            raise Violation(f"I5: the cursor says {self.cursor.confirmed.seq}, confirmed {self.ledger.confirmed}")
        if self.are_places_safe and self.cursor.confirmed.seq < self.saved:
            raise Violation(f"I5: place {self.saved} was durable, now it is {self.cursor.confirmed.seq}")
        self.saved = self.cursor.durable.seq
        self.reader = Reader(self.journal, self.cursor.confirmed.seq)

    # Work.

    def append(self) -> None:
        """Stage a batch or two; what is acknowledged later is noted by `flush`."""
        for _ in range(self.random.randint(1, 3)):
            rows = self.random.choice((1, 1, 3, 40))
            keys, batch = self._batch(rows)
            self.journal.stage([batch])
            self.waiting += keys

    def flush(self) -> None:
        """Commit; only then is anything acknowledged."""
        try:
            self.journal.flush()
        except Held:
            return
        self.ledger.acked.update(self.waiting)
        self.waiting.clear()

    def read(self) -> None:
        """Read some, confirm some."""
        after = self.reader.seq
        most = self.random.choice((1, 10, 1000))
        entries = self.reader.next_in_memory(most)
        if entries is None or (entries and self.random.random() < 0.3):
            if entries:
                self.reader = Reader(self.journal, after)
            try:
                entries = self.reader.next_on_disk(most)
            except OSError:
                return
        if entries and entries[-1].seq > self.journal.durable_seq:
            raise Violation("I4: read beyond what is durable")
        self.ledger.read(entries, after)
        if entries and self.random.random() < 0.8:
            self.ledger.confirmed = entries[-1].seq
            state = str(entries[-1].seq).encode() if self.random.random() < 0.2 else self.cursor.confirmed.state
            self.cursor.confirmed = Confirmed(entries[-1].seq, state)

    def save(self) -> None:
        """Make the reader's place durable."""
        try:
            self.journal.flush_cursors()
        except (OSError, Held):
            return
        self.saved = self.cursor.durable.seq

    def letter(self) -> None:
        """Stage a dead letter."""
        self.journal.stage([DeadLetter("mqtt", 1, "topic", "bad", self.random.randbytes(20))])

    def tend(self) -> None:
        """Let time pass and the journal clean up."""
        self._time += 100  # machines' clocks go on as well: what is deleted for its age is not the newest for ever
        self.clocks.go_on(self.random.choice((1, 60, 90_000)))
        self.journal.tend()

    # Faults.

    def kill(self) -> None:
        """End the process as kill -9 does, and start again."""
        self.files.kill()
        self.start()

    def crash(self) -> None:
        """Cut the power and start again; sometimes cut it again while it starts."""
        self.heal()
        self.files.crash(self.random)
        if self.random.random() < 0.2:
            self._crash_while_starting()
        self.start()

    def probe(self, states: int) -> None:
        """Cut the power in thought, that many times from this very moment: everything acknowledged must be found."""
        for _ in range(states):
            disk = self.files.copy()
            disk.crash(self.random)
            self._examine(disk)
            self.states += 1

    def _examine(self, disk: SimFiles) -> None:
        journal = Journal(DIRECTORY, plant=PLANT, config=self.config, files=disk, clocks=self.clocks)
        try:
            journal.open()
        except Exception as error:
            raise Violation(f"I9: it does not start: {error!r}") from error
        seen = self.ledger.copy()
        place = min((cursor.durable.seq for cursor in journal.cursors.values()), default=0)
        if place > self.ledger.confirmed:
            raise Violation(f"I5: the cursor says {place}, confirmed {self.ledger.confirmed}")
        reader = Reader(journal, place)
        while reader.seq < journal.durable_seq:
            after = reader.seq
            seen.read(reader.next_on_disk(1000) or reader.next_in_memory(1000) or [], after)
        seen.settle(excuses=EXCUSES)

    def cut(self) -> None:
        """Cut the power in the middle of some work, and start again."""
        self.heal()
        work = self.random.choice((self.flush, self.flush, self.save, self.tend, self.journal.close))
        self._until_the_power_goes(work, self.random.randint(0, 15))
        self.start()

    def _crash_while_starting(self) -> None:
        self._until_the_power_goes(self.start, self.random.randint(0, 30))

    def _until_the_power_goes(self, work: Callable[[], None], calls: int) -> None:
        def fault(method: str, path: Path) -> int | None:
            nonlocal calls
            calls -= 1
            if calls < 0:
                raise PowerCut
            return None

        self.files.fault = fault
        with contextlib.suppress(PowerCut):
            work()
        self.heal()
        self.files.crash(self.random)

    def close(self) -> None:
        """Stop politely and start again."""
        self.journal.close()
        self.start()

    def fail(self) -> None:
        """Let the disk refuse for the next few calls."""
        number = self.random.choice((errno.EIO, errno.ENOSPC, errno.EROFS))
        wanted = self.random.choice(
            ("write", "sync", "open", "truncate", "rename", "unlink", "sync_directory", "allocate")
        )
        left = self.random.randint(1, 3)

        def fault(method: str, path: Path) -> int | None:
            nonlocal left
            if method == wanted and left > 0:
                left -= 1
                return number
            return None

        self.files.fault = fault

    def fill(self) -> None:
        """Let other programs fill the disk, but for a few bytes."""
        self.files.capacity = self.files.used() + self.random.choice((0, 30, 300, 3000))

    def heal(self) -> None:
        """No more faults."""
        self.files.fault = lambda method, path: None
        self.files.is_read_only = False
        self.files.capacity = UNLIMITED

    def flip(self) -> None:
        """Turn over one bit somewhere, for good."""
        spared = ("LOCK", "reserve")
        paths = [path for path in self.files.paths() if self.files.content(path) and path.name not in spared]
        if paths:
            self.ledger.is_harmed = True
            path = self.random.choice(paths)
            self.are_places_safe &= path.parent.name != "cursors"
            content = self.files.content(path).rstrip(b"\0") or b"\0"
            at = self.random.randrange(len(content))
            self.files.overwrite(path, at, bytes([content[at] ^ 1 << self.random.randrange(8)]))

    def jump(self) -> None:
        """Let the wall clock jump."""
        self._time += 100
        self.clocks.wall += self.random.choice((-(10**9), 10**9, 315_000_000, -50_000_000)) * 10**9

    def finish(self) -> None:
        """Everything is well again: read to the end, settle the ledger."""
        self.heal()
        self.clocks.go_on(700)
        for _ in range(3):  # damage found while reading is told by records that are read in the next round
            self.flush()
            while self.reader.seq < self.journal.durable_seq:
                after = self.reader.seq
                entries = self.reader.next_in_memory(1000)
                if entries is None:
                    entries = self.reader.next_on_disk(1000)
                self.ledger.read(entries, after)
        self.ledger.settle(excuses=(*EXCUSES, "corrupt") if self.ledger.is_harmed else EXCUSES)

    def _watch(self, method: str, path: Path) -> None:
        """I10: when a segment's name goes, the place that allows it is on the disk already."""
        if method != "unlink" or path not in self.files.paths() or path.suffix != ".seg" or path.parent.name == "dlq":
            return
        base_seq, epoch = parse_name(path.name) or (0, 0)
        segment = Segment(path, base_seq, epoch, end=len(self.files.content(path)))
        held = [item.header for item in frames(self.files, segment) if isinstance(item, Frame)]
        last = max((header.next_seq - 1 for header in held if header.type == RecordType.DATA), default=0)
        if not self.are_places_safe or last > self.journal.durable_seq:  # beyond that, nobody was promised it
            return
        if not self._is_confirmed(last):
            raise Violation(f"I10: {path.name} goes before the place {last} is durable")

    def _is_confirmed(self, seq: int) -> bool:
        disk, directory = self.files.worst(), DIRECTORY / "cursors"
        cursors = load_cursors(disk, directory, store=self.journal.place.store)
        return min((cursor.durable.seq for cursor in cursors.values()), default=0) >= seq

    def _batch(self, rows: int) -> tuple[list[Key], Batch]:
        which = np.array([self.random.randrange(8) for _ in range(rows)], dtype=np.uint32)
        t_ns, keys, texts = np.empty(rows, np.int64), [], []
        value = np.empty(rows)
        for row in range(rows):
            self._value += 1
            if self.random.random() < 0.7:
                self._time += 100
            t_ns[row] = self._time
            value[row] = self._value
            key = (SERIES[which[row]].machine, self._value)
            keys.append(key)
            self.ledger.produced[key] = self._time
            if which[row] == 7:
                value[row] = len(texts)
                texts.append(str(self._value))
        stream = self.random.choice((Stream.TELEMETRY, Stream.TELEMETRY, Stream.RECORDS))
        zeros = np.zeros(rows, np.uint32)
        batch = Batch("s", self.clocks.wall_ns(), SERIES, which, t_ns, value, zeros, zeros.astype(np.uint8), texts)
        batch.stream = stream
        return keys, batch


class PowerCut(BaseException):
    """The power goes while the store is starting."""


WORK = (
    ("append", 30), ("flush", 25), ("read", 20), ("save", 3), ("letter", 2), ("tend", 3), ("crash", 4), ("cut", 3),
    ("kill", 2), ("close", 1), ("fail", 3), ("fill", 2), ("heal", 4), ("jump", 1),
)  # fmt: skip


def run(seed: int, *, steps: int = 60, quota_kb: int = 1 << 20, flips: int = 0, probes: int = 0) -> Storm:
    """One storm; raises Violation. Settles at the end; before that, after every fifth step, looks at `probes` states
    that a power cut could leave.

    `flips` is how likely a bit flips, in the weights of `WORK`. The disk is never full then as well: a bit that flips
    in the very gap record that names what a full disk cost hides that count, which no single fault can do.
    """
    storm = Storm(seed, quota_kb=quota_kb)
    work = [(name, weight) for name, weight in (*WORK, ("flip", flips)) if not (flips and name in ("fail", "fill"))]
    names, weights = zip(*work, strict=True)
    for step in range(steps):
        getattr(storm, storm.random.choices(names, weights)[0])()
        if probes and step % 5 == 4:
            storm.probe(probes)
    storm.finish()
    return storm
