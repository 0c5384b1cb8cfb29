"""Blocks: what is packed comes back, counters to the last bit, other values to eight digits."""

from dataclasses import astuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.history.blocks import SIZE, pack, pick, thinned, unpack
from agent.history.rollups import Rows, united

MOST = 3 * SIZE
IS_COUNTER = np.arange(MOST) % 2 == 1


def rows_of(points: list[tuple[int, int, float]]) -> Rows:
    series, ms, value = (np.array(column) for column in zip(*points, strict=True))
    return united([Rows.of_points(series, ms, value.astype(float))], is_counter=IS_COUNTER)


points = st.lists(
    st.tuples(
        st.integers(0, MOST - 1),
        st.integers(0, 3_599_999),
        st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-9, 9).map(float),
    ),
    min_size=1,
)


@given(points)
def test_what_is_packed_comes_back(points: list[tuple[int, int, float]]) -> None:
    """Every column of every row, in the order of the series."""
    rows = thinned(rows_of(points), IS_COUNTER)

    assert str(astuple(unpack(list(pack(rows))))) == str(astuple(rows))


@given(points)
def test_one_series_is_picked_from_its_blocks(points: list[tuple[int, int, float]]) -> None:
    """The row of a series, with the key of its window."""
    rows = thinned(rows_of(points), IS_COUNTER)
    series = points[0][0]
    block = dict(pack(rows))[series // SIZE]

    found, _ = pick([(7, block), (9, block)], [series % SIZE, 0])

    at = rows.series.tolist().index(series)
    assert (found.series.tolist(), found.n.tolist()) == ([7, 9], [rows.n[at]] * 2)
    assert found.high.tolist() == [rows.high[at]] * 2


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=9))
def test_counters_are_exact_and_others_have_eight_digits(values: list[float]) -> None:
    """A counter's ends are not rounded; a level is, by less than one part in a hundred million."""
    level, counter = (thinned(rows_of([(series, i, v) for i, v in enumerate(values)]), IS_COUNTER) for series in (0, 1))

    assert (counter.first[0], counter.last[0], counter.high[0]) == (values[0], values[-1], max(values))
    assert abs(level.high[0] - max(values)) <= 1e-8 * max(values)


def test_a_value_that_stands_still_costs_nothing() -> None:
    """Two hundred and fifty-six odd numbers that do not move: little more than themselves."""
    odd = np.random.default_rng(1).normal(size=SIZE)
    rows = rows_of([(series, ms, v) for series, v in enumerate(odd) for ms in (0, 1000)])
    ((_, block),) = pack(thinned(rows, IS_COUNTER))

    assert len(block) < 8.5 * SIZE
