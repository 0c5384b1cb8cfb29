"""Amounts over time: power into energy, and how a gap is filled. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from agent.carbon.meter import Link, Reading
from agent.carbon.quantities import MICRO, NS_PER_H

WEEK_NS = 7 * 24 * NS_PER_H
PROFILE_WEEKS = 3


def integrate(readings: Sequence[Reading], *, units: Fraction, most_per_h: Fraction, max_gap_ns: int) -> list[Link]:
    """Integrate a level over time by the trapezoid rule.

    readings: in order of time.  units: base units an hour that one unit of the level stands for.
    Over a longer gap than max_gap_ns nobody knows what flowed. A level beyond most_per_h is left out.
    """
    per_ns = units * MICRO / (2 * NS_PER_H)
    usable = [r for r in readings if abs(Fraction(r.value) * units) <= most_per_h]
    found = []
    for a, b in pairwise(usable):
        span = b.t_ns - a.t_ns
        if span > max_gap_ns:
            found.append(Link(a.t_ns, b.t_ns, None, "no data"))
        else:
            found.append(Link(a.t_ns, b.t_ns, round((Fraction(a.value) + Fraction(b.value)) * per_ns * span)))
    return found


@dataclass(slots=True)
class Amount:
    """What flowed in some time, in millionths of the base unit, and for how much of the time that is known."""

    measured: int = 0
    estimated: int = 0
    measured_ns: int = 0
    estimated_ns: int = 0

    @property
    def micro(self) -> int:
        """All that is known to have flowed."""
        return self.measured + self.estimated

    def add(self, other: Amount) -> None:
        """Add what flowed at another time."""
        self.measured += other.measured
        self.estimated += other.estimated
        self.measured_ns += other.measured_ns
        self.estimated_ns += other.estimated_ns


Profile = Callable[[int], int | None]
"""What usually flows in a slot, in millionths; None where nothing is known."""


def by_slot(links: Iterable[Link], *, slot_ns: int, max_gap_ns: int, usual: Profile) -> dict[int, Amount]:
    """The amount of every slot that a link with a known amount touches.

    A link is spread evenly. Over a gap longer than max_gap_ns it is spread as is usual, scaled to the difference of the
    register, and counts as estimated; evenly where nothing is known about some slot of it.
    """
    found: dict[int, Amount] = {}
    for link in links:
        if link.micro is None or link.from_ns == link.to_ns:
            if link.micro:
                found.setdefault(link.to_ns // slot_ns, Amount()).measured += link.micro
            continue
        is_gap = link.to_ns - link.from_ns > max_gap_ns
        slot = link.from_ns // slot_ns
        if not is_gap and link.to_ns <= (slot + 1) * slot_ns:  # nearly every link
            amount = found.setdefault(slot, Amount())
            amount.measured += link.micro
            amount.measured_ns += link.to_ns - link.from_ns
            continue
        for slot, micro, span_ns in spread(link, slot_ns, usual if is_gap else _nothing):
            amount = found.setdefault(slot, Amount())
            if is_gap:
                amount.estimated += micro
                amount.estimated_ns += span_ns
            else:
                amount.measured += micro
                amount.measured_ns += span_ns
    return found


def _nothing(_slot: int) -> None:
    return None


def spread(link: Link, slot_ns: int, usual: Profile) -> Iterator[tuple[int, int, int]]:
    """(slot, micro, ns) of a link; the parts add up to the link exactly."""
    assert link.micro is not None, "what is unknown cannot be spread"
    slots = range(link.from_ns // slot_ns, -(-link.to_ns // slot_ns))
    spans = [min(link.to_ns, (slot + 1) * slot_ns) - max(link.from_ns, slot * slot_ns) for slot in slots]
    weights = _weights(slots, spans, slot_ns, usual) or spans
    total, done, given = sum(weights), 0, 0
    for slot, span, weight in zip(slots, spans, weights, strict=True):
        done += weight
        upto = link.micro * done // total
        yield slot, upto - given, span
        given = upto


def _weights(slots: range, spans: Sequence[int], slot_ns: int, usual: Profile) -> list[int] | None:
    weights = []
    for slot, span in zip(slots, spans, strict=True):
        flows = usual(slot)
        if flows is None:
            return None
        weights.append(max(0, flows) * span // slot_ns)
    return weights if sum(weights) else None


def weekly(known: Callable[[int], Amount | None], slot_ns: int) -> Profile:
    """What usually flows in a slot: the mean of the same slot in the three weeks before, as far as it was measured."""
    week = WEEK_NS // slot_ns

    def usual(slot: int) -> int | None:
        before = [known(slot - week * number) for number in range(1, PROFILE_WEEKS + 1)]
        measured = [one.measured for one in before if one is not None and one.measured_ns == slot_ns]
        return sum(measured) // len(measured) if measured else None

    return usual


def checked(check: Callable[[int], Amount | None], slot_ns: int, otherwise: Profile) -> Profile:
    """What the check meter measured in a slot; where it did not, what is usual."""

    def usual(slot: int) -> int | None:
        amount = check(slot)
        return amount.measured if amount is not None and amount.measured_ns == slot_ns else otherwise(slot)

    return usual


def thawed(slots: dict[int, Amount], power: dict[int, Amount], *, least: int) -> tuple[dict[int, Amount], list[int]]:
    """The amounts without those of a frozen register, and the slots in which it was frozen.

    A register that stands still while the power says that more than `least` millionths flowed tells nothing: the slot
    is unknown, not 0.
    """
    frozen = [
        slot
        for slot, amount in slots.items()
        if not amount.micro and slot in power and power[slot].measured_ns and power[slot].micro > least
    ]
    return {slot: amount for slot, amount in slots.items() if slot not in set(frozen)}, frozen
