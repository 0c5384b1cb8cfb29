"""What a source's status says: its own rhythm, and silence against it."""

import pytest

from collectors.source import SourceStatus, learnt_s


def delivering(*times_s: float, monkeypatch: pytest.MonkeyPatch, kind: str = "mqtt") -> SourceStatus:
    """A source that connected at 0 s and delivered at these seconds."""
    now = 0.0
    monkeypatch.setattr("collectors.source.time.monotonic", lambda: now)
    status = SourceStatus(kind=kind)
    status.connected()
    for now in times_s:  # noqa: B007 - the clock
        status.received(1)
    return status


def test_a_source_of_seconds_is_silent_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its longest usual interval is a second, so a minute without a value is said."""
    status = delivering(*range(1, 30), monkeypatch=monkeypatch)

    assert [status.silent_s(29 + quiet) for quiet in (59, 61)] == [0.0, 61.0]


def test_a_source_of_quarters_is_judged_by_its_own_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter that sends every fifteen minutes may be quiet for three times that."""
    status = delivering(*(900.0 * i for i in range(1, 6)), monkeypatch=monkeypatch)

    assert [status.silent_s(4500 + quiet) > 0 for quiet in (2690, 2710)] == [False, True]


def test_a_source_that_never_delivered_is_silent_after_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected and nothing else is no state to be well in."""
    status = delivering(monkeypatch=monkeypatch)

    assert [status.silent_s(quiet) > 0 for quiet in (299, 301)] == [False, True]


def test_a_lost_source_and_the_heartbeat_are_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is said already, the second is the watchdog's."""
    lost = delivering(1.0, 2.0, 3.0, monkeypatch=monkeypatch)
    lost.lost("cut")
    heartbeat = delivering(1.0, 2.0, 3.0, monkeypatch=monkeypatch, kind="heartbeat")

    assert (lost.silent_s(1e6), heartbeat.silent_s(1e6)) == (0.0, 0.0)


def test_an_outage_teaches_no_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval over a lost connection is not the source's own."""
    status = delivering(1.0, 2.0, 3.0, monkeypatch=monkeypatch)
    status.lost("cut")
    monkeypatch.setattr("collectors.source.time.monotonic", lambda: 9000.0)
    status.connected()
    status.received(1)

    assert status.usual_s == 1.0


@pytest.mark.parametrize(
    ("usual_s", "interval_s", "expected_s"),
    [(0.0, 900.0, 600.0), (600.0, 900.0, 900.0), (1.0, 1.0, 1.0), (1.0, 86_400.0, 600.0), (900.0, 30_000.0, 1800.0)],
)
def test_what_is_learnt_from_one_interval(usual_s: float, interval_s: float, expected_s: float) -> None:
    """At once up to ten minutes, then by doubling."""
    assert learnt_s(usual_s, interval_s) == expected_s
