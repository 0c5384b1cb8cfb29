"""When the agent may say that it lives."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from agent.status import Board, SinkStatus
from agent.watchdog import Vitals, Watch, keep_watchdog, stall, summary
from collectors.source import SourceStatus

WELL = Vitals(loop_lag_s=0.0, commit_age_s=9.0, disk_refuses=False)


@pytest.mark.parametrize(
    ("vitals", "words"),
    [
        pytest.param(WELL, "", id="well"),
        pytest.param(replace(WELL, loop_lag_s=41), "event loop", id="the loop is blocked"),
        pytest.param(replace(WELL, commit_age_s=41), "committed nothing", id="the writer is stuck"),
        pytest.param(replace(WELL, commit_age_s=1e6, disk_refuses=True), "", id="the disk is full"),
    ],
)
def test_stall(vitals: Vitals, words: str) -> None:
    """Only what a restart can mend counts as a stall, and it is said in words."""
    reason = stall(vitals)

    assert bool(words) == bool(reason)
    assert words in reason


def test_commit_age_ignores_the_wall_clock() -> None:
    """The commit age grows from the last look that saw a new commit, whatever time the log's status names."""
    now_s = 100.0
    log: dict[str, object] = {"commits": 1, "last_commit_ns": 10**30}
    watch = Watch(Board(log=lambda: log, started_monotonic=100.0), clock=lambda: now_s)
    watch.vitals()
    now_s = 130.0
    grown = watch.vitals().commit_age_s
    log["commits"] = 2

    assert (30.0, 0.0) == (grown, watch.vitals().commit_age_s)


def test_summary_is_one_line() -> None:
    """`systemctl status` shows sources, points, sinks, and the disk's trouble."""
    board = Board(
        sources={"a": SourceStatus(kind="opcua", state="connected"), "b": SourceStatus(kind="mqtt")},
        sinks={"influx": SinkStatus(kind="influxdb", state="blocked", pending_points=12)},
        log=lambda: {"state": "full", "reason": "no space left", "points": 5},
    )

    expected = "1 of 2 sources connected; 5 points durable; influx blocked, 12 waiting; disk full: no space left"
    assert expected == summary(board)


async def test_watchdog_reaches_a_real_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running task sends WATCHDOG=1 and a status to the manager's datagram socket."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        task = asyncio.create_task(keep_watchdog(Board()))
        async with asyncio.timeout(10):
            first = await asyncio.get_running_loop().sock_recv(manager, 1000)
            second = await asyncio.get_running_loop().sock_recv(manager, 1000)
        task.cancel()

    assert first == second == b"WATCHDOG=1\nSTATUS=0 of 0 sources connected; 0 points durable"


async def test_watchdog_is_withheld_on_a_stall() -> None:
    """A stuck agent tells why and does not say that it lives."""
    told: list[str] = []
    enough = asyncio.Event()

    def tell(*assignments: str) -> bool:
        told.extend(assignments)
        enough.set()
        return True

    task = asyncio.create_task(keep_watchdog(Board(loop_lag_s=120), tell=tell))
    async with asyncio.timeout(10):
        await enough.wait()
    task.cancel()

    assert ["STATUS=the event loop was blocked for 120 s"] == told
