"""The encoder: equal to a slow reference, the same bytes for the same points, and nothing InfluxDB cannot take."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.influx.lines import Encoder
from collectors.points import BAD, GOOD, OVERFLOW, UNCERTAIN, Batch, Kind, Point, Series
from tests.agent.influx.reference import expected
from tests.fakes.influx_database import Database, FieldValue, Key, Line, parse

T = 1_795_526_024_398_304_865
SPINDLE = Series("plant 1", "车间 1", "line-1", "cnc,1", "speed", "rpm")
LOAD = Series("plant 1", "车间 1", "line-1", "cnc,1", "load", "%")
METER = Series("plant 1", "", "", "meter=1", "power", "kW")
ORDER = Series("plant 1", "车间 1", "line-1", "cnc,1", "order", kind=Kind.TEXT)


def batch(*points: Point) -> Batch:
    return Batch.of("test", points, received_ns=T)


def body(encoder: Encoder, *batches: Batch) -> bytes:
    encoded = encoder.encode(batches)
    encoder.keep(encoded)
    return encoded.lines.body(range(len(encoded.lines)))


def held(text: bytes) -> dict[Key, FieldValue]:
    database = Database()
    assert (204, "") == database.write(text)
    assert not database.rewritten
    return database.points


def test_points_of_one_machine_and_time_share_a_line() -> None:
    """Three signals of a machine at one moment are one line, wherever they stand in the batch."""
    lines = body(
        Encoder("raceway"),
        batch(Point(SPINDLE, T, 1200.0), Point(METER, T, 7.5), Point(LOAD, T, 33.25)),
        batch(Point(ORDER, T, 'M-"7"\\\n'), Point(SPINDLE, T + 1, 1201.0)),
    )

    assert (
        b"raceway,area=\xe8\xbd\xa6\xe9\x97\xb4\\ 1,line=line-1,machine=cnc\\,1,plant=plant\\ 1 "
        b'speed=1200.0,load=33.25,order="M-\\"7\\"\\\\\n" 1795526024398304865\n'
        b"raceway,machine=meter\\=1,plant=plant\\ 1 power=7.5 1795526024398304865\n"
        b"raceway,area=\xe8\xbd\xa6\xe9\x97\xb4\\ 1,line=line-1,machine=cnc\\,1,plant=plant\\ 1 "
        b"speed=1201.0 1795526024398304866\n"
    ) == lines


@pytest.mark.parametrize(
    "value",
    [0.0, -0.0, 1.0, -1e21, 1e-7, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 2.0**53 + 2],
    ids=repr,
)
def test_a_number_reads_back_equal(value: float) -> None:
    """Every finite double is written so that its reader has the same double, never an integer."""
    assert {Key("raceway,machine=meter=1,plant=plant 1", "power", T): value} == held(
        body(Encoder("raceway"), batch(Point(METER, T, value)))
    )


def test_quality_is_told_while_not_good_and_once_after() -> None:
    """A series that goes Good, Uncertain, Bad, Good, Good has three quality fields and no Bad value."""
    qualities = [GOOD, UNCERTAIN, BAD, GOOD, GOOD]
    points = [Point(METER, T + n, float(n), quality) for n, quality in enumerate(qualities)]

    fields = [line.fields for line in parse(body(Encoder("raceway"), batch(*points))) if isinstance(line, Line)]

    assert [
        {"power": 0.0},
        {"power": 1.0, "power_quality": float(UNCERTAIN)},
        {"power_quality": float(BAD)},
        {"power": 3.0, "power_quality": 0.0},
        {"power": 4.0},
    ] == fields


def test_an_overflow_bit_is_told() -> None:
    """A good value of which earlier ones were lost in the server's queue says so."""
    assert b"power=1.0,power_quality=1152.0 " in body(Encoder("raceway"), batch(Point(METER, T, 1.0, OVERFLOW)))


def test_return_to_good_is_told_across_calls_and_restarts() -> None:
    """The memory of a Bad series lives on in `state`, for series not yet seen again too."""
    first = Encoder("raceway")
    body(first, batch(Point(METER, T, math.nan, BAD), Point(LOAD, T, math.nan, BAD), Point(SPINDLE, T, 1.0)))
    second = Encoder("raceway", first.state())
    body(second, batch(Point(SPINDLE, T + 1, 1.0)))
    third = Encoder("raceway", second.state())
    told = body(third, batch(Point(METER, T + 2, 1.0), Point(LOAD, T + 2, 2.0), Point(SPINDLE, T + 2, 3.0)))

    assert {"power_quality", "load_quality"} == {key.field for key in held(told) if "quality" in key.field}
    assert b"" == third.state()


def test_a_resend_is_byte_identical() -> None:
    """Encoding again without `keep` gives the same bytes, from the same encoder and from a restored one."""
    encoder = Encoder("raceway")
    body(encoder, batch(Point(METER, T, math.nan, BAD)))
    batches = [batch(Point(METER, T + 1, 1.0), Point(SPINDLE, T + 1, math.nan, BAD), Point(SPINDLE, T + 2, 5.0))]
    state = encoder.state()
    once = encoder.encode(batches).lines

    again = encoder.encode(batches).lines
    restored = Encoder("raceway", state).encode(batches).lines

    assert once.body(range(len(once))) == again.body(range(len(again))) == restored.body(range(len(restored)))


def test_what_no_line_can_hold_is_named() -> None:
    """A Good infinity and a signal that InfluxDB would drop are set aside with the reason, and nothing else is."""
    clock = Series("plant 1", "", "", "meter=1", "time")
    trailing = Series("plant 1", "", "", "meter\\", "power")
    points = [
        Point(METER, T, math.inf),
        Point(clock, T, 5.0),
        Point(trailing, T, 6.0, UNCERTAIN),
        Point(METER, T + 1, 7.0),
    ]

    encoded = Encoder("raceway").encode([batch(*points)])

    assert b"raceway,machine=meter\\=1,plant=plant\\ 1 power=7.0 1795526024398304866\n" == encoded.lines.body(range(1))
    assert 1 == len(encoded.lines)
    assert [1, 1, 1] == [unfit.points for unfit in encoded.unfit]
    assert b"power=inf 1795526024398304865" in encoded.unfit[0].payload


def test_series_keep_their_bytes_when_the_table_grows() -> None:
    """A catalogue that grows between batches, shrinks or is another one altogether changes no series' identity."""
    encoder = Encoder("raceway")
    texts = [
        body(encoder, Batch.of("test", points, received_ns=T))
        for points in ([Point(METER, T, 1.0)], [Point(METER, T, 2.0), Point(LOAD, T, 3.0)], [Point(LOAD, T, 4.0)])
    ]

    assert [{1.0}, {2.0, 3.0}, {4.0}] == [set(held(text).values()) for text in texts]


def test_nothing_in_nothing_out() -> None:
    """No batch rows, or only Bad ones that say their quality, are no special case."""
    empty = Encoder("raceway").encode([batch()])

    assert 0 == len(empty.lines)
    assert b"" == empty.lines.body(range(0))


def test_lines_come_apart_into_fields() -> None:
    """Each field of a line can stand alone, and still counts its point once."""
    lines = (
        Encoder("raceway")
        .encode([batch(Point(SPINDLE, T, 1.0, UNCERTAIN), Point(LOAD, T, 2.0), Point(METER, T, 3.0))])
        .lines
    )
    apart = lines.apart([0])

    assert 2 == lines.points([0])
    assert [1, 1, 0] == [apart.points([number]) for number in range(len(apart))]
    assert held(lines.body([0])) == held(apart.body(range(len(apart))))
    assert T == apart.t_ns(0)


names = st.text(st.characters(codec="utf-8", exclude_characters="\\\n\r\t\0"), min_size=1, max_size=5)
series = st.builds(
    Series,
    plant=names,
    area=st.just("") | names,
    line=st.just("") | names,
    machine=names,
    signal=names.filter(lambda name: name != "time").map(lambda name: f"s{name}"),
    kind=st.sampled_from([Kind.GAUGE, Kind.TEXT]),
)


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    """Batches of few series and few timestamps, each series and time once, no two signals alike but for `_quality`."""
    found = draw(st.lists(series, min_size=1, max_size=6, unique_by=lambda one: (*vars_of(one), one.signal)))
    cells = st.tuples(st.sampled_from(found), st.integers(T, T + 3))
    chosen = draw(st.lists(cells, max_size=30, unique=True))
    points = [
        Point(
            one,
            t_ns,
            draw(
                st.text(st.characters(codec="utf-8"), max_size=5)
                if one.kind.is_text
                else st.floats(allow_nan=False, allow_infinity=False)
            ),
            draw(st.sampled_from([GOOD, GOOD, GOOD, OVERFLOW, UNCERTAIN, BAD])),
        )
        for one, t_ns in chosen
    ]
    cut = draw(st.integers(0, len(points)))
    table = tuple(found)
    return [of_table(table, points[:cut]), of_table(table, points[cut:])]


def vars_of(one: Series) -> tuple[str, ...]:
    return (one.plant, one.area, one.line, one.machine)


def of_table(table: tuple[Series, ...], points: list[Point]) -> Batch:
    """A batch over a given table, as the log reads it back."""
    made = Batch.of("test", points, received_ns=T)
    made.which = np.array([table.index(point.series) for point in points], dtype=np.uint32)
    made.series = table
    return made


@given(batches(), st.booleans())
def test_equal_to_the_reference(given_batches: list[Batch], is_split: bool) -> None:
    """Whatever the points, what a database holds afterwards is what the slow reference says, in one call or in two."""
    points = [point for each in given_batches for point in each.points()]
    encoder = Encoder("raceway")
    calls = [[each] for each in given_batches] if is_split else [given_batches]

    texts = [body(encoder, *call) for call in calls]

    assert expected(points) == held(b"".join(texts))
