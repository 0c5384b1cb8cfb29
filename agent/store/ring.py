"""The newest entries in memory, so that a reader that keeps up never touches the disk."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice

from agent.sink import Entry

RING_BYTES = 4 << 20
_ROW_BYTES = 25
_ENTRY_BYTES = 1200


class Ring:
    """A bounded run of entries with consecutive sequence numbers, written by one thread and read by others."""

    def __init__(self, limit_bytes: int = RING_BYTES) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._entries: deque[Entry] = deque()
        self._lock = threading.Lock()

    def extend(self, entries: list[Entry]) -> None:
        """Add what has become durable, and forget the oldest beyond the bound."""
        with self._lock:
            if entries and self._entries and entries[0].seq != self._entries[-1].seq + 1:
                self._entries.clear()
                self._bytes = 0
            self._entries.extend(entries)
            self._bytes += sum(map(_size, entries))
            while self._bytes > self._limit:
                self._bytes -= _size(self._entries.popleft())

    def forget(self, upto: int) -> None:
        """Drop what a gap now calls lost: a reader must not get it all the same."""
        with self._lock:
            while self._entries and self._entries[0].seq <= upto:
                self._bytes -= _size(self._entries.popleft())

    def first_seq(self) -> int:
        """The oldest sequence number held; 0 if there is none."""
        with self._lock:
            return self._entries[0].seq if self._entries else 0

    def after(self, seq: int, max_points: int) -> list[Entry] | None:
        """The entries after a sequence number, at least one and then up to `max_points`; None if the ring does not
        hold the next one.
        """
        with self._lock:
            if not self._entries or not self._entries[0].seq <= seq + 1 <= self._entries[-1].seq:
                return None
            found: list[Entry] = []
            points = 0
            for entry in islice(self._entries, seq + 1 - self._entries[0].seq, None):
                points += len(entry.batch)
                if found and points > max_points:
                    break
                found.append(entry)
            return found

    def points_after(self, seq: int, most: int) -> int:
        """How many points come after a sequence number, counted up to `most`; `most` where the ring cannot tell."""
        with self._lock:
            if not self._entries or not self._entries[0].seq <= seq + 1 <= self._entries[-1].seq:
                return most
            points = 0
            for entry in islice(self._entries, seq + 1 - self._entries[0].seq, None):
                points += len(entry.batch)
                if points >= most:
                    return most
            return points


def _size(entry: Entry) -> int:
    return _ENTRY_BYTES + _ROW_BYTES * len(entry.batch) + sum(map(len, entry.batch.texts))
