"""What could not be taken or delivered, for people to look at and to settle, while the agent runs or not.

The agent only appends letters. Which of them people have settled is kept beside the log, in `dlq.handled`, which the
agent never touches; a letter is its number and the CRC of its bytes, so a number that is given again after a power
cut does not hide another letter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from agent.store.checked import read_checked, replace_checked
from agent.store.codec import Undecodable, decode_letter, unpack
from agent.store.files import Files, OsFiles
from agent.store.record import Frame, RecordType
from agent.store.segment import frames, list_segments
from collectors.points import DeadLetter

HANDLED = "dlq.handled"
LOCK = "dlq.lock"


class Letter(NamedTuple):
    """A dead letter, its number in the dead-letter log, and the CRC of its record."""

    seq: int
    letter: DeadLetter
    crc: int


def read_letters(directory: Path, *, files: Files | None = None) -> Iterator[Letter]:
    """All of them, oldest first; damaged ones are left out (`verify` names them)."""
    files = files or OsFiles()
    for segment in list_segments(files, directory / "dlq"):
        for item in frames(files, segment):
            if isinstance(item, Frame) and item.header.type == RecordType.DEAD_LETTER:
                with contextlib.suppress(Undecodable):
                    letter = decode_letter(unpack(item.header, item.payload))
                    yield Letter(item.header.seq, letter, item.header.payload_crc)


def unhandled(directory: Path, *, files: Files | None = None) -> Iterator[Letter]:
    """The letters that nobody has settled, oldest first."""
    files = files or OsFiles()
    handled = _read_handled(files, directory)
    return (each for each in read_letters(directory, files=files) if handled.get(each.seq) != each.crc)


def settle(directory: Path, letters: Iterable[Letter], *, files: Files | None = None) -> None:
    """Remember durably that these letters need nobody any more. Raises Locked while another command does so, OSError.

    Numbers before the first one in the log are forgotten, so that the file stays small. No letter is read for that:
    `unhandled` compares the CRC.
    """
    files = files or OsFiles()
    lock = files.lock(directory / LOCK)
    try:
        handled = {**_read_handled(files, directory), **{each.seq: each.crc for each in letters}}
        first = next((segment.base_seq for segment in list_segments(files, directory / "dlq")), None)
        kept = [pair for pair in handled.items() if first is not None and pair[0] >= first]
        replace_checked(files, directory / HANDLED, kept)
    finally:
        files.close(lock)


def _read_handled(files: Files, directory: Path) -> Mapping[int, int]:
    """Number to CRC; empty where the file is harmed, so that letters are shown once more rather than never again."""
    handled = read_checked(files, directory / HANDLED)
    return dict(handled) if isinstance(handled, list) else {}
