"""The sink away for a while, and a kill -9 in the middle of it: what is missing in the end, and how long it takes."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases.opcua import settled, usage_at
from benchmarks.figures import Figures
from benchmarks.meter import usage
from benchmarks.peers import Job, Peer
from benchmarks.process import Program, Sink, end, start
from tests.servers.mosquitto import free_port

BEFORE_S, AFTER_S = 5.0, 5.0
SETTLE_S = 75.0  # Raceway begins to send what waited within a minute, by chance


@dataclass(frozen=True, slots=True)
class Outage:
    """`nodes` OPC UA variables at 1 Hz while the sink answers 503 for `outage_s`; killed in the middle if `is_killed`.

    `seconds` of a run set the length of the outage.
    """

    name: str
    nodes: int
    is_killed: bool

    @property
    def title(self) -> str:
        """For people."""
        killed = ", the agent killed in the middle and started again" if self.is_killed else ""
        return f"OPC UA, {self.nodes:,} nodes at 1 Hz, the sink refuses for a while{killed}"

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once."""
        port, ticks = free_port(), round(BEFORE_S + seconds + AFTER_S)
        options = ["--port", port, "--nodes", self.nodes, "--period-ms", 1000, "--ticks", ticks]
        with Sink() as sink, Program("benchmarks.load.opcua", *options) as server:
            job = Job("opcua", server.wait_for("url"), sink.url, nodes=self.nodes, is_durable=True)
            command = peer.command(job, folder)
            process = start(command, folder, peer.environment())
            try:
                rule = server.wait_for("rule")
                sink.control("rule", {"load": "opcua", **rule})
                down_ns = rule["start_ns"] + int(BEFORE_S * 1e9)
                up_ns = down_ns + int(seconds * 1e9)
                before = usage_at(process.pid, down_ns)
                sink.control("answer?status=503")
                if self.is_killed:
                    usage_at(process.pid, (down_ns + up_ns) // 2)
                    end(process, signal.SIGKILL)
                    process = start(command, folder, peer.environment())
                _wait_until(up_ns)
                peak_mb = usage(process.pid).peak_mb
                after = usage(process.pid)
                sink.control("answer?status=204")
                server.wait_for("emitted", timeout_s=seconds + 60)
                verdict = settled(sink, down_ns, up_ns, settle_s=SETTLE_S)
                facts = server.ask("facts")
            finally:
                end(process, signal.SIGTERM)
        figures = {
            "missing": float(verdict["missing"]),
            "of them while nobody was connected": float(facts["unheard"]),
            "of them sent, not acknowledged, and not asked for again": float(facts["cut_off"]),
            "thrown away by the server": float(facts["thrown_away"]),
            "wrong or foreign": float(verdict["wrong"] + verdict["foreign"]),
            "twice": float(verdict["double"]),
            "end of the outage to the last point, s": (verdict["last_ns"] - up_ns) / 1e9,
            "peak RSS at its end, MB": peak_mb,
        }
        if not self.is_killed:
            points = self.nodes * seconds
            figures["CPU in the outage, µs a point"] = (after.cpu_s - before.cpu_s) / points * 1e6
            figures["written in the outage, bytes a point"] = (after.written - before.written) / points
        return figures


def _wait_until(when_ns: int) -> None:
    time.sleep(max((when_ns - time.time_ns()) / 1e9, 0))


@dataclass(frozen=True, slots=True)
class Idle:
    """`nodes` variables that never change."""

    name: str
    nodes: int

    @property
    def title(self) -> str:
        """For people."""
        return f"OPC UA, {self.nodes:,} nodes that do not change"

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once: `seconds` of silence are measured."""
        options = ["--port", free_port(), "--nodes", self.nodes, "--period-ms", 1000, "--ticks", 1]
        with Sink() as sink, Program("benchmarks.load.opcua", *options) as server:
            job = Job("opcua", server.wait_for("url"), sink.url, nodes=self.nodes)
            process = start(peer.command(job, folder), folder, peer.environment())
            try:
                rule = server.wait_for("rule")
                first = usage_at(process.pid, rule["start_ns"] + 10_000_000_000)
                last = usage_at(process.pid, rule["start_ns"] + 10_000_000_000 + int(seconds * 1e9))
            finally:
                end(process, signal.SIGTERM)
        return {
            "CPU, % of a core": (last.cpu_s - first.cpu_s) / seconds * 100,
            "peak RSS, MB": last.peak_mb,
            "written to disk, MB a day": (last.written - first.written) / seconds * 86400 / 1e6,
            "wake-ups of the main thread a second": (last.switches - first.switches) / seconds,
        }


@dataclass(frozen=True, slots=True)
class Start:
    """From the start of the process until data flows, `nodes` variables."""

    name: str
    nodes: int

    @property
    def title(self) -> str:
        """For people."""
        return f"OPC UA, start with {self.nodes:,} nodes"

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once; `seconds` does not matter."""
        del seconds
        options = ["--port", free_port(), "--nodes", self.nodes, "--period-ms", 1000, "--ticks", 5]
        with Sink() as sink, Program("benchmarks.load.opcua", *options) as server:
            job = Job("opcua", server.wait_for("url"), sink.url, nodes=self.nodes, pace="fresh")
            command = peer.command(job, folder)
            began_ns = time.time_ns()
            process = start(command, folder, peer.environment())
            try:
                rule = server.wait_for("rule")
                sink.control("rule", {"load": "opcua", **rule})
                server.wait_for("emitted")
                verdict = settled(sink, 0, 2**63)
                facts, monitored_ns = server.ask("facts"), server.wait_for("monitored_ns")
                cpu_s = usage(process.pid).cpu_s
            finally:
                end(process, signal.SIGTERM)
        return {
            "process start to all items monitored, s": (monitored_ns - began_ns) / 1e9,
            "process start to first point at the sink, s": (verdict["first_ns"] - began_ns) / 1e9,
            "process start to first acknowledgement, s": (facts["first_acknowledged_ns"] - began_ns) / 1e9,
            "CPU until five seconds later, s": cpu_s,
            "missing": float(verdict["missing"]),
        }
