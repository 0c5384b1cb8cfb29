"""The clocks the store reads, in one object, so that tests can turn them."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Protocol
from uuid import UUID


class Clocks(Protocol):
    """Wall time may jump; the other two never go back within one boot."""

    boot_id: bytes  # 16 bytes, new with every boot of the machine

    def wall_ns(self) -> int:
        """Since 1970 UTC, as far as the machine knows."""
        ...

    def boottime_ns(self) -> int:
        """Since boot, suspension included."""
        ...

    def monotonic(self) -> float:
        """Seconds, for timers."""
        ...

    def is_set(self) -> bool:
        """Whether something that knows the time keeps the wall clock: NTP, PTP. False also where nobody can say."""
        ...


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` (adjtimex(2)), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


_UNSYNCHRONISED = 0x40  # STA_UNSYNC


class OsClocks:
    """The machine's own."""

    def __init__(self) -> None:
        try:
            self.boot_id = UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
        except (OSError, ValueError):
            self.boot_id = bytes(16)

    def wall_ns(self) -> int:  # noqa: D102 - the protocol says it
        return time.time_ns()

    def boottime_ns(self) -> int:  # noqa: D102
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def monotonic(self) -> float:  # noqa: D102
        return time.monotonic()

    def is_set(self) -> bool:  # noqa: D102
        timex = _Timex()
        try:
            failed = ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0
        except (OSError, AttributeError):
            return False
        return not (failed or timex.status & _UNSYNCHRONISED)
