"""Books: the same amounts from the same readings, whatever their order; gaps filled by the check meter."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.carbon.book import Book, make_books, revalue
from agent.carbon.plan import Plan
from tests.agent.carbon.plants import meter, plan
from tests.agent.carbon.readings import KWH, SLOT_NS, at

PAIR = plan(meter("m1", noise=0.5), meter("m2", checks="m1"))
FIRST = at("08:00")


def read(made: Plan, rows: list[tuple[int, int, float]]) -> list[Book]:
    """Take in (meter, minute, value) one after the other, each valued at once."""
    books = make_books(made)
    for number, minute, value in rows:
        touched: list[set[int]] = [set() for _ in books]
        taken = books[number].trace.take(np.array([FIRST + minute * 60 * 10**9]), np.array([value]))
        touched[number] = taken
        revalue(books, touched)
    return books


def kwh(book: Book) -> list[float]:
    first = FIRST // SLOT_NS
    return [amount.micro / KWH for slot, amount in book.amounts.items() if slot >= first]


def test_a_gap_is_filled_as_the_check_meter_measured() -> None:
    """From 08:00 to 10:00 the meter is silent, 16 kWh on its register; the check meter says 1, 1, 1, 1, 3, 3, 3, 3."""
    checks = [(1, 15 * n, value) for n, value in enumerate([0.0, 1, 2, 3, 4, 7, 10, 13, 16])]
    main, _ = read(PAIR, [(0, 0, 100.0), *checks, (0, 120, 116.0)])

    assert [1.0] * 4 + [3.0] * 4 == kwh(main)


def test_the_register_wins_over_the_check_meter() -> None:
    """The check meter shows half as much: its shape is taken, and the register's difference."""
    checks = [(1, 15 * n, value / 2) for n, value in enumerate([0.0, 1, 2, 3, 4, 7, 10, 13, 16])]
    main, _ = read(PAIR, [(0, 0, 100.0), (0, 120, 116.0), *checks])

    assert [1.0] * 4 + [3.0] * 4 == kwh(main)


def test_a_check_meter_that_was_silent_too_fills_nothing() -> None:
    """Half of the check meter's readings lack: spread evenly, for nothing is known of the weeks before."""
    main, _ = read(PAIR, [(0, 0, 100.0), (1, 0, 0.0), (1, 15, 1.0), (0, 120, 116.0)])

    assert [2.0] * 8 == kwh(main)


ODD = st.sampled_from([0.0, 0.0, 0.0, 0.0, -0.3, 3.0, -60.0, 900.0, -5000.0])


@settings(max_examples=15)
@given(st.lists(ODD, min_size=40, max_size=40), st.lists(ODD, min_size=40, max_size=40), st.integers(0, 2**32))
def test_the_order_of_readings_does_not_matter(odd: list[float], odd_check: list[float], seed: int) -> None:
    """Gaps, jitter, spikes, resets, two registers in one: shuffled, or all at once, the same amounts."""
    random = Random(seed)
    rows = [(0, 5 * n, 100.0 + n + odd[n]) for n in range(40) if not 10 < n < 26]
    rows += [(1, 5 * n, 50.0 + 2 * n + odd_check[n]) for n in range(40) if not 20 < n < 24]
    rows = random.sample(rows, random.randrange(20, len(rows)))
    live, shuffled, whole = read(PAIR, sorted(rows, key=lambda row: row[1])), read(PAIR, rows), make_books(PAIR)
    for number, minute, value in rows:
        whole[number].trace.take(np.array([FIRST + minute * 60 * 10**9]), np.array([value]))
    revalue(whole, [set(book.trace.before(2**60, 100)) for book in whole])

    assert [dict(book.amounts) for book in live] == [dict(book.amounts) for book in shuffled]
    assert [dict(book.amounts) for book in live] == [dict(book.amounts) for book in whole]
