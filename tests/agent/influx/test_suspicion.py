"""Plain 500s: the server's own trouble, or ours; what is to blame is found, and nothing else."""

from __future__ import annotations

import pytest

from agent.influx.answers import Answer
from agent.influx.parcel import Parcel
from agent.sink import Retry
from tests.agent.influx.parcels import HOUR, Server, T, delivered_whole, learnt, lines_of
from tests.fakes.influx_database import Database


def test_a_line_that_fails_for_a_while_is_not_accused() -> None:
    """The server's own trouble ends between two questions: what it takes then is delivered, not set aside."""
    server = Server(Database())
    parcel = Parcel(lines_of(1))

    for _ in range(4):
        with pytest.raises(Retry):
            parcel.deliver(lambda _: Answer(500, '{"message":"internal error"}'), known := learnt())
    server.troubles = [Answer(500, '{"message":"internal error"}')]
    parcel.deliver(server.post, known)

    assert ([], 1) == (parcel.refused, len(server.database.points))


def test_a_500_that_is_our_own_fault_is_found() -> None:
    """A line at which the server always breaks is set aside after five tries, since other lines are taken meanwhile."""
    server = Server(Database())
    lines = lines_of(100)
    bad = lines.body([42])
    parcel = Parcel(lines)

    holds = delivered_whole(
        parcel, lambda body: Answer(500, '{"message":"internal error"}') if bad in body else server.post(body), learnt()
    )

    assert 4 == holds
    assert [bad] == [one.payload for one in parcel.refused]
    assert 99 == len(server.database.points)


def test_a_line_that_once_was_proven_may_be_too_old() -> None:
    """When the line sent again as a proof is refused for its age, lines of the present serve instead."""
    server = Server(Database(keep_from_ns=T - HOUR))
    lines = lines_of(100)
    bad, known = lines.body([42]), learnt()
    known.proven = lines_of(1, bad=lambda _: True, old_ns=2 * HOUR).body(range(1))
    parcel = Parcel(lines)

    delivered_whole(
        parcel, lambda body: Answer(500, '{"message":"internal error"}') if bad in body else server.post(body), known
    )

    assert [bad] == [one.payload for one in parcel.refused]
    assert 99 == len(server.database.points)


def test_a_server_that_breaks_at_everything_loses_nothing() -> None:
    """A full disk answers 500 to every line: nothing is set aside, however long it takes."""
    parcel = Parcel(lines_of(100))

    for _ in range(50):
        with pytest.raises(Retry):
            parcel.deliver(lambda body: Answer(500, '{"message":"internal error"}'), learnt())

    assert [] == parcel.refused
