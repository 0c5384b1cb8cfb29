"""Bars are judged by what was kept, and the pages show exactly that."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.bars import BARS, Bar, Judged, judged
from benchmarks.cases import CASES
from benchmarks.report import PAGES, TOP, rendered, whole

FOUND: dict[str, dict[str, Any]] = {
    "opcua-10k-1hz": {
        "summary": {"raceway": {"CPU, µs a point": {"median": 1.6}}},
        "raceway over": {},
        "when": "2026-11-24 12:00:00 +0000",
        "machine": {"cores": 2, "cpu": "a processor", "python": "3.11.7", "load_average": [0.5, 0.5, 0.5]},
        "versions": {"raceway": "0.1.0"},
        "rounds": {"raceway": 5},
        "settings": {"seconds": 20.0},
    }
}


def kept(case: str, ours: float, theirs: float, figure: str) -> dict[str, Any]:
    """What one case with one figure leaves."""
    summary = {name: {figure: {"median": value}} for name, value in (("raceway", ours), ("telegraf", theirs))}
    return {case: {"summary": summary, "raceway over": {"telegraf": {figure: ours / theirs}}}}


def of(case: str, found: dict[str, Any]) -> list[Judged]:
    return [row for row in judged(found) if row.verdict != "not measured"]


def test_a_ratio_that_is_too_high_is_missed() -> None:
    """1.6 of 6 is more than a quarter."""
    figure = "CPU, µs a point"
    (row,) = of("opcua-10k-1hz", kept("opcua-10k-1hz", 1.6, 6.0, figure))
    (better,) = of("opcua-10k-1hz", kept("opcua-10k-1hz", 1.2, 6.0, figure))

    assert (row.raceway, row.telegraf, row.verdict, better.verdict) == (1.6, 6.0, "missed", "reached")


def test_where_more_is_better_less_is_missed() -> None:
    """900,000 points/s are not a million."""
    (row,) = of("replay", kept("replay", 900_000, 1, "points/s"))

    assert row.verdict == "missed"


def test_a_figure_that_is_not_there_is_not_measured() -> None:
    """A case that was run without Telegraf has no ratio."""
    found: dict[str, Any] = {"opcua-1k-1hz": {"summary": {}, "raceway over": {}}}

    assert [row.verdict for row in judged(found)] == ["not measured"]


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: f"{bar.case}: {bar.figure}")
def test_every_bar_is_of_a_case(bar: Bar) -> None:
    """A case that was renamed takes its bars with it."""
    assert bar.case in {case.name for case in CASES}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_a_place_for_the_figures(name: str) -> None:
    """`python -m benchmarks.report` changes what is between the marks and nothing else."""
    page = Path(TOP / name).read_text(encoding="utf-8")
    before, after = page.split("<!-- figures -->")[0], page.split("<!-- /figures -->")[1]
    written = rendered(page, PAGES[name](FOUND))

    assert written.startswith(before)
    assert written.endswith(after)
    assert "1.6" in written.removeprefix(before)


def test_without_results_it_is_said() -> None:
    """A table without rows would look like a mistake."""
    assert "Nothing has been measured yet." in whole({})
