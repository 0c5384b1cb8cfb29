"""When the disk must hurry, and how long the socket may rest."""

from __future__ import annotations

import pytest

from collectors.mqtt.window import LONGEST_REST_S, Window


def test_a_window_that_may_be_larger_is_filled() -> None:
    """At first the usual 20, later the most that ever waited: more than that shows that the window is larger."""
    window = Window(1000)
    window.arrived(19)
    assert not window.is_urgent
    window.arrived(1)
    assert window.is_urgent
    window.arrived(30)
    assert window.is_full
    window.acknowledged(10)
    assert not window.is_urgent
    window.arrived(10)
    assert window.is_urgent


def test_half_of_our_own_limit() -> None:
    """A window that is as large as it can be is kept half empty."""
    window = Window(1000)
    window.arrived(5000)
    window.acknowledged(4501)
    assert window.waiting == 499
    assert not window.is_urgent
    window.arrived(1)
    assert window.is_urgent
    assert not window.is_full


def test_a_small_limit_counts_at_once() -> None:
    """With a receive-maximum of 1 every message is urgent."""
    window = Window(1)
    window.arrived(1)
    assert window.is_urgent
    assert window.is_full


@pytest.mark.parametrize(
    ("count", "elapsed_s", "rest_s"),
    [(0, 9.0, LONGEST_REST_S), (10, 1.0, LONGEST_REST_S), (100, 0.01, 0.03), (1000, 0.01, 0.003)],
    ids=["nothing came", "slowly", "10,000/s", "100,000/s"],
)
def test_a_rest_is_half_of_the_room_at_most(count: int, elapsed_s: float, rest_s: float) -> None:
    """The faster they come, and the more wait already, the shorter it is."""
    window = Window(1000)
    window.arrived(1000)
    assert window.rest_s(count, elapsed_s) == pytest.approx(0.0 if count else LONGEST_REST_S)
    window.acknowledged(600)
    assert window.rest_s(count, elapsed_s) == pytest.approx(rest_s)
