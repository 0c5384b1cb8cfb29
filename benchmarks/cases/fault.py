"""Something breaks for a while: what is missing in the end, whether it is said, and how long it takes to go on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from benchmarks.cases.opcua import settled, usage_at
from benchmarks.figures import Figures
from benchmarks.load.rule import Rule
from benchmarks.meter import usage
from benchmarks.peers import Job, Peer
from benchmarks.process import Program, Sink, end, start
from tests.fakes.chaos import Proxy
from tests.servers.ports import free_port

BEFORE_S, AFTER_S = 5.0, 10.0
PHASE_S = 0.7  # after a tick: its values have left the server
SETTLE_S = 20.0
NEVER_NS = 2**63 - 1
TORN_BYTES = 3


class Between:
    """A proxy on the way to the server, in a thread of its own."""

    def __init__(self, to_port: int) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._proxy = Proxy(to_port)
        asyncio.run_coroutine_threadsafe(self._proxy.open(), self._loop).result(10)
        self.port = self._proxy.port

    def order(self, what: Callable[[Proxy], None]) -> None:
        """Let it cut, swallow or flow."""
        self._loop.call_soon_threadsafe(what, self._proxy)


class Scene:
    """A server, a proxy before it, the sink, and one peer that runs."""

    def __init__(self, peer: Peer, folder: Path, sink: Sink, *, nodes: int, ticks: int) -> None:
        self.peer, self.folder, self.sink = peer, folder, sink
        port = free_port()
        self._options = ["--port", port, "--nodes", nodes, "--period-ms", 1000, "--ticks", ticks]
        self.servers = [Program("benchmarks.load.opcua", *self._options)]
        self.servers[0].wait_for("url")
        self.between = Between(port)
        url = f"opc.tcp://127.0.0.1:{self.between.port}/bench/"
        self.job = Job("opcua", url, sink.url, nodes=nodes, is_durable=True)
        self.process = self._start()
        self.rule: Mapping[str, Any] = self.servers[0].wait_for("rule")
        sink.control("rule", {"load": "opcua", **self.rule})
        self.is_first = True  # the process that was started first
        self.unfetched = 0  # values that a server took with it

    def _start(self) -> subprocess.Popen[bytes]:
        return start(self.peer.command(self.job, self.folder), self.folder, self.peer.environment())

    def again(self, how: signal.Signals, between: Callable[[], object] = lambda: None, **edited: Any) -> None:
        """End the peer, do something, and start it with the configuration edited."""
        end(self.process, how)
        between()
        self.job, self.is_first = replace(self.job, **edited), False
        self.process = self._start()

    def tear(self) -> None:
        """Cut some bytes off the newest file of the peer's buffer, as a power cut does."""
        files = [path for path in self.folder.glob(self.peer.buffer or "none") if path.is_file()]
        newest = max(
            (path for path in files if path.stat().st_size > TORN_BYTES), key=lambda path: path.stat().st_mtime_ns
        )
        with newest.open("r+b") as file:
            file.truncate(newest.stat().st_size - TORN_BYTES)

    def new_server(self) -> None:
        """Start the server anew, in the middle of its load."""
        self.servers.append(Program("benchmarks.load.opcua", *self._options, "--start-ns", self.rule["start_ns"]))
        self.servers[-1].wait_for("url")

    def lost(self) -> dict[str, int]:
        """How many values the load itself has lost, by reason."""
        facts: dict[str, Any] = {}
        for server in self.servers:
            if server.process.poll() is None:
                facts = server.ask("facts")
        return {
            "thrown away by the server": facts["thrown_away"] + facts["unfetched"] + self.unfetched,
            "nobody was subscribed": facts["unheard"],
            "in flight when the connection ended": facts["cut_off"],
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process, signal.SIGTERM)
        for server in self.servers:
            end(server.process, signal.SIGKILL)


def _wait_until(when_ns: int) -> None:
    time.sleep(max((when_ns - time.time_ns()) / 1e9, 0))


def _refuse(scene: Scene, up_ns: int, *, status: int = 503, half: Callable[[], object] = lambda: None) -> None:
    scene.sink.control(f"answer?status={status}")
    _wait_until((time.time_ns() + up_ns) // 2)
    half()
    _wait_until(up_ns)
    scene.sink.control(f"answer?status=204&token={scene.job.token}")


def _frozen(scene: Scene, up_ns: int) -> None:
    scene.between.order(Proxy.swallow)
    _wait_until(up_ns)
    scene.between.order(Proxy.flow)


def _cut(scene: Scene, up_ns: int) -> None:
    scene.between.order(Proxy.cut)
    _wait_until(up_ns)


def _restarted(scene: Scene, up_ns: int) -> None:
    scene.unfetched = scene.servers[0].ask("facts")["unfetched"]
    end(scene.servers[0].process, signal.SIGKILL)
    scene.between.order(Proxy.cut)
    _wait_until(up_ns)
    scene.new_server()


FAULTS: Mapping[str, Callable[[Scene, int], None]] = {
    "the sink answers 503": _refuse,
    "the sink answers 404": lambda scene, up_ns: _refuse(scene, up_ns, status=404),
    "killed while the sink answers 503": lambda scene, up_ns: _refuse(
        scene, up_ns, half=lambda: scene.again(signal.SIGKILL)
    ),
    "killed then, and the tail of its buffer torn": lambda scene, up_ns: _refuse(
        scene, up_ns, half=lambda: scene.again(signal.SIGKILL, scene.tear)
    ),
    "token and timeout edited while the sink answers 503": lambda scene, up_ns: _refuse(
        scene, up_ns, half=lambda: scene.again(signal.SIGTERM, token="edited", timeout_s=20)
    ),
    "the connection is cut, the session survives": _cut,
    "the link is frozen": _frozen,
    "the server is restarted": _restarted,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`nodes` OPC UA variables at 1 Hz, and one fault that lasts `lasts` times as long as others are measured."""

    name: str
    what: str
    lasts: float = 1.0
    nodes: int = 5_000
    compares: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """For people."""
        return f"OPC UA, {self.nodes:,} nodes at 1 Hz: {self.what}"

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once."""
        lasts_s = seconds * self.lasts
        ticks = round(BEFORE_S + lasts_s + AFTER_S)
        with Sink() as sink, Scene(peer, folder, sink, nodes=self.nodes, ticks=ticks) as scene:
            rule = Rule(**{name: scene.rule[name] for name in asdict(Rule(1, 1, 0))})
            down_ns = rule.start_ns + int((BEFORE_S + PHASE_S) * 1e9)
            up_ns = down_ns + int(lasts_s * 1e9)
            before = usage_at(scene.process.pid, down_ns)
            FAULTS[self.what](scene, up_ns)
            up_ns = time.time_ns()  # a server takes a while to start
            alive = scene.process.poll() is None
            after = usage(scene.process.pid) if alive else before
            server = scene.servers[-1]
            never = 0
            if len(scene.servers) > 1:
                never = (server.wait_for("first_tick") - round(BEFORE_S) - 1) * self.nodes
            server.wait_for("emitted", timeout_s=lasts_s + 60)
            verdict = settled(sink, down_ns, up_ns, settle_s=SETTLE_S, lost=lambda: never + sum(scene.lost().values()))
            told, lost = sink.control(f"told?since_ns={up_ns}"), scene.lost()
        figures: Figures = {
            "missing": verdict["missing"],
            "missing beyond what the load lost": max(verdict["missing"] - never - sum(lost.values()), 0),
            "missing, in no gap record": told["unnamed"],
            **{f"lost: {why}": count for why, count in lost.items()},
            "lost: there was no server": never,
            "gap records": told["gaps"],
            "wrong or foreign": verdict["wrong"] + verdict["foreign"],
            "twice": verdict["double"],
            "flows again": float(told["flows_ns"] < NEVER_NS),
            "runs at the end": float(alive),
        }
        if told["flows_ns"] < NEVER_NS:
            figures["end of the fault to new values, s"] = (told["flows_ns"] - up_ns) / 1e9
            figures["end of the fault to the last point, s"] = max(verdict["last_ns"] - up_ns, 0) / 1e9
        if alive and scene.is_first:
            points = self.nodes * lasts_s
            figures["peak RSS at its end, MB"] = after.peak_mb
            figures["CPU meanwhile, µs a point"] = (after.cpu_s - before.cpu_s) / points * 1e6
            figures["written meanwhile, bytes a point"] = (after.written - before.written) / points
        return figures
