"""What a process uses, from /proc: CPU, memory, what it wrote to the disk. Linux only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """At one moment; the difference of two is what happened between them."""

    cpu_s: float  # user and system, all threads
    written: int  # bytes that this process caused to go to a device
    peak_mb: float  # most memory that was resident since the start
    switches: int  # voluntary context switches of the main thread: about how often it woke up


def usage(pid: int) -> Usage:
    """Of a running process; raises OSError where it has ended."""
    proc = Path("/proc") / str(pid)
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    io = dict(line.split(": ") for line in (proc / "io").read_text().splitlines())
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return Usage(
        (int(fields[11]) + int(fields[12])) / _TICKS,
        int(io["write_bytes"]),
        int(status["VmHWM"].split()[0]) / 1024,
        int(status["voluntary_ctxt_switches"]),
    )
