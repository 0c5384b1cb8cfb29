"""Eclipse Milo as a server in a child process: a third OPC UA stack, the one inside Ignition."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.opcua import Child
from tests.servers.ports import free_port

INSTALLED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raceway" / "milo"


@contextmanager
def milo_server(pki: Path, **options: Any) -> Iterator[Child]:
    """See milo/Server.java for the options; `pki` is a folder of its own for its certificates."""
    lean = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"]
    command = ["java", *lean, "-cp", f"{INSTALLED / 'classes'}:{INSTALLED / 'lib'}/*", "Server"]
    child = Child(command, port=free_port(), pki=str(pki), **options)
    try:
        yield child
    finally:
        child.kill()
