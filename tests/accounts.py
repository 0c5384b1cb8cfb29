"""An account without rights, for what a closed folder keeps from the agent; root may enter everything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be the account `nobody` for a while, where the tests run as root; else stay who we are."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every account may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def closed(folder: Path) -> Iterator[Path]:
    """A folder that nobody but root may enter, with an empty file `kept` in it."""
    folder.mkdir()
    folder.joinpath("kept").touch()
    folder.chmod(0o000)
    try:
        yield folder
    finally:
        folder.chmod(0o700)
