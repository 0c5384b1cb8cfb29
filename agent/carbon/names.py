"""What results and evidence are called in the log: the only place that knows. Pure."""

from __future__ import annotations

from functools import cache

from agent.carbon.plan import AccountPlan, MeterPlan
from agent.carbon.quantities import BASE
from agent.carbon.windows import MINUTE_NS, WindowKind
from collectors.points import Kind, Series

SOURCE = "carbon"
"""The source of everything that the accounting delivers; it does not read its own."""

EDGE = "edge"
POWER = "power_edge"


def evidence(plant: str, meter: MeterPlan, what: str = EDGE) -> Series:
    """A kept reading of a meter, as its register showed it."""
    unit = "kW" if what == POWER else meter.unit
    kind = Kind.GAUGE if meter.is_level or what == POWER else Kind.COUNTER
    return Series(plant, meter.area, meter.line, meter.name, f"{meter.medium}_{what}", unit, kind)


@cache
def result(plant: str, account: AccountPlan, window: WindowKind, what: str, unit: str, *, slot_ns: int) -> Series:
    """A result of an account over a window, at the time at which the window begins."""
    span = f"{slot_ns // MINUTE_NS}min" if window == "slot" else window
    medium = f"{account.medium}_unmetered" if account.level == "remainder" else account.medium
    signal = "_".join(part for part in (medium, span, what) if part)
    kind = Kind.EVENT if what == "statement" else Kind.GAUGE
    machine = account.name if account.level in ("meter", "remainder") else ""
    return Series(plant, account.area, account.line, machine, signal, unit or BASE[account.medium], kind)


def basis(plant: str) -> Series:
    """What figures are computed with from a time on: settings and factors, as JSON."""
    return Series(plant, "", "", "raceway", "carbon_basis", "", Kind.EVENT)
