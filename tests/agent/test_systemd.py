"""sd_notify on a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.systemd import notify, watchdog_interval_s


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket, and its address as NOTIFY_SOCKET names it."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@raceway-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1))
        listening.settimeout(5)
        yield listening, address


def test_notify_sends_one_datagram(manager: tuple[socket.socket, str]) -> None:
    """All assignments of one call arrive together, one a line."""
    listening, address = manager

    assert notify("READY=1", "STATUS=3 sources", environ={"NOTIFY_SOCKET": address})

    assert b"READY=1\nSTATUS=3 sources" == listening.recv(1000)


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_nobody_listens(environ: dict[str, str]) -> None:
    """Without a service manager, or with one that is gone, nothing is sent and nothing is raised."""
    assert not notify("READY=1", environ=environ)


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        pytest.param({"WATCHDOG_USEC": "60000000"}, 30.0, id="half of what is allowed"),
        pytest.param({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0, id="for this process"),
        pytest.param({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None, id="for another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="switched off"),
        pytest.param({}, None, id="no watchdog"),
    ],
)
def test_watchdog_interval(environ: dict[str, str], interval_s: float | None) -> None:
    """The watchdog is fed twice within the time that the service manager allows."""
    assert interval_s == watchdog_interval_s(environ)
