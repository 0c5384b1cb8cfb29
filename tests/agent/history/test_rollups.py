"""Points into rows, and what a counter rose."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.history.rollups import Rows, risen, roll_up, united

IS_COUNTER = np.array([False, True, False, True])
points = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 60_000), st.integers(-50, 50)),
    min_size=1,
    unique_by=lambda point: point[:2],  # the log keeps one value for one series and time
)


def rolled(rows: list[tuple[int, int, float]], width_s: int = 10) -> dict[int, list[tuple[float, ...]]]:
    """By window: series, n, low, high, total, first, last, first_ms, last_ms of each row."""
    series, ms, value = zip(*rows, strict=True)
    columns = (np.array(series, np.int64), np.array(ms, np.int64) * 1_000_000, np.array(value, np.float64))
    return {t_s: tuples(rows) for t_s, rows in roll_up(*columns, width_s=width_s, is_counter=IS_COUNTER).items()}


def tuples(rows: Rows) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in astuple(rows)), strict=True))


def test_one_window_holds_count_range_sum_and_ends() -> None:
    """The points of a window are counted, bounded, summed, and a counter's first and last are kept with their times."""
    assert rolled([(1, 11000, 5.0), (1, 13000, 2.0), (1, 12000, 9.0)]) == {
        10: [(1, 3, 2.0, 9.0, 16.0, 5.0, 2.0, 1000, 3000)]
    }


def test_what_is_no_counter_has_no_ends() -> None:
    """The low stands for them: that costs nothing on disk."""
    assert rolled([(0, 1000, 5.0), (0, 3000, 2.0)]) == {0: [(0, 2, 2.0, 5.0, 7.0, 2.0, 2.0, 0, 0)]}


def test_nothing_makes_no_rows() -> None:
    """No points, no windows."""
    nothing = np.zeros(0, np.int64)

    assert roll_up(nothing, nothing, np.zeros(0), width_s=10, is_counter=IS_COUNTER) == {}


@given(points, st.randoms(use_true_random=False))
def test_the_order_of_points_does_not_matter(rows: list[tuple[int, int, float]], random: object) -> None:
    """Shuffled points give the same rows."""
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert rolled(shuffled) == rolled(rows)


@given(points)
def test_every_point_is_counted_once(rows: list[tuple[int, int, float]]) -> None:
    """The counts sum to the number of points, in windows that contain them."""
    result = rolled(rows)

    assert sum(int(row[1]) for rows in result.values() for row in rows) == len(rows)
    assert {(row[0], t_s) for t_s, rows in result.items() for row in rows} == {
        (series, ms // 10_000 * 10) for series, ms, _ in rows
    }


@given(points, points)
def test_rows_of_parts_are_the_rows_of_all(
    rows: list[tuple[int, int, float]], more: list[tuple[int, int, float]]
) -> None:
    """Rolled up in two pieces and united, or all at once: the same."""
    every = {row[:2]: row for row in rows} | {row[:2]: row for row in more}
    fresh = [row for row in more if row[:2] not in {known[:2] for known in rows}]

    def one(points: list[tuple[int, int, float]]) -> Rows:
        columns = [np.array(column) for column in zip(*points, strict=True)] or [np.zeros(0, np.int64)] * 3
        return Rows.of_points(columns[0], columns[1], columns[2].astype(float))

    parts = [united([one(part)], is_counter=IS_COUNTER) for part in (rows, fresh)]
    whole = united([one([*rows, *fresh])], is_counter=IS_COUNTER)

    assert len(every) == len(rows) + len(fresh)
    assert tuples(united(parts, is_counter=IS_COUNTER)) == tuples(whole)


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
