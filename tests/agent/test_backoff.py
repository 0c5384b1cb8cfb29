"""Delays between tries."""

from hypothesis import given
from hypothesis import strategies as st

from agent.backoff import Backoff


def test_delays_double_up_to_the_bound() -> None:
    """The bound of the draw doubles and then stays."""
    backoff = Backoff(first_s=1.0, most_s=5.0, uniform=lambda _low, high: high)

    assert [backoff.next_s() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_short_delays_do_not_follow_each_other() -> None:
    """With the shortest draws of all, five tries take three seconds."""
    backoff = Backoff(first_s=1.0, most_s=60.0, uniform=lambda low, _high: low)

    assert [backoff.next_s() for _ in range(5)] == [0.2, 0.4, 0.8, 1.6, 3.2]


def test_success_starts_anew() -> None:
    """After a reset the first delay comes again."""
    backoff = Backoff(first_s=1.0, most_s=60.0, uniform=lambda _low, high: high)
    for _ in range(4):
        backoff.next_s()

    backoff.reset()

    assert backoff.next_s() == 1.0


@given(st.integers(0, 5000), st.floats(0, 1))
def test_a_delay_is_never_zero_and_never_beyond_the_bound(tries: int, drawn: float) -> None:
    """However long an outage lasts, the delay stays within its limits."""
    backoff = Backoff(first_s=0.5, most_s=3.0, uniform=lambda low, high: low + drawn * (high - low))
    for _ in range(min(tries, 50)):
        backoff.next_s()

    assert 0.1 <= backoff.next_s() <= 3.0
