"""MQTT QoS 1 from a real mosquitto: a backlog drained, and steady rates."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.cases.opcua import WARM_S, settled, steady, usage_at
from benchmarks.figures import Figures
from benchmarks.load.telegrams import FIELDS, Telegrams
from benchmarks.meter import Usage, usage
from benchmarks.peers import Job, Peer
from benchmarks.process import Program, Sink, running
from tests.servers.mosquitto import Mosquitto

METERS = 50
WINDOW = 1000  # messages that the broker may have in flight, for everyone
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class MqttDrain:
    """A broker that has kept `messages` for us while we were away; fewer where a run is short."""

    name: str
    messages: int
    compares: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """For people."""
        return f"MQTT QoS 1, backlog of {self.messages:,} telegrams of {len(FIELDS)} fields"

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once; as many messages as are published in about that time."""
        messages = min(self.messages, int(seconds * 50_000))
        start_ms = time.time_ns() // 1_000_000 - messages
        telegrams = Telegrams(METERS, messages // METERS, METERS * 1000, start_ms)
        with _broker(folder) as broker, Sink() as sink:
            job = Job("mqtt", broker.url, sink.url)
            command = peer.command(job, folder)
            sink.control("rule", {"load": "mqtt", **asdict(telegrams)})
            with running(command, folder, peer.environment()):
                _subscribed(folder)
            with _publisher(broker, telegrams) as publisher:
                publisher.wait_for("published", timeout_s=300)
            began_ns = time.time_ns()
            with running(command, folder, peer.environment()) as process, _Watch(process) as watch:
                _first(sink)
                verdict = settled(sink, began_ns, 2**63, settle_s=8.0)
                sent = sink.control("state")["bytes"]
        arrived = verdict["expected"] - verdict["missing"]
        received = arrived / len(FIELDS) or float("nan")
        whole, flow = watch.at(verdict["last_ns"]), watch.at(verdict["first_ns"])
        took_s = (verdict["last_ns"] - verdict["first_ns"]) / 1e9
        return {
            "messages/s at the sink": received / took_s,
            "messages/s, start included": received / (verdict["last_ns"] - began_ns) * 1e9,
            "CPU, µs a message, start included": whole.cpu_s / received * 1e6,
            "CPU, µs a message": (whole.cpu_s - flow.cpu_s) / received * 1e6,
            "peak RSS, MB": whole.peak_mb,
            "written to disk, bytes a message": whole.written / received,
            "on the wire, bytes a message": sent / received,
            "points missing": verdict["missing"],
            "points wrong or foreign": verdict["wrong"] + verdict["foreign"],
            "points twice": verdict["double"],
        }


@dataclass(frozen=True, slots=True)
class MqttSteady:
    """Meters that send `rate` telegrams a second together."""

    name: str
    rate: int
    compares: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """For people."""
        return f"MQTT QoS 1, {self.rate:,} telegrams/s of {len(FIELDS)} fields"

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once: `seconds` of steady flow are measured, after some to get warm."""
        period_us, warm_s = round(METERS / self.rate * 1e6), min(WARM_S, seconds / 2)
        with _broker(folder) as broker, Sink() as sink:
            command = peer.command(Job("mqtt", broker.url, sink.url), folder)
            with running(command, folder, peer.environment()) as process:
                _subscribed(folder)
                start_ms = time.time_ns() // 1_000_000 + 1000
                telegrams = Telegrams(METERS, round((warm_s + seconds) * 1e6 / period_us), period_us, start_ms)
                sink.control("rule", {"load": "mqtt", **asdict(telegrams)})
                with _publisher(broker, telegrams, "--paced") as publisher:
                    from_ns = int((start_ms / 1000 + warm_s) * 1e9)
                    to_ns = from_ns + int(seconds * 1e9)
                    first, before = usage_at(process.pid, from_ns), sink.control("state")["bytes"]
                    last, after = usage_at(process.pid, to_ns), sink.control("state")["bytes"]
                    publisher.wait_for("published", timeout_s=60)
                verdict = settled(sink, from_ns, to_ns)
                peak_mb = usage(process.pid).peak_mb
        figures = steady(first, last, verdict, seconds=seconds, sent=after - before)
        per_message = {
            name.replace("a point", "a message").replace("points/s", "messages/s"): value
            for name, value in figures.items()
        }
        for name in per_message:
            if "a message" in name:
                per_message[name] *= len(FIELDS)
            elif "messages/s" in name:
                per_message[name] /= len(FIELDS)
        return per_message | {"peak RSS, MB": peak_mb}


@contextmanager
def _broker(folder: Path) -> Iterator[Mosquitto]:
    with Mosquitto(folder, max_inflight=WINDOW, lines=["log_type subscribe"]) as broker:
        yield broker


@contextmanager
def _publisher(broker: Mosquitto, telegrams: Telegrams, *more: str) -> Iterator[Program]:
    options = (f"--{name.replace('_', '-')}={value}" for name, value in asdict(telegrams).items())
    with Program("benchmarks.load.mqtt", f"--port={broker.plain_port}", *options, *more) as program:
        yield program


def _subscribed(folder: Path) -> None:
    """Wait until somebody has subscribed."""
    until = time.monotonic() + PATIENCE_S
    while "plant/" not in (folder / "mosquitto.log").read_text():
        if time.monotonic() > until:
            raise TimeoutError(f"nobody subscribed; see {folder}/output.txt")
        time.sleep(0.1)
    time.sleep(1.0)


def _first(sink: Sink) -> None:
    until = time.monotonic() + PATIENCE_S
    while not sink.control("state")["requests"] and time.monotonic() < until:
        time.sleep(0.1)


class _Watch:
    """What a process has used at every moment, sampled often."""

    def __init__(self, process: subprocess.Popen[Any]) -> None:
        self._process = process
        self._samples: list[tuple[int, Usage]] = []
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._over = False

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    def at(self, when_ns: int) -> Usage:
        """The first sample from that moment on."""
        return next((found for t_ns, found in self._samples if t_ns >= when_ns), self._samples[-1][1])

    def _look(self) -> None:
        while not self._over and self._process.poll() is None:
            self._samples.append((time.time_ns(), usage(self._process.pid)))
            time.sleep(0.05)
