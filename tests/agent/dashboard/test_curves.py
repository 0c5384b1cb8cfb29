"""What a curve shows."""

from collections.abc import Sequence

import numpy as np
import pytest

from agent.dashboard.curves import NS, RANGES, curve, midnight
from agent.dashboard.latest import Latest
from agent.sink import Entry
from collectors.points import Batch, Kind, Point, Series, Values

POWER = Series("p", "a", "l", "m", "power", "kW")
NOW_S = 1_750_000_000


class FakePast:
    """A history that holds these rows."""

    def __init__(self, rows: list[tuple[float, float, float, float]]) -> None:
        self.points: dict[str, int] = {}
        self.asked: list[tuple[int, int, int]] = []
        self._rows = np.array(rows, np.float64).reshape(-1, 4).T

    async def read(self, series: Series, from_s: int, to_s: int, *, width_s: int) -> Values:
        self.asked.append((from_s, to_s, width_s))
        return self._rows.copy()

    async def risen(self, counters: Sequence[Series], from_s: int, to_s: int) -> list[float | None]:
        return [1.5 for _ in counters]


async def latest_with(*seconds: float, heard_s: float | None = None) -> Latest:
    """Values that are their own time before now; heard_s: when anything last came from their source."""
    latest = Latest(recent_points=1000)
    points = [Point(POWER, int((NOW_S + s) * NS), float(s)) for s in seconds]
    await latest.write(
        [
            Entry(
                1, Batch.of("s", points, received_ns=int((NOW_S + (max(seconds) if heard_s is None else heard_s)) * NS))
            )
        ]
    )
    return latest


async def drawn(latest: Latest, past: FakePast | None, name: str) -> dict[str, list[float | None]]:
    return await curve(latest, past, 0, range_=RANGES[name], now_ns=NOW_S * NS)


async def test_ten_minutes_are_the_values_themselves() -> None:
    """Every value of the last ten minutes, none older."""
    columns = await drawn(await latest_with(-700, -2, -1), None, "10m")

    assert (columns["t"], columns["mean"]) == ([NOW_S - 2, NOW_S - 1], [-2.0, -1.0])


async def test_what_memory_does_not_hold_comes_from_the_history() -> None:
    """After a restart the curve begins before the restart, and no time is drawn twice."""
    past = FakePast([(NOW_S - 40, 1, 2, 3), (NOW_S - 10, 1, 2, 3)])
    columns = await drawn(await latest_with(-20, -10), past, "10m")

    assert columns["t"] == [NOW_S - 35, NOW_S - 20.001, NOW_S - 20, NOW_S - 10.001, NOW_S - 10]
    assert past.asked == [(NOW_S - 600, NOW_S - 20, 10)]


async def test_a_day_is_asked_in_minutes() -> None:
    """24 h come as lowest, mean and highest of each minute."""
    past = FakePast([(NOW_S - 60, 1, 2, 3)])
    columns = await drawn(await latest_with(0, heard_s=-30), past, "24h")

    assert past.asked == [(NOW_S - 86400, NOW_S, 60)]
    assert [columns[name] for name in ("t", "low", "mean", "high")] == [[NOW_S - 30], [1], [2], [3]]


async def test_a_value_holds_until_the_next_one() -> None:
    """Machines that report changes: two quiet minutes are a level line, not a slope."""
    columns = await drawn(await latest_with(-200, -199, -60), None, "10m")

    assert columns["mean"] == [-200.0, -199.0, -199.0, -60.0]
    assert columns["t"] == [NOW_S - 200, NOW_S - 199, NOW_S - 60.001, NOW_S - 60]


async def test_no_line_is_drawn_over_a_known_hole() -> None:
    """A gap that the source reported is a row of nulls."""
    latest = await latest_with(-200, -199, -60)
    said = f'{{"from_ns": {(NOW_S - 190) * NS}, "to_ns": {(NOW_S - 70) * NS}, "reason": "link_lost", "series": []}}'
    gap = Point(Series("p", "", "", "s", "gap", "", Kind.EVENT), (NOW_S - 190) * NS, said)
    await latest.write([Entry(2, Batch.of("s", [gap], received_ns=0))])

    assert (await drawn(latest, None, "10m"))["mean"] == [-200.0, -199.0, None, -60.0]


async def test_a_value_that_has_not_changed_for_hours_is_a_line() -> None:
    """A set point of this morning holds over the ten minutes, up to when its source was last heard."""
    columns = await drawn(await latest_with(-9000, heard_s=-3), None, "10m")

    assert columns["t"] == [NOW_S - 600, NOW_S - 3.001, NOW_S - 3]
    assert set(columns["mean"]) == {-9000.0}


async def test_without_a_history_longer_ranges_show_what_memory_holds() -> None:
    """No history is configured: the last minutes are shown."""
    columns = await drawn(await latest_with(-2, -1), None, "1h")

    assert columns["mean"] == [-2.0, -1.0]


@pytest.mark.parametrize(("offset_s", "expected_s"), [(0, 86400), (8 * 3600, 86400 + 57600), (-3600, 3600 + 86400)])
def test_midnight_of_a_place(offset_s: int, expected_s: int) -> None:
    """17:00 UTC is one in the morning of the next day in Shandong."""
    assert midnight(86400 + 17 * 3600, utc_offset_s=offset_s) == expected_s
