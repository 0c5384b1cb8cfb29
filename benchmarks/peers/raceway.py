"""Raceway as a plant runs it: `raceway run` with the durable log, history, page, metrics and supervision."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.load.rule import MACHINE_SIGNALS
from benchmarks.load.telegrams import FIELDS
from benchmarks.peers import BATCH, Job

_FRESH: dict[str, dict[str, object]] = {
    "opcua": {"publishing_ms": 250},
    "store": {"linger_s": 0.1},
    "sink": {"linger_s": 0.05},
}


_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}  # of deploy/systemd/raceway.service
# No plant has rich: only this checkout's tools need it. structlog imports it where it is there, for 6 MB.
_RUN = (
    "import sys; sys.modules['rich'] = None; from benchmarks.peers.watch import watch; watch(sys.argv.pop());"
    "from agent.cli import main; main()"
)
DURABLE = "durable.json"


class Raceway:
    """The agent of this checkout."""

    name = "raceway"
    buffer = "data/log/**/*.seg"

    def version(self) -> str:
        """Of the installed package."""
        return version("raceway")

    def environment(self) -> Mapping[str, str]:
        """What the service sets."""
        return _ENVIRONMENT

    def command(self, job: Job, folder: Path) -> Sequence[str]:
        """The configuration as JSON, which is YAML, and the tags as a plant keeps them, in a CSV file."""
        (folder / "token").write_text(job.token)
        (folder / "token").chmod(0o600)
        pace = _FRESH if job.pace == "fresh" else {}
        source = self._opcua(job, folder) | pace.get("opcua", {}) if job.source == "opcua" else self._mqtt(job)
        sink = {
            "kind": "influxdb", "name": "influx", "url": job.sink_url, "org": "bench", "bucket": "bench",
            "token_file": "token", "batch_lines": BATCH, "timeout_s": job.timeout_s,
            "backlog_begins_within_s": 0, **pace.get("sink", {}),
        }  # fmt: skip
        config = {
            "plant": "bench",
            "data_dir": "data",
            "store": pace.get("store", {}),
            "sources": [source],
            "sinks": [sink],
            "dashboard": {"listen": "127.0.0.1:0"},
        }
        (folder / "raceway.yaml").write_text(json.dumps(config, indent=1))
        return [sys.executable, "-c", _RUN, "run", str(folder / "raceway.yaml"), str(folder / DURABLE)]

    def _opcua(self, job: Job, folder: Path) -> dict[str, object]:
        rows = (
            f"m{i // MACHINE_SIGNALS},s{i % MACHINE_SIGNALS},ns=2;s=n{i},{job.period_ms:g}" for i in range(job.nodes)
        )
        (folder / "tags.csv").write_text("machine,signal,node,sampling_ms\n" + "\n".join(rows) + "\n")
        source: dict[str, object] = {"kind": "opcua", "name": "machines", "url": job.url, "tags_from": ["tags.csv"]}
        if job.certificates is not None:
            own = {
                "certificate": str(job.certificates / "client.der"),
                "private_key": str(job.certificates / "client.pem"),
            }
            theirs = {"server_certificate": str(job.certificates / "server.der")}
            source["security"] = {"policy": "Basic256Sha256", "mode": "SignAndEncrypt", **own, **theirs}
        return source

    def _mqtt(self, job: Job) -> dict[str, object]:
        mapping = {
            "topic": "plant/{line}/{machine}/energy",
            "time": {"path": "ts", "format": "epoch_ms"},
            "signals": [{"signal": field, "path": field} for field in FIELDS],
        }
        return {"kind": "mqtt", "name": "meters", "url": job.url, "mappings": [mapping]}
