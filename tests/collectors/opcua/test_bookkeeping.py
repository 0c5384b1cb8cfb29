"""Sequence numbers, wanted items, holes, chunks: what is decided without a server."""

from __future__ import annotations

from collections.abc import Sequence as Many

import pytest
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.history import alike
from collectors.opcua.holes import Holes, Memory
from collectors.opcua.items import MORE, SHOWN, Items
from collectors.opcua.sequence import WRAP, Sequence, missing_and_kept
from collectors.opcua.session import in_chunks
from collectors.points import Series

MINUTE_NS = 60_000_000_000


def test_messages_in_order_miss_nothing() -> None:
    """Data advances the number, a keep-alive names the next one."""
    sequence = Sequence()

    assert [sequence.came(1), sequence.kept_alive(2), sequence.kept_alive(2), sequence.came(2)] == [0, 0, 0, 0]


def test_a_missing_message_is_counted_once() -> None:
    """By the next message with data, or by the next keep-alive, whichever comes first."""
    by_data, by_keep_alive = Sequence(), Sequence()

    assert [by_data.came(1), by_data.came(4), by_data.came(5)] == [0, 2, 0]
    assert [by_keep_alive.came(1), by_keep_alive.kept_alive(3), by_keep_alive.came(3)] == [0, 1, 0]


def test_a_message_that_is_sent_again_is_no_hole() -> None:
    """Neither is a server that begins anew at 1."""
    sequence = Sequence()

    assert [sequence.came(1), sequence.came(2), sequence.came(1), sequence.came(3)] == [0, 0, 0, 0]


def test_the_number_wraps_to_one() -> None:
    """After 2^32 - 1 comes 1, never 0."""
    sequence = Sequence()
    for number in (WRAP // 3, 2 * (WRAP // 3), WRAP - 1):
        sequence.came(number)

    assert [sequence.came(WRAP), sequence.came(1), sequence.came(3)] == [0, 0, 1]


def test_only_what_the_server_still_has_is_asked_for_again() -> None:
    """Bounded by its list, oldest first, also across the end of the numbers."""
    assert missing_and_kept(9, 3, (2, 8, 6, 9, 11)) == [6, 8]
    assert missing_and_kept(2, 3, (WRAP - 1, 1, WRAP)) == [WRAP - 1, WRAP, 1]
    assert missing_and_kept(9, 0, (8, 7)) == []


def test_a_queue_that_is_shorter_than_the_outage_is_a_hole() -> None:
    """Only the tags whose queue lasts less than the connection was away."""
    items = Items(("a", "b", "c"))
    items.created(0, 1, lasts_s=10.0)
    items.created(1, 2, lasts_s=1.0)
    items.refused(2, "gone", now=0.0)

    assert (items.outlasted(0.5), items.outlasted(5.0), items.outlasted(50.0)) == ([], [1], [0, 1])


def test_a_refused_item_is_tried_again_later_and_later() -> None:
    """The pause doubles up to five minutes; a value that comes starts it anew."""
    items = Items(("a",), first_s=5)
    pauses = []
    for _ in range(9):
        items.refused(0, "gone", now=100.0)
        pauses.append(items.next_due() - 100.0)

    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    items.created(0, 77)
    items.delivers([0])
    items.refused(0, "gone", now=100.0)
    assert items.next_due() == 105.0


def test_an_item_that_went_away_is_deleted_and_due_again() -> None:
    """Only what was created is deleted on the server."""
    items = Items(("a", "b"))
    items.created(0, 77)

    assert items.gone([0, 1], "not there", now=0.0) == [77]
    assert items.troubles() == {"a": "not there"}


def test_many_troubles_are_counted_not_listed() -> None:
    """The page shows a hundred, and how many more there are."""
    items = Items(tuple(f"t{number}" for number in range(SHOWN + 7)))
    for number in range(SHOWN + 7):
        items.refused(number, "gone", now=0.0)
    troubles = items.troubles()

    assert (len(troubles), troubles[MORE]) == (SHOWN + 1, "and 7 more tags")


def test_a_new_session_forgets_what_the_last_one_refused() -> None:
    """Everything is due at once."""
    items = Items(("a",))
    items.refused(0, "gone", now=0.0)
    items.new_session()

    assert (items.due(0.0), items.troubles()) == ([0], {})


def test_the_hole_before_a_connection_has_its_reason() -> None:
    """A cut, a restart of the server, an absence of the agent."""
    memory = Memory(started="A", durable_ns=5)

    assert gap_of(memory, "A") == ("link_lost", 5)
    assert gap_of(memory, "B") == ("server_restarted", 5)
    absent = Holes("s", Memory()).before(started="A", last_ns=3, now_ns=50)
    assert (absent.reason, absent.from_ns) == ("agent_down", 3)


def gap_of(memory: Memory, started: str) -> tuple[str, int]:
    """Reason and beginning of the hole before a new connection."""
    gap = Holes("s", memory).before(started=started, last_ns=9, now_ns=50)
    return gap.reason, gap.from_ns


def test_an_overflow_is_said_when_it_ends_or_after_a_minute() -> None:
    """Not once for every message."""
    holes = Holes("s", Memory(durable_ns=1))
    series = Series("p", "", "", "m", "a")

    assert holes.overflowed([series], 10) is None
    ended = holes.overflowed([], 20)
    assert ended is not None
    assert (ended.from_ns, ended.to_ns, ended.series) == (1, 20, (series,))
    assert holes.overflowed([], 30) is None
    assert holes.overflowed([series], 40) is None
    assert holes.overflowed([series], 40 + MINUTE_NS) is not None


def test_nodes_with_unlike_holes_are_read_apart() -> None:
    """One start serves all nodes of a call: what has not changed for hours is asked for by itself."""
    since = {0: 10 * MINUTE_NS, 1: 0, 2: 10 * MINUTE_NS + 5, 3: 10 * MINUTE_NS + 7}

    assert alike(since, most=2) == [[1], [0, 2], [3]]


async def test_operations_are_asked_for_in_chunks() -> None:
    """Never more than the limit in one call, results in order."""
    sizes: list[int] = []

    async def call(chunk: Many[int]) -> list[int]:
        sizes.append(len(chunk))
        return list(chunk)

    assert await in_chunks(range(7), call, size=3) == (list(range(7)), 3)
    assert sizes == [3, 3, 1]


async def test_a_server_that_finds_it_too_much_is_asked_for_less() -> None:
    """Halved until it is taken, and remembered."""

    async def call(chunk: Many[int]) -> list[int]:
        if len(chunk) > 3:
            raise UaStatusCodeError(StatusCodes.BadTooManyOperations)
        return list(chunk)

    assert await in_chunks(range(20), call, size=16) == (list(range(20)), 2)


async def test_an_answer_of_another_length_ends_the_connection() -> None:
    """Values are never credited to the wrong tags."""

    async def call(chunk: Many[int]) -> list[int]:
        return list(chunk)[1:]

    with pytest.raises(ConnectionError, match="4 results for 5 operations"):
        await in_chunks(range(5), call, size=10)
