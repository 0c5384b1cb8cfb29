"""A real process on a real disk, killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agent.store import inspect

TOP = Path(__file__).parents[3]


def test_kill_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Five lives, each killed after some acknowledgements: all of them are in the log, and the log is well."""
    acknowledged: set[int] = set()
    for life in range(5):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.agent.store.child", str(tmp_path)],
            cwd=TOP,
            env={**os.environ, "PYTHONPATH": str(TOP)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip().isdigit():
                acknowledged.add(int(line))
            if len(acknowledged) >= 40 * (life + 1):
                break
        child.kill()
        child.stdout.close()
        child.wait()

    kept = {
        int(point.value)
        for entry in inspect.entries(tmp_path)
        for point in entry.batch.points()
        if entry.batch.source == "s"
    }
    assert acknowledged - kept == set()
    assert inspect.verify(tmp_path).flaws == []
