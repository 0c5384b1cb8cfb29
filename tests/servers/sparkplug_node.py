"""Sparkplug edge nodes of sparkplug-client, and the broker aedes, each in a child process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.opcua import HERE, Child
from tests.servers.ports import free_port

MODULES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raceway" / "sparkplug-node"
FOLDER = HERE / "sparkplug_node"


@contextmanager
def edge_node(url: str, *, group: str = "g", edge: str = "e") -> Iterator[Child]:
    """An edge node with the device d, born when this returns; see sparkplug_node/edge.js for what it can be told."""
    command = ["node", str(FOLDER / "edge.js")]
    child = Child(command, port=0, url=url, group=group, edge=edge, modules=str(MODULES))
    try:
        yield child
    finally:
        child.kill()


@contextmanager
def aedes() -> Iterator[str]:
    """A broker without MQTT 5; gives its url."""
    child = Child(["node", str(FOLDER / "broker.js")], port=free_port(), modules=str(MODULES))
    try:
        yield f"mqtt://127.0.0.1:{child.port}"
    finally:
        child.kill()
