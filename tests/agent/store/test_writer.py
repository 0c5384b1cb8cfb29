"""When what waits is committed."""

from __future__ import annotations

from agent.store.writer import COMMIT_BYTES, Linger
from collectors.points import Urgency


def test_the_first_value_starts_the_linger_and_later_ones_do_not_prolong_it() -> None:
    """Due one linger after the first."""
    linger = Linger(1.0)
    linger.note(Urgency.NORMAL, 10, 100.0)
    linger.note(Urgency.NORMAL, 10, 100.9)

    assert linger.due == 101.0


def test_an_alarm_does_not_wait_and_takes_the_others_along() -> None:
    """Due at once."""
    linger = Linger(1.0)
    linger.note(Urgency.NORMAL, 10, 100.0)
    linger.note(Urgency.NOW, 10, 100.5)

    assert linger.due == 100.5


def test_a_heartbeat_alone_waits_ten_seconds() -> None:
    """It starts no linger."""
    linger = Linger(1.0)
    linger.note(Urgency.IDLE, 10, 100.0)

    assert linger.due == 110.0


def test_much_data_does_not_wait() -> None:
    """Due when the bytes are worth a commit."""
    linger = Linger(1.0)
    linger.note(Urgency.NORMAL, COMMIT_BYTES, 100.0)

    assert linger.due == 100.0
