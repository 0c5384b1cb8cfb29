"""Readings as people write them: clock time on one day, value."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from agent.carbon.meter import Counter, Epoch, Reading
from agent.carbon.thin import Trace

ZONE = ZoneInfo("Asia/Shanghai")
NS = 10**9
SLOT_NS = 900 * NS
KWH = 10**6  # millionths


def at(clock: str, day: str = "2026-03-02") -> int:
    """A time of the plant, ns since 1970 UTC."""
    return round(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE).timestamp()) * NS


def readings(*rows: tuple[str, float]) -> list[Reading]:
    return [Reading(at(clock), value) for clock, value in rows]


def trace(found: Iterable[Reading], *, cell_ns: int = 0) -> Trace:
    made = Trace(slot_ns=SLOT_NS, cell_ns=cell_ns)
    rows = list(found)
    made.take(np.array([r.t_ns for r in rows], np.int64), np.array([r.value for r in rows], np.float64))
    return made


def counter(*epochs: Epoch, most_per_h: float = 100, **rules: object) -> Counter:
    """A register that counts kWh, 100 kW at most."""
    return Counter(epochs or (Epoch(Fraction(1)),), Fraction(most_per_h), **rules)  # type: ignore[arg-type]
