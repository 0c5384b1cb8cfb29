"""What results and evidence are called in the log: the only place that knows. Pure."""

from __future__ import annotations

from functools import cache

from agent.carbon.plan import AccountPlan, MeterPlan, Role
from agent.carbon.quantities import BASE
from agent.carbon.windows import MINUTE_NS, WindowKind
from collectors.points import Kind, Series

SOURCE = "carbon"
"""The source of everything that the accounting delivers; it does not read its own."""


def evidence(plant: str, meter: MeterPlan, role: Role) -> Series:
    """A kept reading of a meter, as its register showed it; of a state, its number."""
    what, unit, kind = {
        "register": ("edge", meter.unit, Kind.GAUGE if meter.is_level else Kind.COUNTER),
        "power": ("power_edge", "kW", Kind.GAUGE),
        "state": ("state_edge", "", Kind.STATE),
    }[role]
    return Series(plant, meter.area, meter.line, meter.name, f"{meter.medium}_{what}", unit, kind)


@cache
def result(plant: str, account: AccountPlan, window: WindowKind, what: str, unit: str, *, slot_ns: int) -> Series:
    """A result of an account over a window, at the time at which the window begins."""
    span = f"{slot_ns // MINUTE_NS}min" if window == "slot" else window
    medium = f"{account.medium}_unmetered" if account.level == "remainder" else account.medium
    signal = "_".join(part for part in (medium, span, what) if part)
    kind = Kind.STATEMENT if what == "statement" else Kind.WINDOW
    machine = account.name if account.level in ("meter", "remainder") else ""
    return Series(plant, account.area, account.line, machine, signal, unit or BASE[account.medium], kind)


def basis(plant: str) -> Series:
    """What figures are computed with from a time on: settings and factors, as JSON."""
    return Series(plant, "", "", "raceway", "carbon_basis", "", Kind.EVENT)
