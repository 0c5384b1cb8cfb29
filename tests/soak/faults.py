"""Everything at once, against real servers: kills, freezes, restarts. --count is minutes, 5 by default."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.scenarios.faults import Course, run_course
from tests.soak.finding import Finding


def soak(count: int | None) -> Finding:
    """Run for `count` minutes: the agent killed five times, InfluxDB away for a minute, the machines frozen."""
    with TemporaryDirectory(prefix="raceway-faults-") as directory:
        account = asyncio.run(run_course(Course.lasting(60 * (count or 5)), Path(directory), say=_say))
    return Finding(account.facts(), account.is_well)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
