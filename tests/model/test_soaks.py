"""Each long run of the store at a small count, as `scripts/soak NAME --json` runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS
from tests.soak.mutants import hunt

TOP = Path(__file__).parents[2]
MISSING = 3  # the machine lacks what the run needs


def soak(name: str, count: int) -> dict[str, object]:
    """Run it in a process of its own; it forks, mounts and sets up its log."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", name, "--count", str(count), "--json"],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=110,
    )
    facts = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode in (0, MISSING), facts
    assert (done.returncode == MISSING) == ("missing" in facts)
    return dict(facts)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("model", 20),
        ("crash-states", 1500),
        ("damage", 120),
        ("disk-full", 16),
        ("wear", 40),
        ("power-cuts", 30),
        pytest.param("kills", 50, marks=pytest.mark.real("mosquitto")),
        pytest.param("syscalls", 60, marks=pytest.mark.real("strace")),
    ],
)
def test_nothing_acknowledged_is_lost(name: str, count: int) -> None:
    """Its targets are met, and it says how much was tried."""
    facts = soak(name, count)

    assert facts["name"] == name
    if "missing" in facts:
        return  # no root, no loop device: the run has said so, and claims nothing
    assert int(str(facts["count"])) >= count / 2
    assert facts.get("acked_lost", 0) == facts.get("violations", 0) == 0


def test_planted_bugs_are_caught() -> None:
    """A few that show themselves soon; `scripts/soak mutants` hunts them all."""
    soon = ("no sync of the directory", "place kept before it is confirmed", "deleted by the wall clock", "404 drops")
    caught = {mutant.name: hunt(mutant, 60) is not None for mutant in MUTANTS if mutant.name in soon}
    assert caught == dict.fromkeys(soon, True)
