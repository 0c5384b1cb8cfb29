"""What is kept of a case: its figures, and beside them the machine, the versions and the settings."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.figures import Figures, ratios, summary
from benchmarks.peers import Peer

RESULTS = Path(__file__).parent / "results"
OURS = "raceway"


def keep(
    case: Case, peers: Iterable[Peer], runs: Mapping[str, list[Figures]], failed: Mapping[str, str], *, seconds: float
) -> dict[str, Any]:
    """Write the case's file; returns what is in it."""
    measured = {name: found for name, found in runs.items() if found}
    ours = measured.get(OURS, [])
    kept = {
        "case": case.name,
        "title": case.title,
        "settings": {name: getattr(case, name) for name in case.__dataclass_fields__} | {"seconds": seconds},
        "when": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "commit": _said("git", "describe", "--always", "--dirty"),
        "machine": machine(),
        "versions": {peer.name: peer.version() for peer in peers},
        "rounds": {name: len(found) for name, found in measured.items()},
        "failed": dict(failed),
        "summary": {name: summary(found) for name, found in measured.items()},
        "raceway over": {name: ratios(ours, found) for name, found in measured.items() if ours and name != OURS},
        "runs": measured,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{case.name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return kept


def load() -> dict[str, dict[str, Any]]:
    """Everything that is kept, by the name of its case."""
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    return {each["case"]: each for each in found}


def machine() -> dict[str, object]:
    """Where it was measured, and how busy it was."""
    cpu = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cpu": cpu[0] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "packages": {name: importlib.metadata.version(name) for name in ("asyncua", "paho-mqtt", "numpy", "orjson")},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
