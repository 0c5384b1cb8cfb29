"""Cursors: where each reader stands, kept in two files that are overwritten in turn."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote
from zlib import crc32

from agent.store.files import Files, replace_file, write_whole

MAGIC = b"RWCU"
IN_ORDER, IN_LANES = 1, 2  # versions: one state, or one for each interval
SLOT_BYTES = 4096
ENDLESS = 2**63

_FIXED = struct.Struct("<4sIBxxxIIIQ16s")
_CRC_FROM = 8

Interval = tuple[int, int]


class Lane(NamedTuple):
    """Everything after `start`, up to and including `seq`, is done; `state` belongs to exactly that."""

    start: int
    seq: int
    state: bytes


class Confirmed(NamedTuple):
    """What a reader has done: everything up to `seq`, and what the later lanes did out of turn, ascending."""

    seq: int = 0
    state: bytes = b""
    later: tuple[Lane, ...] = ()

    @classmethod
    def of(cls, lanes: Iterable[Lane]) -> Confirmed:
        """The first lane begins with the first number there is."""
        first, *later = lanes
        return cls(first.seq, first.state, tuple(later))

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """All of it, uniform."""
        return (Lane(0, self.seq, self.state), *self.later)

    @property
    def last_seq(self) -> int:
        """The highest number that it knows of."""
        return max(self.lanes[-1][:2])

    @property
    def undone(self) -> list[Interval]:
        """What is left: (after, up to), ascending; the last one has no end."""
        ends = [*(lane.start for lane in self.later), ENDLESS]
        return [(lane.seq, end) for lane, end in zip(self.lanes, ends, strict=True) if lane.seq < end]


def united(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals (after, up to) in ascending order, those that touch as one."""
    found: list[Interval] = []
    for after, upto in sorted(intervals):
        if found and after <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], upto))
        else:
            found.append((after, upto))
    return found


@dataclass(frozen=True, slots=True)
class Slot:
    """The content of one cursor file."""

    generation: int
    store: bytes
    confirmed: Confirmed

    def pack(self) -> bytes:
        """As stored, padded to whole blocks."""
        lanes = self.confirmed.lanes
        version = IN_LANES if len(lanes) > 1 else IN_ORDER
        states = b"".join(lane.state for lane in lanes)
        head = _FIXED.pack(MAGIC, 0, version, len(lanes), len(states), 0, self.generation, self.store)
        body = head + b"".join(struct.pack("<QQ", lane.start + 1 if lane.start else 0, lane.seq) for lane in lanes)
        if version == IN_LANES:
            body += struct.pack(f"<{len(lanes)}I", *(len(lane.state) for lane in lanes))
        body += states
        body = MAGIC + struct.pack("<I", crc32(body[_CRC_FROM:])) + body[_CRC_FROM:]
        return body + bytes(-len(body) % SLOT_BYTES)

    @classmethod
    def unpack(cls, raw: bytes) -> Slot | None:
        """None unless whole and unharmed."""
        if len(raw) < _FIXED.size:
            return None
        magic, crc, version, count, states_len, _, generation, store = _FIXED.unpack_from(raw)
        begin = _FIXED.size + 16 * count + (4 * count if version == IN_LANES else 0)
        end = begin + states_len
        if magic != MAGIC or version not in (IN_ORDER, IN_LANES) or end > len(raw) or crc32(raw[_CRC_FROM:end]) != crc:
            return None
        numbers = struct.unpack_from(f"<{2 * count}Q", raw, _FIXED.size)
        if not numbers or numbers[0] != 0:
            return cls(generation, store, Confirmed())
        if version == IN_ORDER:  # one interval; whatever follows would have no state
            return cls(generation, store, Confirmed(numbers[1], raw[begin:end]))
        cuts = accumulate(struct.unpack_from(f"<{count}I", raw, _FIXED.size + 16 * count), initial=begin)
        states = [raw[cut:upto] for cut, upto in pairwise(cuts)]
        starts = [max(first - 1, 0) for first in numbers[::2]]
        return cls(generation, store, Confirmed.of(map(Lane, starts, numbers[1::2], states)))


class CursorFile:
    """One reader's place. `confirmed` is set by the reader at any time; `flush`, by the writer, makes it durable."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.confirmed = Confirmed()
        self.durable = Confirmed()
        self.is_wanted = False  # a reader of this process uses it
        self.is_new = True
        self.trouble = ""
        self.handed: Callable[[], list[Interval]] = self._confirmed  # (after, up to): what the reader has been given
        self.points_done = 0  # of all points the log ever counted: confirmed, or older than this reader
        self.points_dropped = 0  # given up before it had them
        self._given_up: list[tuple[str, int, int]] = []  # (stream, first, last) of what was dropped
        self._directory = directory
        self._generation = 0
        self._named: set[Path] = set()  # files whose names are durable

    @classmethod
    def load(cls, files: Files, directory: Path, name: str, *, store: bytes) -> CursorFile:
        """From whichever of the two files is good and newer; from the beginning where neither is."""
        cursor = cls(directory, name)
        slots = [slot for turn in (0, 1) if (slot := cursor._read(files, turn)) is not None]
        own = [slot for slot in slots if slot.store == store]
        if own:
            newest = max(own, key=lambda slot: slot.generation)
            cursor._generation = newest.generation
            cursor.confirmed = cursor.durable = newest.confirmed
            cursor.is_new = False
        elif slots:
            cursor.trouble = "its position belongs to another store; reading begins with the oldest data"
        else:
            cursor.trouble = "both copies of its position are unreadable; reading begins with the oldest data"
        return cursor

    def give_up(self, stream: str, first: int, last: int, *, points: int) -> None:
        """A segment is dropped, with points in it that the reader has not confirmed."""
        self.points_dropped += points
        self._given_up = [each for each in self._given_up if each[2] > self.confirmed.seq] + [(stream, first, last)]

    def done(self, stream: str, seq: int, points: int) -> None:
        """Points are confirmed; some may have been in the reader's hands when they were dropped."""
        self.points_done += points
        if any(stream == name and first <= seq <= last for name, first, last in self._given_up):
            self.points_dropped -= points

    def flush(self, confirmed: Confirmed, files: Files, *, store: bytes) -> int:
        """Make a place durable; returns the bytes written. Raises OSError."""
        generation = self._generation + 1
        raw = Slot(generation, store, confirmed).pack()
        path = self._path(generation % 2)
        is_new = path.name not in files.list(self._directory)
        if is_new:
            files.make_directory(self._directory)
        handle = files.open(path, write=not is_new, create=is_new)
        try:
            write_whole(files, handle, [raw], 0)
            files.sync(handle)
        finally:
            files.close(handle)
        if path not in self._named:  # also where an earlier try made the file and failed before this line
            files.sync_directory(self._directory)
            self._named.add(path)
        self._generation, self.durable = generation, confirmed
        return len(raw)

    def write_again(self, files: Files, *, store: bytes) -> None:
        """Make durable what was loaded: it may have been in memory only, and the sync that failed be forgotten.

        A new file takes the stead of the newest copy: a power cut leaves one of the two, and the other copy anyway.
        Raises OSError.
        """
        path = self._path(self._generation % 2)
        replace_file(files, path, Slot(self._generation, store, self.confirmed).pack())
        self._named.add(path)
        self.durable = self.confirmed

    def _confirmed(self) -> list[Interval]:
        return [(lane.start, lane.seq) for lane in self.confirmed.lanes]

    def _read(self, files: Files, turn: int) -> Slot | None:
        try:
            handle = files.open(self._path(turn))
        except OSError:
            return None
        try:
            return Slot.unpack(files.read(handle, files.size(handle), 0))
        except OSError:
            return None
        finally:
            files.close(handle)

    def _path(self, turn: int) -> Path:
        return self._directory / f"{quote(self.name, safe='')}.{turn}"


def load_cursors(files: Files, directory: Path, *, store: bytes) -> dict[str, CursorFile]:
    """All readers that have ever been here, by name."""
    names = {
        unquote(stem) for stem, _, turn in (n.rpartition(".") for n in files.list(directory)) if turn in ("0", "1")
    }
    return {name: CursorFile.load(files, directory, name, store=store) for name in sorted(names)}
