"""When the disk must hurry."""

from __future__ import annotations

from collectors.mqtt.window import Window


def test_half_of_what_the_broker_is_known_to_send() -> None:
    """At first half of the usual 20; later half of the most that ever waited; never beyond our own limit."""
    window = Window(1000)
    window.arrived(9)
    assert not window.is_half_full
    window.arrived(1)
    assert window.is_half_full
    window.arrived(390)
    assert window.is_full
    window.acknowledged(201)
    assert not window.is_half_full
    window.arrived(5000)
    window.acknowledged(4700)
    assert window.waiting == 499
    assert not window.is_half_full
    window.arrived(1)
    assert window.is_half_full


def test_a_small_limit_counts_at_once() -> None:
    """With a receive-maximum of 1 every message is urgent."""
    window = Window(1)
    window.arrived(1)
    assert window.is_half_full
    assert window.is_full
