"""What is kept depends on the set of readings alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.carbon.meter import Reading
from agent.carbon.thin import Trace, keep
from tests.agent.carbon.readings import SLOT_NS, at, readings, trace

READINGS = st.lists(st.tuples(st.integers(0, 4 * 900 - 1), st.integers(0, 50)), max_size=60)


def taken(batches: list[list[tuple[int, int]]], cell_s: int) -> list[tuple[Reading, ...]]:
    made = Trace(slot_ns=SLOT_NS, cell_ns=cell_s * 10**9)
    for rows in batches:
        times, values = np.array([t for t, _ in rows], np.int64) * 10**9, np.array([v for _, v in rows], np.float64)
        made.take(times, values)
    return [made.of(slot) for slot in range(4)]


def test_a_rising_slot_keeps_two_readings() -> None:
    """First and last are the neighbours of the slot's edges."""
    found = readings(("08:00", 1), ("08:05", 2), ("08:10", 3), ("08:14", 4))

    assert [found[0], found[3]] == keep(found)


def test_a_slot_with_a_reset_keeps_both_sides_of_it() -> None:
    """The highest before and the lowest after are needed to count it."""
    found = readings(("08:00", 7), ("08:05", 9), ("08:06", 0), ("08:14", 1))

    assert found == keep(found)


@settings(max_examples=80, deadline=None)
@given(READINGS, st.randoms(use_true_random=False), st.sampled_from([0, 60]))
def test_order_and_batches_do_not_matter(rows: list, random: object, cell_s: int) -> None:
    """Shuffled, cut anywhere and partly repeated, the same readings are kept."""
    shuffled = rows + rows[: len(rows) // 3]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    cut = len(shuffled) // 2

    assert taken([rows], cell_s) == taken([shuffled[:cut], shuffled[cut:]], cell_s)


@settings(max_examples=80, deadline=None)
@given(READINGS, READINGS, st.sampled_from([0, 60]))
def test_what_was_kept_stands_for_all(first: list, second: list, cell_s: int) -> None:
    """keep(keep(A) + B) = keep(A + B): evidence can replace the telemetry."""
    kept = [(r.t_ns // 10**9, int(r.value)) for slot in taken([first], cell_s) for r in slot]

    assert taken([first, second], cell_s) == taken([kept, second], cell_s)


def test_neighbours_skip_empty_slots() -> None:
    """Over an outage the neighbours of a slot are the readings before and after the outage."""
    made = trace(readings(("08:00", 1), ("11:00", 2), ("12:00", 3)))
    slot = at("11:00") // SLOT_NS

    assert ([at("08:00") // SLOT_NS], [at("12:00") // SLOT_NS]) == (made.before(slot, 5), made.after(slot, 5))
    assert readings(("11:00", 2), ("12:00", 3)) == made.around(slot, slot, margin=1)[1:]


def test_old_slots_are_forgotten() -> None:
    """What lies before the horizon takes no memory."""
    made = trace(readings(("08:00", 1), ("11:00", 2)))

    made.forget(at("09:00") // SLOT_NS)

    assert [at("11:00") // SLOT_NS] == list(made.slots())
