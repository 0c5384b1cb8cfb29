"""A storm over the simulated disk: random work, random faults, random crashes, and a ledger that knows the truth.

The ledger checks the store's invariants (agent/store/__init__.py) while it goes; `Violation` names the one that broke.
"""

from __future__ import annotations

import contextlib
import errno
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agent.store.config import StoreConfig
from agent.store.cursor import Confirmed, load_cursors
from agent.store.journal import Journal
from agent.store.reader import Reader
from agent.store.record import Frame, RecordType
from agent.store.refusals import Held
from agent.store.segment import Segment, frames, parse_name
from collectors.points import Batch, Clock, DeadLetter, Stream
from tests.model.ledger import EXCUSES, PLANT, SERIES, Key, Ledger, Violation
from tests.model.simfs import UNLIMITED, SimClocks, SimFiles

DIRECTORY = Path("/store")


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
        self.unset: list[Key] = []  # stamped by this life of the gateway, whose clock is not set
        self._value = 0
        self._time = 1_000_000
        self._seen: set[int] = set()  # disks that were looked at in thought
        self.states = 0  # of the disk, from which the store has started
        self.saved = 0  # the newest place that was durable
        self.places = {Confirmed()}
        self.start()

    def start(self) -> None:
        """Open whatever is on the disk."""
        self.states += 1
        self.waiting.clear()
        self.unset.clear()
        self.journal = Journal(DIRECTORY, plant=PLANT, config=self.config, files=self.files, clocks=self.clocks)
        try:
            self.journal.open()
        except Exception as error:
            raise Violation(f"I9: it does not start: {error!r}") from error
        self.cursor = self.journal.cursor("reader")
        self.journal.telemetry.quota_bytes = self.quota_bytes
        self._check_place(self.cursor.confirmed)
        self.saved = self.cursor.durable.seq
        self.reader = Reader(self.journal, self.cursor.confirmed.seq)
        self.cursor.handed = lambda: [(0, self.reader.seq)]
        self._look_at_what_is_published()

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
        self._look_at_what_is_published()

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
        self.ledger.read(self.journal.timekeeper.corrected("reader", entries), after)
        if entries and self.random.random() < 0.8:
            self.ledger.confirmed = entries[-1].seq
            state = self.cursor.confirmed.state
            if self.random.random() < 0.2:  # sectors tear where it is longer than one of them
                state = b"%d" % entries[-1].seq * self.random.choice((1, 200, 500))
            self.cursor.confirmed = Confirmed(entries[-1].seq, state)
            self.places.add(self.cursor.confirmed)

    def save(self) -> None:
        """Make the reader's place durable."""
        try:
            self.journal.flush_cursors()
        except (OSError, Held):
            return
        self.saved = self.cursor.durable.seq

    def keep(self) -> None:
        """Read, and make the place durable."""
        self.read()
        self.save()

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

    def die(self) -> None:
        """Kill it in the middle of some work, and start again, sometimes on a disk that refuses."""
        self._interrupt(self._some_work(), self._some_call())
        self.files.kill()
        if self.random.random() < 0.5:
            self.fail()
        self.start()

    def crash(self) -> None:
        """Cut the power and start again; sometimes cut it again while it starts."""
        self.heal()
        self._lose_power()
        if self.random.random() < 0.3:  # a gateway without a battery
            self.clocks.behind, self.clocks.is_kept = self.random.randrange(10**10, 10**16), False
        if self.random.random() < 0.2:
            self._crash_while_starting()
        self.start()

    def probe(self, tries: int) -> None:
        """Work, and cut the power in thought, so many times, before the calls that settle what was promised.

        Everything acknowledged must be found on each disk that this leaves. Disks that are alike count once.
        """
        left, before = tries, self.files.fault

        def fault(method: str, path: Path) -> int | None:
            nonlocal left
            if method in SETTLING:
                share = min(left, self.random.randint(1, 6))
                left -= share
                self._cut_in_thought(share)
            return before(method, path)

        self.append()
        self.files.fault = fault
        self._some_work()()
        self.files.fault = before
        self._cut_in_thought(left)

    def _cut_in_thought(self, tries: int) -> None:
        for _ in range(tries):
            disk = self.files.copy()
            disk.crash(self.random)
            if (mark := disk.fingerprint()) not in self._seen:
                self._seen.add(mark)
                self._examine(disk)

    def _examine(self, disk: SimFiles) -> None:
        self.states += 1
        journal = Journal(DIRECTORY, plant=PLANT, config=self.config, files=disk, clocks=self.clocks.of_the_next_boot())
        try:
            journal.open()
        except Exception as error:
            raise Violation(f"I9: it does not start: {error!r}") from error
        seen = self.ledger.copy()
        place = min((cursor.durable.seq for cursor in journal.cursors.values()), default=0)
        self._check_place(journal.cursors["reader"].confirmed if journal.cursors else Confirmed())
        reader = Reader(journal, place)
        while reader.seq < journal.durable_seq:
            after = reader.seq
            entries = reader.next_on_disk(1000) or reader.next_in_memory(1000) or []
            seen.read(journal.timekeeper.corrected("reader", entries), after)
        seen.settle(excuses=EXCUSES)

    def _check_place(self, place: Confirmed) -> None:
        if place.seq > self.ledger.confirmed:
            raise Violation(f"I5: the cursor says {place.seq}, confirmed {self.ledger.confirmed}")
        if self.are_places_safe and place.seq < self.saved:
            raise Violation(f"I5: place {self.saved} was durable, now it is {place.seq}")
        if place not in self.places:
            raise Violation(f"I5: {place} is no place that was ever confirmed")

    def cut(self) -> None:
        """Cut the power in the middle of some work, and start again."""
        self.heal()
        self._interrupt(self._some_work(), self._some_call())
        self._lose_power()
        self.start()

    def _some_work(self) -> Callable[[], None]:
        return self.random.choice((self.flush, self.flush, self.keep, self.tend, self.journal.close))

    def _some_call(self) -> int:
        return self.random.randint(0, self.random.choice((4, 15)))

    def _crash_while_starting(self) -> None:
        self._interrupt(self.start, self.random.randint(0, 30))
        self._lose_power()

    def _lose_power(self) -> None:
        self.files.crash(self.random)
        self.clocks = self.clocks.of_the_next_boot()

    def _interrupt(self, work: Callable[[], None], calls: int) -> None:
        """Let work end in the middle of a call; afterwards nothing refuses."""
        before = self.files.fault

        def fault(method: str, path: Path) -> int | None:
            nonlocal calls
            calls -= 1
            if calls < 0:
                raise Interrupted
            return before(method, path)

        self.files.fault = fault
        with contextlib.suppress(Interrupted):
            work()
        self.heal()

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
                if method == "open":
                    self.saved = 0  # where a place, or the store's identity, cannot be read, it begins anew
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
        """Let the wall clock jump; the one that is behind is set."""
        self._time += 100
        if not self.clocks.is_kept:
            self._set_clock()
            return
        self.clocks.wall += self.random.choice((-(10**9), 10**9, 315_000_000, -50_000_000)) * 10**9

    def _set_clock(self) -> None:
        self.heal()
        self.clocks.behind, self.clocks.is_kept = 0, True
        self.flush()
        self.ledger.overdue.update(key for key in self.unset if key not in self.ledger.delivered)

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
                self.ledger.read(self.journal.timekeeper.corrected("reader", entries), after)
        self.ledger.settle(excuses=(*EXCUSES, "corrupt") if self.ledger.is_harmed else EXCUSES)

    def _watch(self, method: str, path: Path) -> None:
        """I10: when a segment's name goes, the place that allows it is on the disk already."""
        if method != "unlink" or path not in self.files.paths() or path.suffix != ".seg" or path.parent.name == "dlq":
            return
        base_seq, epoch = parse_name(path.name) or (0, 0)
        segment = Segment(path, base_seq, epoch, end=len(self.files.content(path)))
        held = [item.header for item in frames(self.files, segment) if isinstance(item, Frame)]
        others = (parse_name(other.name) for other in self.files.worst().paths() if other.parent == path.parent)
        limit = min((other[0] for other in others if other and other > (base_seq, epoch)), default=UNLIMITED)
        numbers = (header.next_seq - 1 for header in held if header.type == RecordType.DATA and header.seq < limit)
        last = max(numbers, default=0)  # the others are said again by a later segment
        if not self.are_places_safe or last > self.journal.durable_seq:  # beyond that, nobody was promised it
            return
        if not self._is_confirmed(last):
            raise Violation(f"I10: {path.name} goes before the place {last} is durable")

    def _look_at_what_is_published(self) -> None:
        """I4: what readers may see is on the disk, but for a disk that refuses to."""
        for stream in (self.journal.telemetry, self.journal.records):
            for segment in stream.segments:
                if segment.seal.records and not self.files.is_durable(segment.path, segment.end):
                    raise Violation(f"I4: {segment.path.name} is published and not durable")

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
            if which[row] == 6:
                t_ns[row] = self._stamp(key)
            self.ledger.produced[key] = int(t_ns[row])
            if which[row] == 7:
                value[row] = len(texts)
                texts.append(str(self._value))
        stream = self.random.choice((Stream.TELEMETRY, Stream.TELEMETRY, Stream.RECORDS))
        zeros = np.zeros(rows, np.uint32)
        clock = np.where(which == 6, np.uint8(Clock.GATEWAY), np.uint8(Clock.SOURCE))
        batch = Batch("s", self.clocks.wall_ns(), SERIES, which, t_ns, value, zeros, clock, texts)
        batch.stream = stream
        return keys, batch

    def _stamp(self, key: Key) -> int:
        """On receipt, by the gateway's clock."""
        self.clocks.go_on(1e-6)
        self.ledger.true[key] = self.clocks.wall
        if not self.clocks.is_kept:
            self.unset.append(key)
        return self.clocks.wall_ns()


class Interrupted(BaseException):
    """The end, in the middle of some work."""


SETTLING = ("sync", "sync_directory", "rename", "unlink", "truncate")  # calls before which most is promised
WORK = (
    ("append", 30), ("flush", 25), ("read", 20), ("save", 3), ("letter", 2), ("tend", 3), ("crash", 4), ("cut", 3),
    ("kill", 2), ("die", 4), ("close", 1), ("fail", 3), ("fill", 2), ("heal", 4), ("jump", 2),
)  # fmt: skip


def run(
    seed: int, *, steps: int = 60, segment_kb: int = 4, quota_kb: int = 1 << 20, flips: int = 0, probes: int = 0,
    shows_freed_blocks: bool = False,
) -> Storm:  # fmt: skip
    """One storm; raises Violation. Settles at the end; before that, after every fifth step, looks at `probes` states
    that a power cut could leave.

    `flips` is how likely a bit flips, in the weights of `WORK`. The disk is never full then as well: a bit that flips
    in the very gap record that names what a full disk cost hides that count, which no single fault can do.
    """
    storm = Storm(seed, segment_kb=segment_kb, quota_kb=quota_kb)
    work = [(name, weight) for name, weight in (*WORK, ("flip", flips)) if not (flips and name in ("fail", "fill"))]
    storm.files.shows_freed_blocks = shows_freed_blocks
    names, weights = zip(*work, strict=True)
    for step in range(steps):
        getattr(storm, storm.random.choices(names, weights)[0])()
        if probes and step % 5 == 4:
            storm.probe(probes)
    storm.finish()
    return storm
