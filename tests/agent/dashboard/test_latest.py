"""The newest value of every series, in memory."""

from collections.abc import Sequence

from agent.dashboard.latest import Latest
from agent.sink import Entry
from collectors.points import BAD, Batch, Kind, Point, Series

POWER = Series("p", "a", "l", "m", "power", "kW")
STATE = Series("p", "a", "l", "m", "state", "", Kind.STATE)
ORDER = Series("p", "a", "l", "m", "order", "", Kind.TEXT)
GAP = Series("p", "", "", "machines", "gap", "", Kind.EVENT)


async def latest_of(*batches: Sequence[Point], recent_points: int = 100) -> Latest:
    latest = Latest(recent_points=recent_points)
    for seq, points in enumerate(batches):
        await latest.write([Entry(seq, Batch.of("s", points, received_ns=0))])
    return latest


async def test_the_newest_by_time_is_shown() -> None:
    """Late data does not replace what is newer, in one batch or in a later one."""
    latest = await latest_of([Point(POWER, 20, 2.0), Point(POWER, 10, 1.0)], [Point(POWER, 15, 1.5)])

    assert latest.value(0)[:3] == (0, 20, 2.0)


async def test_a_state_is_held_since_it_changed() -> None:
    """Repeats do not move since-when, a change does."""
    latest = await latest_of(
        [Point(STATE, 10, 3.0)], [Point(STATE, 20, 3.0)], [Point(STATE, 30, 4.0), Point(STATE, 40, 4.0)]
    )

    assert latest.value(0)[1:] == (40, 4.0, 0, 30)


async def test_a_text_is_held_since_it_changed() -> None:
    """Texts are compared by what they say, not by their index."""
    latest = await latest_of(
        [Point(ORDER, 10, "A")], [Point(STATE, 15, 1.0), Point(ORDER, 20, "A")], [Point(ORDER, 30, "B")]
    )

    assert latest.value(0)[1:] == (30, "B", 0, 30)


async def test_a_bad_value_is_not_shown() -> None:
    """Bad quality shows no number, whatever the number is."""
    latest = await latest_of([Point(POWER, 10, 5.0)], [Point(POWER, 20, 7.0, BAD)])

    assert latest.value(0)[1:4] == (20, None, BAD)


async def test_only_what_changed_is_told() -> None:
    """A page asks for what is new since its last look."""
    latest = await latest_of([Point(POWER, 10, 1.0), Point(STATE, 10, 1.0)])
    seen = latest.changes
    await latest.write([Entry(9, Batch.of("s", [Point(STATE, 20, 1.0)], received_ns=0))])

    assert [newest.id for newest in latest.newest(since=seen)] == [1]


async def test_the_ring_keeps_the_last_points_in_order_of_time() -> None:
    """Of five points in a ring of three, the last three to arrive remain."""
    points = [[Point(POWER, t, float(t))] for t in (10, 20, 50, 40, 30)]
    latest = await latest_of(*points, recent_points=3)

    t_ns, value = latest.recent(0, from_ns=35)

    assert (t_ns.tolist(), value.tolist()) == ([40, 50], [40.0, 50.0])


async def test_a_batch_larger_than_the_ring_fits() -> None:
    """The end of the batch is kept."""
    latest = await latest_of([Point(POWER, t, float(t)) for t in range(10)], recent_points=4)

    assert latest.recent(0, from_ns=0)[1].tolist() == [6.0, 7.0, 8.0, 9.0]


async def test_bad_values_and_texts_are_not_in_the_ring() -> None:
    """A curve is made of good numbers."""
    latest = await latest_of([Point(POWER, 1, 1.0), Point(POWER, 2, 2.0, BAD), Point(ORDER, 3, "A")])

    assert [latest.recent(id_, from_ns=0)[1].tolist() for id_ in (0, 1)] == [[1.0], []]


async def test_events_are_remembered() -> None:
    """A gap that a source reported is at hand for the page."""
    latest = await latest_of([Point(GAP, 5, '{"reason": "link_lost"}')])

    assert [(event.t_ns, event.text) for event in latest.gaps] == [(5, '{"reason": "link_lost"}')]


async def test_what_was_known_before_a_restart_is_shown() -> None:
    """Recalled values are there with their since-when; new data replaces them, equal data keeps since-when."""
    latest = Latest(recent_points=10)
    latest.recall([(Point(STATE, 40, 3.0), 10), (Point(ORDER, 50, "A"), 50)])
    before = latest.value(0)
    await latest.write([Entry(1, Batch.of("s", [Point(STATE, 60, 3.0)], received_ns=0))])

    assert (before[1:], latest.value(0)[1:], latest.value(1).value) == ((40, 3.0, 0, 10), (60, 3.0, 0, 10), "A")


async def test_a_series_is_found_by_its_path() -> None:
    """plant/area/line/machine/signal."""
    latest = await latest_of([Point(POWER, 1, 1.0)])

    assert (latest.find("p/a/l/m/power"), latest.find("p/a/l/m/none")) == (0, None)


async def test_a_time_far_ahead_does_not_win_for_ever() -> None:
    """One value of seventy years ahead counts as of its arrival: the next true value is shown, in every kind."""
    hour, far = 3600 * 10**9, 70 * 365 * 86400 * 10**9
    latest = Latest(recent_points=10)
    for received, ahead, value in ((hour, far, 7.0), (hour + 1, 0, 1.0)):
        points = [Point(POWER, received + ahead, value), Point(STATE, received + ahead, value)]
        await latest.write([Entry(1, Batch.of("s", points, received_ns=received))])

    assert [latest.value(id_)[1:3] for id_ in (0, 1)] == [(hour + 1, 1.0), (hour + 1, 1.0)]
    assert latest.recent(0, from_ns=0)[0].tolist() == [hour, hour + 1]


async def test_the_newest_gaps_one_by_one() -> None:
    """Newest first, one that is said again as it was said last; what is no gap's text is left out."""
    going_on = '{"from_ns": 1, "to_ns": 2, "reason": "link_lost", "points": null, "series": [], "detail": "goes on"}'
    other = '{"from_ns": 3, "to_ns": 4, "reason": "link_lost", "points": null, "series": [], "detail": "lost"}'
    told = '{"from_ns": 1, "to_ns": 2, "reason": "link_lost", "points": null, "series": [], "detail": "3 recovered"}'
    latest = await latest_of(
        [Point(GAP, 1, going_on), Point(GAP, 6, "rubbish"), Point(GAP, 3, other), Point(GAP, 1, told)]
    )

    assert [gap["detail"] for gap in latest.newest_gaps()] == ["3 recovered", "lost"]
    assert latest.newest_gaps()[0]["source"] == "machines"
