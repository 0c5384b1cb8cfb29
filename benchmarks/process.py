"""Child processes of a run: started with a clean output, spoken to in JSON lines, ended by their id."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

PATIENCE_S = 60.0


class Program:
    """A program of `benchmarks.load` that answers in JSON lines."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._said: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(json.loads(line))

    def wait_for(self, key: str, *, timeout_s: float = PATIENCE_S) -> Any:
        """The value that is said under this key; raises TimeoutError."""
        until = time.monotonic() + timeout_s
        while True:
            for line in self._said:
                if key in line:
                    self._said.remove(line)
                    return line[key]
            try:
                self._said.append(self._lines.get(timeout=max(until - time.monotonic(), 0.001)))
            except queue.Empty:
                raise TimeoutError(f"{self.process.args!r} did not say {key!r} within {timeout_s:g} s") from None

    def ask(self, key: str) -> Any:
        """A line on its standard input, and what it answers."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.wait_for(key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process, signal.SIGKILL)


class Sink(Program):
    """The checking sink."""

    def __init__(self) -> None:
        super().__init__("benchmarks.load.sink")
        self.url = f"http://127.0.0.1:{self.wait_for('port')}"

    def control(self, what: str, body: object = None) -> Any:
        """Ask or order something."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/control/{what}", data, timeout=300) as answer:
            return json.load(answer)


@contextmanager
def running(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A peer, its output in a file of that folder; ended politely, then by force."""
    process = start(command, folder, environment)
    try:
        yield process
    finally:
        end(process, signal.SIGTERM)


def start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start it; whoever calls ends it."""
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ | dict(environment)
        )


def end(process: subprocess.Popen[Any], how: signal.Signals) -> None:
    """End a process that was started here."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
