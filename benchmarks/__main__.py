"""Raceway beside its peers: the same real servers, the same sink, in turn A B A B, every point checked.

scripts/bench [CASE…] [--quick] [--minutes M] [--runs N] [--json] [--telegraf PATH] [--peers NAME,…]

Without a CASE all of them run; --list names them. A CASE may be the beginning of several names. Every case runs once
before any runs again, so that a run of bounded time has the whole table, and as many rounds as there was time for.
Figures of different machines, or of a machine that does something else, must not be compared; ratios pair by pair may.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bars import judged, shown
from benchmarks.cases import CASES, Case
from benchmarks.figures import Figures, table
from benchmarks.kept import OURS, keep
from benchmarks.peers import Peer
from benchmarks.peers.raceway import Raceway
from benchmarks.peers.stock import Stock
from benchmarks.peers.telegraf import Telegraf

SECONDS, QUICK_SECONDS = 20.0, 6.0
RUNS = 5
QUICK_MINUTES = 14.0
PEERS, QUICK_PEERS = "raceway,telegraf,stock", "raceway,telegraf"


@dataclass(slots=True)
class Measured:
    """One case, as far as it has come."""

    case: Case
    peers: Sequence[Peer]
    runs: dict[str, list[Figures]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    round_s: float = 0.0  # how long the longest took

    def round(self, *, seconds: float) -> None:
        """Every peer once; one that fails is not tried again, and why is said."""
        began_s = time.monotonic()
        for peer in self.peers:
            if peer.name in self.failed:
                continue
            folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))  # a real disk, not memory
            runs = self.runs.setdefault(peer.name, [])
            print(f"{self.case.name}: {peer.name}, run {len(runs) + 1}", file=sys.stderr, flush=True)
            try:
                runs.append(self.case.run(peer, folder, seconds=seconds))
            except (OSError, TimeoutError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
                self.failed[peer.name] = f"{type(error).__name__}: {error}"
                print(f"{self.failed[peer.name]}\n{_last_words(folder)}", file=sys.stderr, flush=True)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        self.round_s = max(self.round_s, time.monotonic() - began_s)


def main() -> None:
    """Run what is asked for."""
    options = _options()
    cases = [case for case in CASES if not options.cases or case.name.startswith(tuple(options.cases))]
    if options.list:
        print("\n".join(f"{case.name:22} {case.title}" for case in CASES))
        return
    if not cases:
        sys.exit(f"no case begins with {' or '.join(options.cases)}; --list names them")
    peers = _peers(options)
    all_measured = [Measured(case, [peer for peer in peers if case.compares or peer.name == OURS]) for case in cases]
    kept = _rounds(all_measured, options)
    for one in all_measured:
        if one.case.name not in kept:
            print(f"{one.case.name}: no time for it", file=sys.stderr)
        elif options.json:
            print(json.dumps(kept[one.case.name], ensure_ascii=False))
        else:
            print(f"\n{one.case.title}\n{table(kept[one.case.name]['runs'], ours=OURS)}")
    if not options.json:
        print(f"\n{shown(judged(kept))}")


def _rounds(all_measured: Sequence[Measured], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Round after round, until there are enough or the next one would take too long; each is kept at once."""
    until_s = time.monotonic() + options.minutes * 60
    kept: dict[str, dict[str, Any]] = {}
    for _ in range(options.runs):
        for one in all_measured:
            if time.monotonic() + one.round_s > until_s or len(one.failed) == len(one.peers):
                continue
            one.round(seconds=options.seconds)
            if any(one.runs.values()):
                kept[one.case.name] = keep(one.case, one.peers, one.runs, one.failed, seconds=options.seconds)
    return kept


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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_MINUTES:g} minutes, runs of {QUICK_SECONDS:g} s, and only {QUICK_PEERS}",
    )
    parser.add_argument("--minutes", type=float, help="begin nothing that would end later; unbounded by default")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of each peer at most; {RUNS} by default")
    parser.add_argument("--seconds", type=float, help=f"how long is measured; {SECONDS:g} by default")
    parser.add_argument("--json", action="store_true", help="one JSON object a case instead of tables")
    parser.add_argument("--telegraf", metavar="PATH", help="a Telegraf of at least 1.39.3, where it is not on PATH")
    parser.add_argument("--peers", metavar="NAME,…", help=f"{PEERS} by default; there is also telegraf-defaults")
    options = parser.parse_args()
    options.minutes = options.minutes or (QUICK_MINUTES if options.quick else math.inf)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    options.peers = options.peers or (QUICK_PEERS if options.quick else PEERS)
    return options


if __name__ == "__main__":
    main()
