"""Run an OPC UA server as a child process of a test, and do to it what happens to servers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port

URI = "http://raceway.example/machine"
HERE = Path(__file__).parent


class Child:
    """A server in a process of its own that prints `ready` when it listens and obeys JSON lines."""

    def __init__(self, command: list[str], *, port: int, cwd: Path | None = None, **options: Any) -> None:
        self.port = port
        self._command = command
        self._cwd = cwd
        self._options = options
        self._process = self._spawn()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"opc.tcp://127.0.0.1:{self.port}"

    def do(self, what: str, **arguments: Any) -> int:
        """Give a command and wait for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()
        return int(self._heard())

    def freeze(self) -> None:
        """Stop it where it is; its sockets stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self._process.kill()
        self._process.wait(timeout=10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def start(self, **options: Any) -> None:
        """Start it anew on the same port, some options changed."""
        self._options |= options
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[str]:
        options = json.dumps({"port": self.port, **self._options})
        self._process = subprocess.Popen(
            [*self._command, options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self._cwd
        )
        if (said := self._heard()) != "ready":
            raise RuntimeError(f"the server said {said!r}, not 'ready'")
        return self._process

    def _heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def asyncua_server(**options: Any) -> Iterator[Child]:
    """Asyncua's own server; see opcua_child.Options."""
    child = Child([sys.executable, str(HERE / "opcua_child.py")], port=free_port(), **options)
    try:
        yield child
    finally:
        child.kill()
