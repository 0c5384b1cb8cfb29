"""Off, standing by, running: by the mean power of each slot. Pure.

The finer the slots, the truer: with slots of 15 minutes a short stop counts as running. A slot that is not wholly known
has no state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from agent.carbon.energy import Amount
from agent.carbon.quantities import MICRO, NS_PER_H

State = Literal["off", "standby", "running"]


class Thresholds(NamedTuple):
    """Mean powers, kW: below the first a machine is off, from the second on it runs."""

    off_below: Fraction
    running_from: Fraction


@dataclass(slots=True)
class States:
    """What flowed in each state in millionths, how long each lasted, and the longest time of standing by."""

    micro: dict[State, int]
    lasted_ns: dict[State, int]
    longest_standby_ns: int = 0


def by_state(slots: Mapping[int, Amount], span: range, *, slot_ns: int, thresholds: Thresholds) -> States:
    """The states of consecutive slots."""
    found = States({"off": 0, "standby": 0, "running": 0}, {"off": 0, "standby": 0, "running": 0})
    here_ns = 0
    for slot in span:
        amount = slots.get(slot)
        state = None
        if amount is not None and amount.measured_ns + amount.estimated_ns == slot_ns:
            state = _state(Fraction(amount.micro * NS_PER_H, MICRO * slot_ns), thresholds)
            found.micro[state] += amount.micro
            found.lasted_ns[state] += slot_ns
        here_ns = here_ns + slot_ns if state == "standby" else 0
        found.longest_standby_ns = max(found.longest_standby_ns, here_ns)
    return found


def _state(power_kw: Fraction, thresholds: Thresholds) -> State:
    if power_kw < thresholds.off_below:
        return "off"
    return "running" if power_kw >= thresholds.running_from else "standby"
