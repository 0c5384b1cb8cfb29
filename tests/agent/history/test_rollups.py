"""Points into rows, and what a counter rose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.history.rollups import NS, Rows, risen, roll_up
from collectors.points import BAD, GOOD

points = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 60_000), st.integers(-50, 50) | st.just(None), st.sampled_from([GOOD, BAD])
    ),
    unique_by=lambda point: point[:2],  # the log keeps one value for one series and time
)


def rolled(rows: list[tuple[int, int, float | None, int]], width_s: int = 10) -> Rows:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    return roll_up(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64) * 1_000_000,
        np.array([np.nan if v is None else v for v in columns[2]], np.float64),
        np.array(columns[3], np.uint32),
        width_s=width_s,
    )


def test_one_window_holds_count_range_sum_and_ends() -> None:
    """The good points of a window are counted, bounded, summed, and its first and last are kept with their times."""
    rows = rolled([(1, 1000, 5.0, GOOD), (1, 3000, 2.0, GOOD), (1, 2000, 9.0, GOOD), (1, 2500, None, BAD)])

    assert rows.tuples() == [(0, 1, 3, 1, 2.0, 9.0, 16.0, 5.0, 2.0, NS, 3 * NS)]


def test_a_window_of_bad_points_has_no_value() -> None:
    """Bad points are counted and show nothing."""
    (row,) = rolled([(1, 1000, 5.0, BAD)]).tuples()

    assert row[:4] == (0, 1, 0, 1)
    assert np.isnan([row[4], row[5], row[7], row[8]]).all()


def test_a_value_that_is_not_finite_counts_as_bad() -> None:
    """Infinity from a broken sensor does not spoil the window."""
    rows = rolled([(1, 1000, float("inf"), GOOD), (1, 2000, 3.0, GOOD)])

    assert (rows.n.tolist(), rows.bad_n.tolist(), rows.total.tolist()) == ([1], [1], [3.0])


def test_nothing_makes_no_rows() -> None:
    """No points, no rows."""
    assert rolled([]).tuples() == []


@given(points, st.randoms(use_true_random=False))
def test_the_order_of_points_does_not_matter(rows: list[tuple[int, int, float | None, int]], random: object) -> None:
    """Shuffled points give the same rows."""
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert str(rolled(shuffled).tuples()) == str(rolled(rows).tuples())


@given(points)
def test_every_point_is_counted_once(rows: list[tuple[int, int, float | None, int]]) -> None:
    """Good and bad counts sum to the number of points, in windows that contain them."""
    result = rolled(rows)

    assert int(result.n.sum() + result.bad_n.sum()) == len(rows)
    assert {(s, t // 10_000 * 10) for s, t, _, _ in rows} == set(
        zip(result.series.tolist(), result.t_s.tolist(), strict=True)
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([(0, 5), (6, 10)], 10.0, id="steady"),
        pytest.param([(90, 100), (2, 12)], 20.0, id="reset between windows"),
        pytest.param([(10, 10)], 0.0, id="standing still"),
        pytest.param([], 0.0, id="nothing"),
    ],
)
def test_rise_of_a_counter(rows: list[tuple[float, float]], expected: float) -> None:
    """The rise is summed inside and between windows; a fall between them adds nothing."""
    first, last = np.array(rows, float).reshape(-1, 2).T

    assert risen(first, last, np.minimum(first, last), np.maximum(first, last)) == expected


def test_rise_over_a_reset_inside_a_window() -> None:
    """95 to 100, then from 0 to 3: the rises before and after the reset."""
    one = [np.array([x]) for x in (95.0, 3.0, 0.0, 100.0)]

    assert risen(*one) == 8.0


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_rise_is_never_negative(readings: list[float]) -> None:
    """Whatever a meter says, no negative energy is shown."""
    values = np.array(readings)

    assert risen(values, values, values, values) >= 0.0
