"""Isolation: whatever the server refuses, exactly that is set aside, and everything else is delivered."""

from __future__ import annotations

import math
import random

import pytest

from agent.influx.answers import Answer
from agent.influx.lines import Encoder, Lines
from agent.influx.parcel import Parcel
from agent.sink import Retry
from collectors.points import Batch, Point, Series
from tests.agent.influx.parcels import HOUR, Server, T, conflicting, delivered_whole, learnt, lines_of, refused_keys
from tests.fakes.influx_database import Database, error


def test_bites_of_the_configured_size() -> None:
    """Lines go in requests of at most so many lines and bytes, in order, each once."""
    server = Server(Database())
    lines = lines_of(1_000)

    Parcel(lines).deliver(server.post, learnt(lines=300, size=9_000))

    assert 1_000 == len(server.database.points)
    assert sum(server.sizes) == len(lines.body(range(1_000)))
    assert 9_000 >= max(server.sizes)


@pytest.mark.parametrize("style", ["2.7", "3"])
@pytest.mark.parametrize("poison", [1, 2, 17, 500])
@pytest.mark.parametrize("signals", [1, 4])
def test_type_conflicts_are_isolated(style: str, poison: int, signals: int) -> None:
    """1 to 500 points with the wrong type among 5,000: exactly those are set aside, within the bound of requests."""
    wrong = set(random.Random(poison).sample(range(5_000), poison))
    database = conflicting(style=style)
    server = Server(database)
    parcel = Parcel(lines_of(5_000, signals=signals, bad=wrong.__contains__))

    parcel.deliver(server.post, learnt())

    assert poison == sum(one.points for one in parcel.refused)
    assert {"bad"} == {key.field for key in refused_keys(parcel)}
    assert 5_000 - poison == len(database.points)
    assert server.requests <= 2 * poison * math.log2(5_000 / poison) + poison + 1
    assert all("conflict" in one.reason for one in parcel.refused)


@pytest.mark.parametrize("poison", [1, 30])
def test_points_beyond_retention_are_isolated(poison: int) -> None:
    """Points that are too old for the bucket are set aside with the server's words, and only they."""
    wrong = set(random.Random(poison).sample(range(2_000), poison))
    server = Server(Database(keep_from_ns=T - HOUR))
    parcel = Parcel(lines_of(2_000, bad=wrong.__contains__, old_ns=2 * HOUR))

    parcel.deliver(server.post, learnt())

    assert poison == sum(one.points for one in parcel.refused)
    assert 2_000 - poison == len(server.database.points)
    assert all("retention" in one.reason.lower() for one in parcel.refused)
    assert 4 >= server.requests


def test_old_lines_of_several_fields_go_whole() -> None:
    """A line that is older than the server keeps anything has no good field that had to be looked for."""
    server = Server(Database(keep_from_ns=T - HOUR))
    parcel = Parcel(lines_of(2_000, signals=4, bad=lambda number: number // 4 % 10 == 3, old_ns=2 * HOUR))
    parcel.deliver(server.post, learnt())
    assert (200, 1_800, 3) == (sum(one.points for one in parcel.refused), len(server.database.points), server.requests)


def test_conflicts_and_old_points_at_once() -> None:
    """An answer that names one kind of trouble and hides the other does not mislead."""
    database = conflicting(keep_from_ns=T - HOUR)
    old = lines_of(40, bad=lambda number: number % 8 == 0, old_ns=2 * HOUR)
    mixed = b"".join(
        (
            old.body(range(40)),
            lines_of(40, bad=lambda number: number % 5 == 0).body(range(40)).replace(b"machine-", b"m-"),
        )
    )
    lines = _lines_from(mixed)
    parcel = Parcel(lines)

    parcel.deliver(Server(database).post, learnt())

    assert 5 + 8 == sum(one.points for one in parcel.refused)
    assert 80 - 13 == len(database.points)


def _lines_from(text: bytes) -> Lines:
    """Lines of one field each, from their bytes."""
    points = []
    for line in text.splitlines():
        head, field, t_ns = line.decode().split(" ")
        signal, value = field.split("=")
        machine = head.split("machine=")[1].split(",")[0]
        points.append(Point(Series("plant", "", "", machine, signal), int(t_ns), float(value)))
    return Encoder("raceway").encode([Batch.of("test", points, received_ns=T)]).lines


def test_malformed_lines_are_taken_out_by_name() -> None:
    """Version 2 quotes the lines it cannot parse: two requests, not twenty-five."""
    lines = lines_of(5_000)
    server = Server(Database())
    bad = lines.body([77])
    refusing = Answer(400, error("invalid", f"unable to parse '{bad[:-1].decode()}': bad timestamp"))
    parcel = Parcel(lines)

    parcel.deliver(lambda body: refusing if bad in body else server.post(body), learnt())

    assert [("unable to parse: bad timestamp", bad, 1)] == parcel.refused
    assert 4_999 == len(server.database.points)
    assert 1 == server.requests


def test_a_bad_field_does_not_take_its_line_along() -> None:
    """Good signals of the same machine and moment are delivered though the server dropped the whole line."""
    database = conflicting()
    parcel = Parcel(lines_of(4, signals=4, bad=lambda number: number == 2))

    parcel.deliver(Server(database).post, learnt())

    assert {"signal_0", "signal_1", "signal_3"} == {key.field for key in database.points}
    assert {"bad"} == {key.field for key in refused_keys(parcel)}


def test_a_signal_that_conflicts_on_every_machine_costs_few_requests() -> None:
    """When each line of thousands holds the same bad signal, the search is over in five requests."""
    database = conflicting()
    server = Server(database)
    parcel = Parcel(lines_of(4_000, signals=4, bad=lambda number: number % 4 == 1))

    parcel.deliver(server.post, learnt())

    assert (1_000, 3_000) == (sum(one.points for one in parcel.refused), len(database.points))
    assert 5 >= server.requests


def test_too_large_is_halved_and_remembered() -> None:
    """After a 413 less is sent, in this parcel and in the next; a point that alone is too large is set aside."""
    server = Server(Database(most_bytes=20_000))
    known = learnt()

    Parcel(lines_of(2_000)).deliver(server.post, known)
    first = server.requests
    Parcel(lines_of(2_000)).deliver(server.post, known)

    assert 2_000 == len(server.database.points)
    assert all(size <= 20_000 for size in server.sizes[first:])
    tiny = Server(Database(most_bytes=10))
    parcel = Parcel(lines_of(3))
    parcel.deliver(tiny.post, learnt())
    assert 3 == sum(one.points for one in parcel.refused)


def test_time_outs_make_smaller_requests_until_it_works_again() -> None:
    """A line too slow for a megabyte gets through with less, and grows back."""
    server = Server(Database(), *(Retry("slow", blocked="timeout") for _ in range(4)))
    known = learnt(size=64_000)
    parcel = Parcel(lines_of(1_000))

    assert 4 == delivered_whole(parcel, server.post, known)
    assert 4_096 >= server.sizes[4]
    assert 64_000 == known.most_bytes
    assert 1_000 == len(server.database.points)


def test_a_hold_keeps_what_is_confirmed() -> None:
    """After a Retry in the middle only the rest is sent again."""
    server = Server(Database(), None, None, Answer(503, ""))
    parcel = Parcel(lines_of(1_000))

    assert 1 == delivered_whole(parcel, server.post, learnt(lines=250))
    assert 5 == server.requests


def test_a_search_goes_on_over_a_bad_network() -> None:
    """Every second request fails, and the one bad point among 1,000 is found all the same."""
    database = conflicting()
    calls = 0

    def post(body: bytes) -> Answer:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise Retry("reset", blocked="refused")
        return Answer(*database.write(body))

    parcel = Parcel(lines_of(1_000, bad=lambda number: number == 500))
    delivered_whole(parcel, post, learnt())

    assert 1 == len(parcel.refused)
    assert 999 == len(database.points)
