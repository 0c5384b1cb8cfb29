"""Tables for terminals, Chinese ones too."""

import pytest

from agent.commands.table import ago, duration, local_time, table, width


def test_a_chinese_character_takes_two_columns() -> None:
    """Columns below each other stay so when names mix scripts."""
    assert [6, 6, 2] == [width(text) for text in ("cnc-01", "磨床一", "e\u0301x")]
    assert ["name     n", "磨床一   7", "cnc-1   10"] == table(
        ("name", "n"), [("磨床一", "7"), ("cnc-1", "10")], right=["n"]
    )


def test_what_comes_from_outside_cannot_steer_the_terminal() -> None:
    """Line breaks and escape sequences are shown as replacement characters."""
    assert ["a", "x�y�[31m"] == table(("a",), [("x\ny\x1b[31m",)])


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59, "59 s"),
        (600, "10 min"),
        (9000, "2.5 h"),
        (864000, "10 days"),
        (-3, "-3.0 s"),
    ],
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    """One number and one unit; a clock that runs ahead shows as negative."""
    assert shown == duration(seconds)


def test_times_that_are_not_there_are_empty() -> None:
    """0 means never; times beyond any calendar do not raise."""
    assert ("", "") == (ago(0, 5), local_time(0))
    assert local_time(2**63 - 1)
    assert "-123" not in local_time(1_700_000_000_123_000_000)
    assert local_time(1_700_000_000_123_000_000).endswith(".123")
