"""Energy over output: the baseline by least squares, what was saved against it, and the target. ISO 50006. Pure.

E = a Q + b. b is the base load, which is large in a bearing plant: kWh a piece alone misleads when output is low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

ENOUGH_R2 = Fraction(3, 4)  # practice for baselines that may be relied on
ENOUGH_POINTS = 10


class Point(NamedTuple):
    """One window: what was made, and the energy for it."""

    output: Fraction
    energy: Fraction


@dataclass(frozen=True, slots=True)
class Baseline:
    """E = slope * output + base.  r2: share of the variance that it explains, None where there is none to explain."""

    slope: Fraction
    base: Fraction
    r2: Fraction | None
    points: int

    @property
    def is_reliable(self) -> bool:
        """Whether practice would rely on it: enough points, and most of the variance explained."""
        return self.points >= ENOUGH_POINTS and self.r2 is not None and self.r2 >= ENOUGH_R2

    def expected(self, output: Fraction) -> Fraction:
        """The energy that the baseline needs for an output."""
        return self.slope * output + self.base


def fit(points: Sequence[Point]) -> Baseline | None:
    """The line of least squares, exact; None where fewer than two different outputs are known."""
    n = len(points)
    if n < 2:
        return None
    mean_q = sum((point.output for point in points), Fraction(0)) / n
    mean_e = sum((point.energy for point in points), Fraction(0)) / n
    spread_q = sum(((point.output - mean_q) ** 2 for point in points), Fraction(0))
    spread_e = sum(((point.energy - mean_e) ** 2 for point in points), Fraction(0))
    both = sum(((point.output - mean_q) * (point.energy - mean_e) for point in points), Fraction(0))
    if not spread_q:
        return None
    slope = both / spread_q
    r2 = both * both / (spread_q * spread_e) if spread_e else None
    return Baseline(slope, mean_e - slope * mean_q, r2, n)


class Judged(NamedTuple):
    """One window against the baseline, all in the energy's unit."""

    expected: Fraction
    saved: Fraction
    saved_so_far: Fraction  # CUSUM
    target: Fraction


def judge(baseline: Baseline, points: Sequence[Point], *, reduction_percent: Fraction) -> list[Judged]:
    """Every window in order: expected for its output, saved, saved since the first one, and the target."""
    found: list[Judged] = []
    so_far = Fraction(0)
    for point in points:
        expected = baseline.expected(point.output)
        so_far += expected - point.energy
        target = expected * (100 - reduction_percent) / 100
        found.append(Judged(expected, expected - point.energy, so_far, target))
    return found
