"""What the fault matrix does to a server, to the network before it, and to its certificate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from collectors.opcua.pki import Pki, make_own
from tests.collectors.opcua.rig import Recorder
from tests.fakes.chaos import Proxy
from tests.servers.opcua import Child

LIFE = 1_000_000  # what the counters begin with in a second life of the server


@dataclass(slots=True)
class Stage:
    """What a fault can be done to."""

    server: Child
    between: Proxy
    recorder: Recorder
    longest_s: float  # freezes are no longer than this
    folder: Path


Fault = Callable[[Stage], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, and what is special about the server that it is done to."""

    name: str
    fault: Fault
    server: dict[str, Any] = field(default_factory=dict)
    without_history: bool = False  # done to a server that keeps no history, too
    is_secured: bool = False


def server_files(folder: Path, name: str, *, days: int = 1000) -> dict[str, str]:
    """A certificate for a server, as options of `asyncua_server`."""
    certificate, key = make_own("localhost", "urn:freeopcua:python:server", days=days)
    paths = {"certificate": folder / f"{name}.der", "private_key": folder / f"{name}.pem"}
    paths["certificate"].write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    paths["private_key"].write_bytes(key)
    return {what: str(path) for what, path in paths.items()}


def approve_all(folder: Path) -> None:
    """What an engineer does after comparing fingerprints."""
    pki = Pki(folder / "pki")
    for shown in pki.rejected():
        pki.approve(shown)


async def nothing(_stage: Stage) -> None:
    """The server is odd from the beginning; nothing else happens."""


async def cut(stage: Stage) -> None:
    """Every connection is reset."""
    stage.between.cut()


async def cut_again_and_again(stage: Stage) -> None:
    """Five resets, one a second."""
    for _ in range(5):
        stage.between.cut()
        await asyncio.sleep(1)


async def half_open(stage: Stage) -> None:
    """Nothing gets through, and nobody is told."""
    stage.between.swallow()
    await asyncio.sleep(6)
    stage.between.cut()
    stage.between.flow()


async def slow(stage: Stage) -> None:
    """Half a second for every block, for a while."""
    stage.between.delay_s = 0.5
    await asyncio.sleep(6)
    stage.between.delay_s = 0.0


async def unreachable(stage: Stage) -> None:
    """Nobody listens for longer than the server's queues last."""
    await stage.between.close()
    await asyncio.sleep(15)
    await stage.between.open()


async def forgotten(stage: Stage) -> None:
    """The server ends all sessions and their subscriptions."""
    stage.server.do("end_sessions")


def frozen(seconds: float) -> Fault:
    """SIGSTOP, and SIGCONT so many seconds later."""

    async def freeze(stage: Stage) -> None:
        stage.server.freeze()
        await asyncio.sleep(min(seconds, stage.longest_s))
        stage.server.thaw()

    return freeze


async def restarted(stage: Stage) -> None:
    """SIGKILL, and a second life on the same port."""
    stage.server.kill()
    await asyncio.sleep(2)
    stage.server.start(first=LIFE)


async def namespaces_reordered(stage: Stage) -> None:
    """A second life in which the namespaces have other indexes."""
    stage.server.kill()
    stage.server.start(first=LIFE, swapped=True)


async def certificate_renewed(stage: Stage) -> None:
    """A second life with another certificate, which somebody approves as soon as it was refused."""
    stage.server.kill()
    stage.server.start(first=LIFE, **server_files(stage.folder, "renewed"))
    await stage.recorder.until(Pki(stage.folder / "pki").rejected, within_s=30)
    approve_all(stage.folder)


async def messages_lost(stage: Stage) -> None:
    """Three messages with values never arrive."""
    for _ in range(3):
        stage.server.do("drop_next")
        await asyncio.sleep(1)


async def messages_repeated(stage: Stage) -> None:
    """Five messages come twice."""
    stage.server.do("repeat", count=5)
    await asyncio.sleep(2)


async def node_removed_and_returned(stage: Stage) -> None:
    """Another node goes and comes back."""
    stage.server.do("delete", name="Other")
    await asyncio.sleep(2)
    stage.server.do("add", name="Other", value=2.0)


MATRIX = (
    Row("cut", cut, without_history=True),
    Row("cut five times", cut_again_and_again, without_history=True),
    Row("half-open for 6 s", half_open, without_history=True),
    Row("slow for 6 s", slow, without_history=True),
    Row("unreachable for 15 s", unreachable, without_history=True),
    Row("sessions ended by the server", forgotten, without_history=True),
    Row("SIGSTOP 3 s", frozen(3), without_history=True),
    Row("SIGSTOP 30 s", frozen(30), without_history=True),
    Row("SIGSTOP 5 min", frozen(300)),
    Row("SIGKILL and restart", restarted),
    Row("restart, certificate renewed", certificate_renewed, is_secured=True),
    Row("restart, namespaces reordered", namespaces_reordered),
    Row("node removed and returned", node_removed_and_returned, {"values": {"Other": ["Double", 1.0]}}),
    Row("limits of 100", cut, {"counters": 250, "per_call": 100, "per_read": 100}),
    Row("keep-alive revised", cut, {"keep_alive": 40}),
    Row("publishing interval revised", cut, {"publishing_ms": 700}),
    Row("three messages lost", messages_lost, without_history=True),
    Row("five messages twice", messages_repeated, without_history=True),
)
