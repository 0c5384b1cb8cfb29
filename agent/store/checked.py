"""Small files of JSON, checked and replaced as a whole: a line with the CRC of the rest, then the rest."""

from __future__ import annotations

import contextlib
from pathlib import Path
from zlib import crc32

import orjson

from agent.store.files import Files, read_file, replace_file


def read_checked(files: Files, path: Path) -> object:
    """What was written last; None where there is nothing or it is harmed."""
    check, _, body = read_file(files, path).partition(b"\n")
    with contextlib.suppress(ValueError):
        if int(check, 16) == crc32(body):
            return orjson.loads(body)
    return None


def replace_checked(files: Files, path: Path, value: object) -> None:
    """The old value or this one, durable, whatever happens in between. Raises OSError."""
    body = orjson.dumps(value)
    replace_file(files, path, b"%08x\n" % crc32(body) + body)
