"""The agent as systemd sees it: the whole process, on a real notify socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = """
plant: test
data_dir: data
sources:
  - kind: mqtt
    name: meters
    url: mqtt://127.0.0.1:9
    mappings:
      - topic: plant/{machine}
        signals: [{signal: active_power, path: p, unit: kW}]
dashboard: {listen: "127.0.0.1:0"}
"""
STOP_S = 2.0


class Service:
    """A running agent and the socket on which it talks to its manager."""

    def __init__(self, process: subprocess.Popen[str], manager: socket.socket) -> None:
        self.process = process
        self._manager = manager

    def told(self, assignment: str) -> str:
        """Wait until the agent says this, and give the whole datagram."""
        while True:
            datagram = self._manager.recv(4000).decode()
            if assignment in datagram.split("\n"):
                return datagram


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An agent that was just started under a manager with a watchdog of one second."""
    (tmp_path / "plant.yaml").write_text(CONFIG, encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, "-c", "from agent.cli import main; main()", "run", tmp_path / "plant.yaml"],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Service(process, manager)
        finally:
            process.kill()
            process.communicate()


def test_service_lives_and_stops(service: Service) -> None:
    """It says READY once it runs, feeds the watchdog, tells its status, and ends within two seconds of SIGTERM."""
    service.told("READY=1")
    assert "1 of 2 sources connected" in service.told("WATCHDOG=1")  # the heartbeat is; the broker does not exist

    asked = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    service.told("STOPPING=1")
    _, journal = service.process.communicate(timeout=30)
    took_s = time.monotonic() - asked

    assert 0 == service.process.returncode, journal
    assert took_s < STOP_S


def test_journal_is_json(service: Service) -> None:
    """What goes to the journal is one JSON object a line, each with an event and a level."""
    service.told("READY=1")
    service.process.send_signal(signal.SIGTERM)
    _, journal = service.process.communicate(timeout=30)
    events = [json.loads(line) for line in journal.splitlines()]

    assert {"agent.started", "agent.stopped"} <= {event["event"] for event in events}
    assert all(event["level"] for event in events)
