"""Counter readings into amounts: rollover, reset, jitter, spikes, changes of meters and transformers. Pure.

The rules are those of validation, estimation and editing in metering: what a register cannot have done within the time
is not counted but put aside, and what is not known stays unknown. A fall is not taken for a new meter, as others do:
a jitter would be counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from agent.carbon.quantities import MICRO, NS_PER_H

EVER = 2**62
SHORTEST_NS = 60 * 10**9  # within less, a register that moves in steps may seem too fast
TOLERANCE = Fraction(11, 10)


class Reading(NamedTuple):
    """What a register or a level showed."""

    t_ns: int
    value: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """One meter with one set of transformers. A changed CT is a new epoch even if the register runs on.

    units: base units of the medium that one unit of the register stands for, transformers included.
    start, end: the register when it was fitted and removed, where somebody has written it down.
    """

    units: Fraction
    serial: str = ""
    from_ns: int = -EVER
    to_ns: int = EVER
    start: Fraction | None = None
    end: Fraction | None = None
    by: str = ""

    def micro(self, value: Fraction | float) -> int:
        """A register value in millionths of the base unit, rounded half to even."""
        number, divisor = value.as_integer_ratio()  # several times faster than Fraction, and as exact
        below, rest = divmod(number * self.units.numerator * MICRO, divisor := divisor * self.units.denominator)
        return below + (2 * rest > divisor or (2 * rest == divisor and below % 2 == 1))


@dataclass(frozen=True, slots=True)
class Counter:
    """What a register can do.

    epochs: in order of time.  wraps_at: the value at which the register is 0 again, in its own unit.
    most_per_h: base units that can at most flow in an hour.  noise: falls up to this, in the register's unit, are none.
    max_gap_ns: across a longer silence the total is measured, but how it lies in time is an estimate.
    """

    epochs: tuple[Epoch, ...]
    most_per_h: Fraction
    wraps_at: Fraction | None = None
    noise: Fraction = Fraction(0)
    starts_at_zero: bool = False
    max_gap_ns: int = NS_PER_H


class Link(NamedTuple):
    """What flowed between two times, in millionths of the base unit; None where nobody can know."""

    from_ns: int
    to_ns: int
    micro: int | None
    why: str = ""  # "" for a plain rise


def links(counter: Counter, readings: Sequence[Reading], *, whole: bool = True) -> list[Link]:
    """The amounts between readings, which are in order of time.

    whole: the readings are all there are; if not, an epoch's written start and end count only between them.
    """
    found: list[Link] = []
    low, high = (-EVER, EVER) if whole or not readings else (readings[0].t_ns, readings[-1].t_ns)
    previous: Epoch | None = None
    for epoch in counter.epochs:
        if previous is not None and low <= previous.to_ns < epoch.from_ns <= high:
            found.append(Link(previous.to_ns, epoch.from_ns, None, "no meter"))
        found += _within(counter, epoch, _nodes(counter, epoch, readings, low, high))
        previous = epoch
    return found


def surely(counter: Counter) -> Callable[[Reading, Reading], bool]:
    """Makes a test: whether q is a plain rise whatever came before p, its neighbour; False where that is not certain.

    Behind such a reading nothing depends on what lies before it: if p is put aside as odd, the rise to q is plain too.
    """
    top = math.inf if counter.wraps_at is None else float(counter.wraps_at)
    least = float(counter.noise) * 1.001  # more than a rounding beyond the noise
    per_ns = [(one.from_ns, one.to_ns, float(counter.most_per_h / one.units) / NS_PER_H) for one in counter.epochs]

    def is_sure(p: Reading, q: Reading) -> bool:
        rise, span_ns = q.value - p.value, max(q.t_ns - p.t_ns, SHORTEST_NS)
        return (
            p.value >= 0
            and rise >= least
            and q.value < top
            and any(first <= p.t_ns and q.t_ns < end and rise <= most * span_ns for first, end, most in per_ns)
        )

    return is_sure


class _Node(NamedTuple):
    t_ns: int
    micro: int


def _nodes(counter: Counter, epoch: Epoch, readings: Sequence[Reading], low: int, high: int) -> list[_Node]:
    """The readings of an epoch and what was written down at its ends; a value beyond the register is none."""
    top = math.inf if counter.wraps_at is None else float(counter.wraps_at)
    nodes = [
        _Node(reading.t_ns, epoch.micro(reading.value))
        for reading in readings
        if epoch.from_ns <= reading.t_ns < epoch.to_ns and 0 <= reading.value < top
    ]
    if epoch.start is not None and low <= epoch.from_ns <= high:
        nodes.insert(0, _Node(epoch.from_ns, epoch.micro(epoch.start)))
    if epoch.end is not None and low <= epoch.to_ns <= high:
        nodes.append(_Node(epoch.to_ns, epoch.micro(epoch.end)))
    return nodes


def _within(counter: Counter, epoch: Epoch, nodes: Sequence[_Node]) -> list[Link]:
    judge = _Judge(counter, epoch)
    found: list[Link] = []
    if not nodes:
        return found
    at = nodes[0]
    for number, node in enumerate(nodes[1:], 1):
        link = judge.link(at, node)
        after = nodes[number + 1] if number + 1 < len(nodes) else None
        if link.why == "jitter" or (after is not None and judge.is_spike(at, node, after, link)):
            continue  # the high-water mark stays
        found.append(link)
        at = node
    if found and at.t_ns < nodes[-1].t_ns:  # ends in jitter: nothing flowed since the high-water mark
        found.append(Link(at.t_ns, nodes[-1].t_ns, 0, "jitter"))
    return found


class _Judge:
    """Says what a step of one register means."""

    def __init__(self, counter: Counter, epoch: Epoch) -> None:
        self._most, self._per_ns = (counter.most_per_h * MICRO * TOLERANCE / NS_PER_H).as_integer_ratio()
        self._noise = epoch.micro(counter.noise)
        self._wraps_at = epoch.micro(counter.wraps_at) if counter.wraps_at is not None else None
        self._starts_at_zero = counter.starts_at_zero

    def link(self, a: _Node, b: _Node) -> Link:
        most = self._most * max(b.t_ns - a.t_ns, SHORTEST_NS) // self._per_ns
        rise = b.micro - a.micro
        if 0 <= rise <= most:
            return Link(a.t_ns, b.t_ns, rise)
        if rise > most:
            return Link(a.t_ns, b.t_ns, None, "faster than possible")
        if -rise <= self._noise:
            return Link(a.t_ns, b.t_ns, 0, "jitter")
        if self._wraps_at is not None and rise + self._wraps_at <= most:
            return Link(a.t_ns, b.t_ns, rise + self._wraps_at, "rollover")
        if b.micro <= most:
            return Link(a.t_ns, b.t_ns, b.micro if self._starts_at_zero else None, "reset")
        return Link(a.t_ns, b.t_ns, None, "fell")

    def is_spike(self, a: _Node, b: _Node, c: _Node, link: Link) -> bool:
        """Whether b alone is odd: from a to c the register rose as it may."""
        if link.why not in ("faster than possible", "reset", "fell") or self.link(a, c).why:
            return False
        return link.why == "faster than possible" or self.link(b, c).why != ""
