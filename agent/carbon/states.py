"""Off, standing by, running: as the machine says it, or by the mean power of each slot. Pure.

By power: the finer the slots, the truer; with slots of 15 minutes a short stop counts as running. By a signal: to the
minute. What flowed in a slot with several states is divided by time and by the mean power that each state has in the
slots that it fills. A slot that is not wholly known has no energy by state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

from agent.carbon.energy import Amount
from agent.carbon.meter import EVER, Reading
from agent.carbon.quantities import MICRO, NS_PER_H, divide

State = Literal["off", "standby", "running"]
STATES: tuple[State, ...] = ("off", "standby", "running")
"""A state's place here is the number that is kept of it; any other number is no known state."""
UNKNOWN = float(len(STATES))


class Thresholds(NamedTuple):
    """Mean powers, kW: below the first a machine is off, from the second on it runs."""

    off_below: Fraction
    running_from: Fraction


@dataclass(slots=True)
class States:
    """What flowed in each state in millionths, how long each lasted, and the longest time of standing by."""

    micro: dict[State, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    lasted_ns: dict[State, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    longest_standby_ns: int = 0
    standby: dict[int, Amount] = field(default_factory=dict)  # what flowed while standing by, by slot

    def add(self, slot: int, parts: Mapping[State, int]) -> None:
        """Add what flowed in a slot."""
        for state, micro in parts.items():
            self.micro[state] += micro
        if "standby" in parts:
            self.standby[slot] = Amount(measured=parts["standby"])


def by_power(slots: Mapping[int, Amount], span: range, *, slot_ns: int, thresholds: Thresholds) -> States:
    """The states of consecutive slots by their mean power."""
    found = States()
    here_ns = 0
    for slot in span:
        state = None
        if (micro := _known(slots, slot, slot_ns)) is not None:
            state = _state(Fraction(micro * NS_PER_H, MICRO * slot_ns), thresholds)
            found.add(slot, {state: micro})
            found.lasted_ns[state] += slot_ns
        here_ns = here_ns + slot_ns if state == "standby" else 0
        found.longest_standby_ns = max(found.longest_standby_ns, here_ns)
    return found


def _known(slots: Mapping[int, Amount], slot: int, slot_ns: int) -> int | None:
    amount = slots.get(slot)
    if amount is None or amount.measured_ns + amount.estimated_ns != slot_ns:
        return None
    return amount.micro


def _state(power_kw: Fraction, thresholds: Thresholds) -> State:
    if power_kw < thresholds.off_below:
        return "off"
    return "running" if power_kw >= thresholds.running_from else "standby"


class Stay(NamedTuple):
    """A time in one state."""

    from_ns: int
    to_ns: int
    state: State


def stays(readings: Sequence[Reading], from_ns: int, to_ns: int, *, holds_ns: int) -> Iterator[Stay]:
    """The states between two times, one after the other.

    readings: in order of time, the last ones before from_ns too.  holds_ns: how long one is believed that is not said
    again.
    """
    begun: Stay | None = None
    for here, after in pairwise([*readings, Reading(EVER, UNKNOWN)]):
        start, end = max(here.t_ns, from_ns), min(after.t_ns, here.t_ns + holds_ns, to_ns)
        if start >= end or here.value not in range(len(STATES)):
            continue
        state = STATES[int(here.value)]
        if begun is not None and (begun.to_ns, begun.state) == (start, state):
            begun = begun._replace(to_ns=end)
            continue
        if begun is not None:
            yield begun
        begun = Stay(start, end, state)
    if begun is not None:
        yield begun


def by_signal(slots: Mapping[int, Amount], span: range, found: Sequence[Stay], *, slot_ns: int) -> States:
    """The states of consecutive slots, as the machine said them."""
    result = States()
    lasted: dict[int, dict[State, int]] = {}
    for stay in found:
        result.lasted_ns[stay.state] += stay.to_ns - stay.from_ns
        if stay.state == "standby":
            result.longest_standby_ns = max(result.longest_standby_ns, stay.to_ns - stay.from_ns)
        for slot in range(stay.from_ns // slot_ns, -(-stay.to_ns // slot_ns)):
            inside_ns = min(stay.to_ns, (slot + 1) * slot_ns) - max(stay.from_ns, slot * slot_ns)
            here = lasted.setdefault(slot, {})
            here[stay.state] = here.get(stay.state, 0) + inside_ns
    flowed = {slot: micro for slot in span if slot in lasted and (micro := _known(slots, slot, slot_ns)) is not None}
    usual = _usual(flowed, lasted, slot_ns)
    for slot, micro in flowed.items():
        told_ns = sum(lasted[slot].values())
        result.add(slot, _divided(micro * told_ns // slot_ns, lasted[slot], usual))
    return result


def _usual(flowed: Mapping[int, int], lasted: Mapping[int, Mapping[State, int]], slot_ns: int) -> dict[State, int]:
    """What flows on the average in a slot that is filled by one state, in millionths."""
    filled: dict[State, list[int]] = {}
    for slot, micro in flowed.items():
        for state, ns in lasted[slot].items():
            if ns == slot_ns:
                filled.setdefault(state, []).append(max(0, micro))
    return {state: sum(amounts) // len(amounts) for state, amounts in filled.items()}


def _divided(micro: int, lasted_ns: Mapping[State, int], usual: Mapping[State, int]) -> dict[State, int]:
    if all(state in usual for state in lasted_ns):
        weights = {state: ns * usual[state] for state, ns in lasted_ns.items()}
        if any(weights.values()):
            return divide(micro, weights)
    return divide(micro, lasted_ns)
