"""Sending again what was delivered: a reader is put back in time while no agent runs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from agent.store.cursor import Confirmed, CursorFile, Lane, load_cursors
from agent.store.files import Files, OsFiles
from agent.store.record import Frame, RecordType
from agent.store.recovery import read_identity
from agent.store.segment import frames, list_segments, points_in


class Rewound(NamedTuple):
    """What comes again: the numbers after `seq`, and how many points that is."""

    seq: int
    points: int


def rewind(directory: Path, name: str, *, to_ns: int, state: bytes, files: Files | None = None) -> Rewound | None:
    """Let a reader begin again with what was kept from a time on; None where nothing that it had is so new.

    state: what a lane begins with that does not know what came before it. The reader's old place becomes a later lane,
    so that new data does not wait for the old. Raises Locked while an agent runs, KeyError for a reader that is not
    there, OSError.
    """
    files = files or OsFiles()
    lock = files.lock(directory / "LOCK")
    try:
        store = read_identity(files, directory / "store.id") or bytes(16)
        cursor = load_cursors(files, directory / "cursors", store=store)[name]
        before = cursor.confirmed
        seq = _seq_before(files, directory, to_ns)
        if seq is None or seq >= before.seq:
            return None
        old = Lane(before.seq, before.seq, before.state)
        place = Confirmed(seq, state, (old, *before.later))
        _save(cursor, place, files, store)
        segments = (each for stream in ("telemetry", "records") for each in list_segments(files, directory / stream))
        return Rewound(seq, sum(points_in(files, segment, [(seq, before.seq)]) for segment in segments))
    finally:
        files.close(lock)


def _save(cursor: CursorFile, place: Confirmed, files: Files, store: bytes) -> None:
    """Both copies, so that neither can bring the old place back."""
    for _ in range(2):
        cursor.flush(place, files, store=store)


def _seq_before(files: Files, directory: Path, to_ns: int) -> int | None:
    """The number before the first record that was written at that time or later."""
    found = []
    for stream in ("telemetry", "records"):
        segments = list_segments(files, directory / stream)
        records = (item for segment in segments for item in frames(files, segment, payloads=False))
        data = (each.header for each in records if isinstance(each, Frame) and each.header.type == RecordType.DATA)
        first = next((header for header in data if header.wall_ns >= to_ns), None)
        if first is not None:
            found.append(first.seq - 1)
    return min(found, default=None)
