"""OPC UA subscriptions at a steady rate, from the server to the sink."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.figures import Figures
from benchmarks.load.keys import write_keys
from benchmarks.load.rule import Kinds
from benchmarks.meter import Usage, usage
from benchmarks.peers import Job, Peer
from benchmarks.process import Program, Sink, running
from tests.servers.mosquitto import free_port

WARM_S = 5.0
SETTLE_S = 6.0  # nothing new for so long: nothing more will come


@dataclass(frozen=True, slots=True)
class OpcUaCase:
    """`nodes` variables that change `hz` times a second."""

    name: str
    nodes: int
    hz: float
    kinds: Kinds = "doubles"
    pace: Literal["fresh", "usual"] = "usual"
    is_secure: bool = False
    is_durable: bool = False

    @property
    def title(self) -> str:
        """For people."""
        extras = [self.kinds, self.pace if self.pace == "fresh" else "", "SignAndEncrypt" if self.is_secure else ""]
        return f"OPC UA, {self.nodes:,} nodes at {self.hz:g} Hz, " + ", ".join(filter(None, extras))

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once: `seconds` of steady flow are measured, after some to get warm."""
        port = free_port()
        period_ms = 1000 / self.hz
        ticks = round((WARM_S + seconds) * self.hz)
        options = ["--port", port, "--nodes", self.nodes, "--period-ms", period_ms, "--ticks", ticks]
        options += ["--kinds", self.kinds]
        if self.is_secure:
            write_keys(folder)
            options += ["--pki", folder]
        with Sink() as sink, Program("benchmarks.load.opcua", *options) as server:
            job = Job(
                "opcua", server.wait_for("url"), sink.url, nodes=self.nodes, period_ms=period_ms, pace=self.pace,
                is_durable=self.is_durable, certificates=folder if self.is_secure else None,
            )  # fmt: skip
            command = peer.command(job, folder)
            began_ns = time.time_ns()
            with running(command, folder, peer.environment()) as process:
                rule = server.wait_for("rule")
                sink.control("rule", {"load": "opcua", **rule})
                from_ns = rule["start_ns"] + int(WARM_S * 1e9)
                to_ns = from_ns + int(seconds * 1e9)
                first = usage_at(process.pid, from_ns)
                state = sink.control("state")
                last = usage_at(process.pid, to_ns)
                sent = sink.control("state")["bytes"] - state["bytes"]
                server.wait_for("emitted", timeout_s=seconds + 60)
                verdict = settled(sink, from_ns, to_ns)
                peak = usage(process.pid).peak_mb
                facts = server.ask("facts")
        figures = steady(first, last, verdict, seconds=seconds, sent=sent)
        figures["peak RSS, MB"] = peak
        figures["start to first point at the sink, s"] = (verdict["first_ns"] - began_ns) / 1e9
        figures["source to acknowledged p50, ms"] = facts["acknowledged_p50_ms"]
        figures["source to acknowledged p99, ms"] = facts["acknowledged_p99_ms"]
        figures["thrown away by the server"] = facts["thrown_away"] + facts["unfetched"]
        return figures


def usage_at(pid: int, when_ns: int) -> Usage:
    """At that moment; waits for it."""
    time.sleep(max((when_ns - time.time_ns()) / 1e9, 0))
    return usage(pid)


def settled(sink: Sink, from_ns: int, to_ns: int, *, settle_s: float = SETTLE_S) -> dict[str, Any]:
    """The verdict when everything is there, or when nothing new has come for a while."""
    quiet_since = time.monotonic()
    last_ns = 0
    while True:
        verdict: dict[str, Any] = sink.control(f"verdict?from_ns={from_ns}&to_ns={to_ns}")
        if not verdict["missing"]:
            return verdict
        if verdict["last_ns"] != last_ns:
            last_ns, quiet_since = verdict["last_ns"], time.monotonic()
        if time.monotonic() - quiet_since > settle_s:
            return verdict
        time.sleep(0.5)


def steady(first: Usage, last: Usage, verdict: dict[str, Any], *, seconds: float, sent: int) -> Figures:
    """Figures of a window in which points flowed steadily."""
    points = verdict["arrived_in_window"] or float("nan")
    cpu_s = last.cpu_s - first.cpu_s
    return {
        "points/s at the sink": points / seconds,
        "CPU, µs a point": cpu_s / points * 1e6,
        "CPU, % of a core": cpu_s / seconds * 100,
        "written to disk, bytes a point": (last.written - first.written) / points,
        "on the wire, bytes a point": sent / points,
        "source to sink p50, ms": verdict["latency_p50_ms"],
        "source to sink p99, ms": verdict["latency_p99_ms"],
        "missing": verdict["missing"],
        "wrong or foreign": verdict["wrong"] + verdict["foreign"],
        "twice": verdict["double"],
    }
