"""What could not be taken or delivered, for people to look at: read offline, while the agent runs or not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agent.store.codec import Undecodable, decode_letter, unpack
from agent.store.files import Files, OsFiles
from agent.store.record import Frame, RecordType
from agent.store.segment import frames, list_segments
from collectors.points import DeadLetter


class Letter(NamedTuple):
    """A dead letter and its number in the dead-letter log."""

    seq: int
    letter: DeadLetter


def read_letters(directory: Path, *, files: Files | None = None) -> Iterator[Letter]:
    """All of them, oldest first; damaged ones are left out (`verify` names them)."""
    files = files or OsFiles()
    for segment in list_segments(files, directory / "dlq"):
        for item in frames(files, segment):
            if isinstance(item, Frame) and item.header.type == RecordType.DEAD_LETTER:
                with contextlib.suppress(Undecodable):
                    yield Letter(item.header.seq, decode_letter(unpack(item.header, item.payload)))
