"""What several runs of several peers come to."""

from benchmarks.figures import ratios, summary, table

OURS = [{"CPU": 1.0, "missing": 0.0}, {"CPU": 3.0, "missing": 0.0}, {"CPU": 2.0, "missing": 0.0}]
THEIRS = [{"CPU": 4.0, "missing": 7.0}, {"CPU": 4.0, "missing": 0.0}, {"CPU": 4.0, "missing": 9.0, "more": 1.0}]


def test_the_median_the_least_and_the_most_of_what_every_run_has() -> None:
    """A figure that one run lacks is left out."""
    assert summary(THEIRS) == {
        "CPU": {"median": 4.0, "min": 4.0, "max": 4.0},
        "missing": {"median": 7.0, "min": 0.0, "max": 9.0},
    }


def test_ratios_are_of_pairs() -> None:
    """The median of each run over the run beside it; none where something is zero."""
    assert ratios(OURS, THEIRS) == {"CPU": 0.5}


def test_the_table_has_a_column_for_each_peer_and_its_ratio() -> None:
    """Figures that only one of them has are a dash for the other."""
    rows = table({"raceway": OURS, "telegraf": [{"CPU": 4.0}] * 3}, ours="raceway").splitlines()

    assert [row.split() for row in rows] == [
        ["raceway", "telegraf", "raceway", "/", "telegraf"],
        ["CPU", "2", "(1–3)", "4", "0.50"],
        ["missing", "0", "–"],
    ]
