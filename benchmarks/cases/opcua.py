"""OPC UA subscriptions at a steady rate, from the server to the sink."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from benchmarks.figures import Figures, percentiles
from benchmarks.load.keys import write_keys
from benchmarks.load.rule import Kinds
from benchmarks.meter import Usage, usage
from benchmarks.peers import Job, Peer
from benchmarks.peers.raceway import DURABLE
from benchmarks.process import Program, Sink, running
from tests.servers.ports import free_port

WARM_S = 5.0
SETTLE_S = 6.0  # nothing new for so long: nothing more will come
SURE_S = 2.0  # the same, where no more than what the load itself has lost is missing
MOST_S = 90.0  # nobody is waited for longer


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
    compares: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """For people."""
        extras = [
            self.kinds,
            "every 250 ms" if self.pace == "fresh" else "",
            "SignAndEncrypt" if self.is_secure else "",
            "buffers on disk" if self.is_durable else "",
        ]
        return f"OPC UA, {self.nodes:,} nodes at {self.hz:g} Hz, " + ", ".join(filter(None, extras))

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once: `seconds` of steady flow are measured, after some to get warm."""
        port = free_port()
        period_ms = 1000 / self.hz
        warm_s = min(WARM_S, seconds / 2)
        ticks = round((warm_s + seconds) * self.hz)
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
                from_ns = rule["start_ns"] + int(warm_s * 1e9)
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
        figures |= durable(folder, from_ns, to_ns)
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


def settled(
    sink: Sink, from_ns: int, to_ns: int, *, settle_s: float = SETTLE_S, lost: Callable[[], float] = lambda: 0.0
) -> dict[str, Any]:
    """The verdict when everything is there, or when nothing new has come for a while.

    lost: how many values can never come.
    """
    began = quiet_since = time.monotonic()
    last_ns = 0
    while True:
        verdict: dict[str, Any] = sink.control(f"verdict?from_ns={from_ns}&to_ns={to_ns}")
        if not verdict["missing"]:
            return verdict
        if verdict["last_ns"] != last_ns:
            last_ns, quiet_since = verdict["last_ns"], time.monotonic()
        patience_s = SURE_S if verdict["missing"] <= lost() else settle_s
        if time.monotonic() - quiet_since > patience_s or time.monotonic() - began > MOST_S:
            return verdict
        time.sleep(0.5)


def durable(folder: Path, from_ns: int, to_ns: int) -> Figures:
    """From a value's own timestamp until it was durable; only Raceway says it."""
    path = folder / DURABLE
    noted = json.loads(path.read_text()) if path.exists() else []
    late = [(now_ns - t_ns) / 1e6 for now_ns, t_ns in noted if from_ns <= now_ns < to_ns]
    return percentiles("source to durable", late)


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
