"""What it costs to be there: nothing changes, and the start."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.cases.opcua import settled, usage_at
from benchmarks.figures import Figures
from benchmarks.meter import usage
from benchmarks.peers import Job, Peer
from benchmarks.peers.raceway import DURABLE
from benchmarks.process import Program, Sink, end, start
from tests.servers.ports import free_port


@dataclass(frozen=True, slots=True)
class Idle:
    """`nodes` variables that never change."""

    name: str
    nodes: int
    compares: ClassVar[bool] = True

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
    compares: ClassVar[bool] = True

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
        noted = json.loads((folder / DURABLE).read_text()) if (folder / DURABLE).exists() else []
        durable = {"process start to first durable point, s": (noted[0][0] - began_ns) / 1e9} if noted else {}
        return durable | {
            "process start to all items monitored, s": (monitored_ns - began_ns) / 1e9,
            "process start to first point at the sink, s": (verdict["first_ns"] - began_ns) / 1e9,
            "process start to first acknowledgement, s": (facts["first_acknowledged_ns"] - began_ns) / 1e9,
            "CPU until five seconds later, s": cpu_s,
            "missing": float(verdict["missing"]),
        }
