"""How good the data of a footprint are, weighed by their kilograms. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent.carbon.footprint.inputs import Input
from agent.carbon.footprint.intensities import Intensity, Ratings


@dataclass(frozen=True, slots=True)
class Quality:
    """Primary share 0 to 1: quantity and footprint both from the plant or its supplier. Ratings 1 (best) to 5.

    A rating is None where an input has none; `unrated` names those inputs.
    """

    primary: Fraction
    ratings: Ratings
    unrated: tuple[str, ...]


def quality(inputs: Sequence[Input]) -> Quality:
    """The means over all inputs, each with the weight of its kilograms."""
    weighed = list(_weighed(inputs))
    whole = sum((kg for kg, _, _ in weighed), Fraction(0))
    primary = sum((kg * one.primary for kg, one, _ in weighed), Fraction(0)) / whole if whole else Fraction(0)
    unrated = dict.fromkeys(name for _, one, name in weighed if None in _three(one.ratings))
    means = [_mean(((kg, _three(one.ratings)[n]) for kg, one, _ in weighed), whole) for n in range(3)]
    return Quality(primary, Ratings(*means), tuple(unrated))


def _weighed(inputs: Iterable[Input]) -> Iterator[tuple[Fraction, Intensity, str]]:
    """Kilograms, where they come from, and the input's name; of several factors each has an equal part."""
    for one in inputs:
        for intensity in one.intensities:
            if one.kg:
                yield one.kg / len(one.intensities), intensity, one.name


def _three(ratings: Ratings) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
    return ratings.technological, ratings.geographical, ratings.temporal


def _mean(rated: Iterable[tuple[Fraction, Fraction | None]], whole: Fraction) -> Fraction | None:
    found = Fraction(0)
    for kg, rating in rated:
        if rating is None:
            return None
        found += kg * rating
    return found / whole if whole else None
