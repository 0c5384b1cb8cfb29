"""Which computer a store lies on: a card that was copied or moved is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.store.checked import read_checked, replace_checked
from agent.store.files import Files

FILE = "host.id"
_SAID_BY = ("/sys/firmware/devicetree/base/serial-number", "/etc/machine-id")  # a copied card has a copied machine-id


def host_id() -> str:
    """The same for the life of this computer, another one on every other; empty where nothing says so."""
    said = b""
    for path in map(Path, _SAID_BY):
        try:
            said += path.read_bytes().strip(b"\0\n ") + b"\n"
        except OSError:
            continue
    return hashlib.sha256(said).hexdigest()[:32] if said.strip() else ""


def is_moved(files: Files, directory: Path, host: str) -> bool:
    """Whether the store was written by another computer before; from now on it belongs to this one. Raises OSError."""
    known = read_checked(files, directory / FILE)
    if not host or known == host:
        return False
    replace_checked(files, directory / FILE, host)
    return known is not None
