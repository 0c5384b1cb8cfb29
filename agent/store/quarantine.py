"""Where bytes go that are no use any more but that nobody has the right to throw away."""

from __future__ import annotations

import contextlib
from pathlib import Path

from agent.store.files import Files, write_whole
from agent.store.record import Damage

LIMIT_BYTES = 64 << 20
_BLOCK_BYTES = 1 << 18


class Quarantine:
    """Copies of damaged bytes, one file a place, up to a limit. Only people delete here."""

    def __init__(self, files: Files, directory: Path) -> None:
        self._files = files
        self._directory = directory
        self._used = 0

    def keep(self, segment: Path, damage: Damage) -> None:
        """Copy the damaged bytes; a disk that refuses loses the copy, not the agent."""
        name = f"{segment.parent.name}-{segment.stem}-{damage.offset:08x}.bad"
        with contextlib.suppress(OSError):
            if name not in self._files.list(self._directory):
                length = min(damage.length, LIMIT_BYTES - self._used)
                self._copy(segment, damage.offset, length, self._directory / name)

    def _copy(self, segment: Path, offset: int, length: int, path: Path) -> None:
        self._files.make_directory(self._directory)
        source = self._files.open(segment)
        try:
            target = self._files.open(path, create=True)
            try:
                for at in range(0, length, _BLOCK_BYTES):
                    block = self._files.read(source, min(_BLOCK_BYTES, length - at), offset + at)
                    write_whole(self._files, target, [block], at)
                    self._used += len(block)
                self._files.sync(target)
            finally:
                self._files.close(target)
        finally:
            self._files.close(source)
        self._files.sync_directory(self._directory)


def written_length(files: Files, path: Path, offset: int, size: int) -> int:
    """How many bytes of a file follow `offset`, not counting zeros at the end."""
    last = offset
    handle = files.open(path)
    try:
        for at in range(offset, size, _BLOCK_BYTES):
            block = files.read(handle, min(_BLOCK_BYTES, size - at), at).rstrip(b"\0")
            if block:
                last = at + len(block)
    finally:
        files.close(handle)
    return last - offset
