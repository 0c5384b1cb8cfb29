"""Raceway beside its peers: the same real servers, the same sink, in turn A B A B, every point checked.

scripts/bench [CASE…] [--quick] [--runs N] [--json] [--telegraf PATH] [--peers NAME,…]

Without a CASE all of them run, which takes hours; --list names them. A CASE may be the beginning of several names.
Figures of different machines, or of a machine that does something else, must not be compared; ratios pair by pair may.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import CASES, Case
from benchmarks.figures import Figures, ratios, summary, table
from benchmarks.peers import Peer
from benchmarks.peers.raceway import Raceway
from benchmarks.peers.stock import Stock
from benchmarks.peers.telegraf import Telegraf

RESULTS = Path("benchmarks/results")
SECONDS, QUICK_SECONDS = 20.0, 10.0
RUNS, QUICK_RUNS = 5, 2
MICRO = ("opcua_decode", "influx_lines", "store_append", "history_take", "mqtt_drain", "opcua_source")


def main() -> None:
    """Run what is asked for."""
    options = _options()
    cases = [case for case in CASES if not options.cases or case.name.startswith(tuple(options.cases))]
    if options.list:
        print("\n".join([*(f"{case.name:22} {case.title}" for case in CASES), f"{'micro':22} one step at a time"]))
        return
    peers = _peers(options)
    for case in cases:
        results = compare(case, peers, runs=options.runs, seconds=options.seconds)
        if not results:
            continue
        kept = _kept(case, peers, results, options)
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{case.name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        print(
            json.dumps(kept, ensure_ascii=False)
            if options.json
            else f"\n{case.title}\n{table(results, ours='raceway')}"
        )
    if not options.cases or "micro" in options.cases:
        _micro(is_json=options.json)
    elif not cases:
        sys.exit(f"no case begins with {' or '.join(options.cases)}; --list names them")


def compare(case: Case, peers: Sequence[Peer], *, runs: int, seconds: float) -> dict[str, list[Figures]]:
    """Every peer in turn, again and again; a peer that fails once is left out, and why is said."""
    results: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
    for number in range(runs):
        for peer in peers:
            if len(results[peer.name]) < number:
                continue
            folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))  # a real disk, not memory
            try:
                print(f"{case.name}: {peer.name}, run {number + 1} of {runs}", file=sys.stderr, flush=True)
                results[peer.name].append(case.run(peer, folder, seconds=seconds))
            except (OSError, TimeoutError, KeyError) as error:
                print(f"{case.name}: {peer.name} failed: {error}\n{_last_words(folder)}", file=sys.stderr, flush=True)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return {name: found for name, found in results.items() if len(found) == runs}


def _last_words(folder: Path) -> str:
    output = folder / "output.txt"
    return "\n".join(output.read_text(errors="replace").splitlines()[-5:]) if output.exists() else ""


def _peers(options: argparse.Namespace) -> list[Peer]:
    known: list[Peer] = [Raceway(), Stock()]
    if telegraf := options.telegraf or shutil.which("telegraf"):
        known[1:1] = [Telegraf(telegraf), Telegraf(telegraf, is_tuned=False)]
    else:
        print("no telegraf on PATH and no --telegraf PATH: compared without it", file=sys.stderr)
    wanted = options.peers.split(",")
    return [peer for peer in known if peer.name in wanted]


def _kept(
    case: Case, peers: Sequence[Peer], results: dict[str, list[Figures]], options: argparse.Namespace
) -> dict[str, object]:
    ours = results.get("raceway")
    return {
        "case": case.name,
        "title": case.title,
        "settings": {name: getattr(case, name) for name in case.__dataclass_fields__} | {"seconds": options.seconds},
        "when": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "commit": _said("git", "describe", "--always", "--dirty"),
        "machine": _machine(),
        "versions": {peer.name: peer.version() for peer in peers},
        "summary": {name: summary(runs) for name, runs in results.items()},
        "raceway over": {name: ratios(ours, runs) for name, runs in results.items() if ours and name != "raceway"},
        "runs": results,
    }


def _machine() -> dict[str, object]:
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


def _micro(*, is_json: bool) -> None:
    for name in MICRO:
        if not is_json:
            print(f"\n{name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--json"] if is_json else [])]
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        print(found.stdout, end="" if found.stdout.endswith("\n") else "\n", flush=True)
        if is_json and found.returncode == 0:
            (RESULTS / f"micro-{name}.json").write_text(found.stdout)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs of {QUICK_SECONDS:g} s")
    parser.add_argument("--runs", type=int, help=f"runs of each peer; {RUNS} where nothing is said")
    parser.add_argument("--seconds", type=float, help=f"how long is measured; {SECONDS:g} where nothing is said")
    parser.add_argument("--json", action="store_true", help="one JSON object a case instead of tables")
    parser.add_argument("--telegraf", metavar="PATH", help="a Telegraf of at least 1.39.3, where it is not on PATH")
    parser.add_argument("--peers", default="raceway,telegraf,stock", metavar="NAME,…", help="also: telegraf-defaults")
    options = parser.parse_args()
    options.runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    return options


if __name__ == "__main__":
    main()
