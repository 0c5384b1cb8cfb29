"""One step alone, beside the limit of what it does; a program of its own, which prints its figures as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.figures import Figures
from benchmarks.peers import Peer

PATIENCE_S = 600


@dataclass(frozen=True, slots=True)
class Micro:
    """`python -m benchmarks.<module>`."""

    name: str
    module: str
    title: str
    arguments: tuple[str, ...] = ()
    compares: ClassVar[bool] = False

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """Once; raises OSError where it fails."""
        del peer, folder, seconds
        command = [sys.executable, "-m", f"benchmarks.{self.module}", "--json", *self.arguments]
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        if found.returncode:
            raise OSError(found.stderr.strip().rpartition("\n")[2] or f"{self.module} ended with {found.returncode}")
        figures: Figures = json.loads(found.stdout)
        return figures
