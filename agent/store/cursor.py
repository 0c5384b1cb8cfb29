"""Cursors: where each reader stands, kept in two files that are overwritten in turn."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote
from zlib import crc32

from agent.store.files import Files, write_whole

MAGIC = b"RWCU"
VERSION = 1
SLOT_BYTES = 4096

_FIXED = struct.Struct("<4sIBxxxIIIQ16s")
_CRC_FROM = 8


class Confirmed(NamedTuple):
    """What a reader has done, and the state that belongs to exactly that."""

    seq: int = 0
    state: bytes = b""


@dataclass(frozen=True, slots=True)
class Slot:
    """The content of one cursor file. `done`: closed intervals of sequence numbers, ascending."""

    generation: int
    store: bytes
    done: tuple[tuple[int, int], ...]
    state: bytes

    def pack(self) -> bytes:
        """As stored, padded to whole blocks."""
        body = _FIXED.pack(
            MAGIC, 0, VERSION, len(self.done), len(self.state), 0, self.generation, self.store
        ) + b"".join(struct.pack("<QQ", *interval) for interval in self.done) + self.state  # fmt: skip
        body = MAGIC + struct.pack("<I", crc32(body[_CRC_FROM:])) + body[_CRC_FROM:]
        return body + bytes(-len(body) % SLOT_BYTES)

    @classmethod
    def unpack(cls, raw: bytes) -> Slot | None:
        """None unless whole and unharmed."""
        if len(raw) < _FIXED.size:
            return None
        magic, crc, version, count, state_len, _, generation, store = _FIXED.unpack_from(raw)
        end = _FIXED.size + 16 * count + state_len
        if magic != MAGIC or version != VERSION or end > len(raw) or crc32(raw[_CRC_FROM:end]) != crc:
            return None
        numbers = struct.unpack_from(f"<{2 * count}Q", raw, _FIXED.size)
        done = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        return cls(generation, store, done, raw[end - state_len : end])


class CursorFile:
    """One reader's place. `confirmed` is set by the reader at any time; `flush`, by the writer, makes it durable."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.confirmed = Confirmed()
        self.durable = Confirmed()
        self.is_wanted = False  # a reader of this process uses it
        self.is_new = True
        self.trouble = ""
        self.points_done = 0  # of all points the log ever counted: confirmed, or older than this reader
        self.points_dropped = 0  # given up before it had them
        self._directory = directory
        self._generation = 0

    @classmethod
    def load(cls, files: Files, directory: Path, name: str, *, store: bytes) -> CursorFile:
        """From whichever of the two files is good and newer; from the beginning where neither is."""
        cursor = cls(directory, name)
        slots = [slot for turn in (0, 1) if (slot := cursor._read(files, turn)) is not None]
        own = [slot for slot in slots if slot.store == store]
        if own:
            newest = max(own, key=lambda slot: slot.generation)
            cursor._generation = newest.generation
            last = newest.done[0][1] if newest.done and newest.done[0][0] == 0 else 0
            cursor.confirmed = cursor.durable = Confirmed(last, newest.state)
            cursor.is_new = False
        elif slots:
            cursor.trouble = "its position belongs to another store; reading begins with the oldest data"
        else:
            cursor.trouble = "both copies of its position are unreadable; reading begins with the oldest data"
        return cursor

    def flush(self, confirmed: Confirmed, files: Files, *, store: bytes) -> int:
        """Make a place durable; returns the bytes written. Raises OSError."""
        generation = self._generation + 1
        raw = Slot(generation, store, ((0, confirmed.seq),), confirmed.state).pack()
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
        if is_new:
            files.sync_directory(self._directory)
        self._generation, self.durable = generation, confirmed
        return len(raw)

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
