"""The pace of the backlog: whatever the server takes, halved by trouble, regained by small steps."""

from __future__ import annotations

import pytest

from agent.drain.pace import FIRST_PER_S, LEAST_PER_S, Pace


def test_points_are_paid_in_time() -> None:
    """What was taken before has to be paid first; a pause is not saved up."""
    pace = Pace(most_per_s=1_000)

    assert [0.0, 2.0, 3.5, 0.0] == [
        pace.take_s(2_000, 100.0),
        pace.take_s(2_000, 100.0),
        pace.take_s(100, 100.5),
        pace.take_s(1, 200.0),
    ]


def test_without_trouble_nothing_waits() -> None:
    """A backlog that comes from a moment's delay is sent as fast as the server answers."""
    pace = Pace()

    waits = [pace.take_s(20_000, 0.0) for _ in range(100)]

    assert {0.0} == set(waits)


def test_slowly_after_an_outage() -> None:
    """It begins by chance, with a request a second, and doubles with each answer up to the most that is allowed."""
    pace = Pace(most_per_s=10 * FIRST_PER_S, begin_within_s=60, uniform=lambda least, most: least + most / 4)
    pace.slower()

    begin_s, paces = pace.begin_s(), [pace.per_s]
    for _ in range(4):
        pace.faster(20_000, 0.05)
        paces.append(pace.per_s)

    assert 15.0 == begin_s
    assert [FIRST_PER_S * times for times in (1, 2, 4, 5, 5 + 10 / 60 * 20_000 / 100_000)] == pytest.approx(paces)


def test_trouble_halves_what_the_server_took() -> None:
    """Not what was allowed, which may be without bound; and refusals in a row are one trouble."""
    pace = Pace()
    pace.faster(20_000, 0.05)

    for _ in range(100):
        pace.slower()

    assert 200_000 == pace.per_s


def test_regained_by_small_steps_and_then_quickly() -> None:
    """About half a minute of answers leads back to the pace at which trouble came; beyond that it doubles."""
    pace = Pace()
    pace.faster(20_000, 0.05)
    pace.slower()
    seconds = 0.0

    while pace.per_s < 400_000:
        seconds += 20_000 / pace.per_s
        pace.faster(20_000, 0.05)
    limit = pace.per_s
    pace.faster(20_000, 0.05)

    assert 30 == pytest.approx(seconds, rel=0.02)
    assert (400_000, 2) == (pytest.approx(limit, rel=0.02), pace.per_s / limit)


def test_never_quite_still() -> None:
    """However often it is halved."""
    pace = Pace()

    for _ in range(100):
        pace.faster(1, 60.0)
        pace.slower()

    assert LEAST_PER_S == pace.per_s
