"""The pace of the backlog: a budget, halved by trouble, regained by steps."""

from __future__ import annotations

import pytest

from agent.drain.pace import Pace


def test_points_are_paid_in_time() -> None:
    """What was taken before has to be paid first; a pause is not saved up."""
    pace = Pace(most_per_s=1_000)

    assert [0.0, 2.0, 3.5, 0.0] == [
        pace.take_s(2_000, 100.0),
        pace.take_s(2_000, 100.0),
        pace.take_s(100, 100.5),
        pace.take_s(1, 200.0),
    ]


def test_halved_by_trouble_and_regained_by_steps() -> None:
    """One refusal halves it, and it takes half the steps to come back; it never stands still."""
    pace = Pace(most_per_s=3_200)

    pace.slower()
    halved = pace.per_s
    for _ in range(16):
        pace.faster()
    regained = pace.per_s
    for _ in range(100):
        pace.slower()

    assert (1_600, 3_200, 50) == (halved, regained, pace.per_s)


def test_the_beginning_is_by_chance() -> None:
    """Each gateway draws its own moment."""
    pace = Pace(most_per_s=1, begin_within_s=60, uniform=lambda least, most: least + most / 4)

    assert 15.0 == pytest.approx(pace.begin_s())
