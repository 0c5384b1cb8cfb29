"""The proof of an outage at a small count; `python -m tests.soak outage` runs it in full."""

from __future__ import annotations

from pathlib import Path

from tests.soak.outage import MOST_LAG_S, story


def test_six_minutes_without_a_database(tmp_path: Path) -> None:
    """Nothing is missing, new values come at once beside what waited, and memory does not grow with it."""
    found = story(0.1, tmp_path)

    assert (0, 360_000) == (found["missing"], found["waiting"])
    assert found["worst_lag_s"] <= MOST_LAG_S
    assert found["rss_mb_most"] - found["rss_mb_first"] < 60
