"""A gateway whose clock is set while it runs: who had not had its values gets them with the true time."""

from __future__ import annotations

import asyncio

import pytest

from agent.sink import Entry
from agent.store.timekeeper import EARLIEST_NS
from collectors.points import Batch, Clock, Point, Series
from tests.fakes.sim_log import SimLog
from tests.model.simfs import SimClocks, SimFiles

POWER = Series("p", "", "", "meter", "power", "kW")
HOUR_NS = 3_600_000_000_000


def gateway(*, is_kept: bool = False, behind_ns: int = HOUR_NS) -> tuple[SimFiles, SimClocks]:
    """A disk, and a clock that is an hour behind."""
    clocks = SimClocks()
    clocks.behind, clocks.is_kept = behind_ns, is_kept
    return SimFiles(), clocks


def put(log: SimLog, clocks: SimClocks, value: float, clock: Clock = Clock.GATEWAY) -> int:
    """One value stamped now; the true time."""
    clocks.go_on(1)
    now_ns = clocks.wall_ns()
    log.append(Batch.of("s", [Point(POWER, now_ns, value, clock=clock)], received_ns=now_ns))
    return clocks.wall


def times(entries: list[Entry]) -> dict[float, int]:
    """Of every value, without events."""
    return {float(p.value): p.t_ns for e in entries for p in e.batch.points() if p.series == POWER}


async def test_unread_values_get_the_true_time_and_read_ones_keep_theirs() -> None:
    """Also when they are read again after a restart, by that reader and by one that comes later."""
    files, clocks = gateway()
    log = SimLog(files, clocks)
    cursor = log.lanes("influx").oldest
    first_ns = put(log, clocks, 1.0)
    early = await cursor.read(max_points=10, linger_s=0.0)
    second_ns = put(log, clocks, 2.0)
    clocks.behind = 0
    third_ns = put(log, clocks, 3.0)
    late = await cursor.read(max_points=10, linger_s=0.0)
    expected = {1.0: first_ns - HOUR_NS, 2.0: second_ns, 3.0: third_ns}

    assert expected == times(early) | times(late)
    files.kill()
    log = SimLog(files, clocks)
    assert expected == times(await log.lanes("influx").oldest.read(max_points=10, linger_s=0.0))
    assert expected | {1.0: first_ns} == times(await log.lanes("new").oldest.read(max_points=10, linger_s=0.0))


async def test_the_correction_is_an_event_that_names_who_had_the_old_times() -> None:
    """For the people who look at such data later."""
    files, clocks = gateway()
    log = SimLog(files, clocks)
    cursor = log.lanes("influx").oldest
    put(log, clocks, 1.0)
    await cursor.read(max_points=10, linger_s=0.0)
    clocks.behind = 0
    put(log, clocks, 2.0)
    entries = await cursor.read(max_points=10, linger_s=0.0)

    (said,) = [str(p.value) for e in entries for p in e.batch.points() if p.series.signal == "clock"]
    assert '"forward_s":3600.0' in said
    assert '"late":["influx"]' in said


async def test_the_machines_own_times_are_left_alone() -> None:
    """Only what the gateway stamped is wrong by its clock."""
    files, clocks = gateway()
    log = SimLog(files, clocks)
    true_ns = put(log, clocks, 1.0, Clock.SOURCE)
    clocks.behind = 0
    put(log, clocks, 2.0)

    assert true_ns - HOUR_NS == times(await log.lanes("influx").oldest.read(max_points=10, linger_s=0.0))[1.0]


@pytest.mark.parametrize(("is_kept", "step_ns"), [(True, HOUR_NS), (False, HOUR_NS // 7200), (False, -HOUR_NS)])
async def test_only_a_clock_that_nobody_kept_is_corrected(is_kept: bool, step_ns: int) -> None:
    """Not one that was kept, not a second, and not a clock that went ahead."""
    files, clocks = gateway(is_kept=is_kept)
    log = SimLog(files, clocks)
    true_ns = put(log, clocks, 1.0)
    clocks.behind -= step_ns
    put(log, clocks, 2.0)

    assert true_ns - HOUR_NS == times(await log.lanes("influx").oldest.read(max_points=10, linger_s=0.0))[1.0]


async def test_a_clock_that_is_certainly_wrong_keeps_readers_waiting() -> None:
    """A reader in memory goes on; the others get everything, at true times, once the clock is set."""
    files, clocks = gateway(behind_ns=SimClocks().wall - EARLIEST_NS + HOUR_NS)
    log = SimLog(files, clocks)
    true_ns = put(log, clocks, 1.0)
    reading = asyncio.create_task(log.lanes("influx").oldest.read(max_points=10, linger_s=0.0))
    await asyncio.sleep(0)
    assert not reading.done()

    clocks.behind = 0
    put(log, clocks, 2.0)
    assert true_ns == times(await reading)[1.0]


@pytest.mark.parametrize("is_set_meanwhile", [False, True])
async def test_a_restart_before_the_clock_is_set_loses_no_correction(is_set_meanwhile: bool) -> None:
    """What was withheld goes out at true times, whether the clock is set while the agent runs or while it is away."""
    files, clocks = gateway(behind_ns=SimClocks().wall - EARLIEST_NS + HOUR_NS)
    log = SimLog(files, clocks)
    assert log.lanes("influx").oldest.seq == 0
    first_ns = put(log, clocks, 1.0)
    files.kill()
    if is_set_meanwhile:
        clocks.behind = 0
    log = SimLog(files, clocks)
    second_ns = put(log, clocks, 2.0)
    clocks.behind = 0
    third_ns = put(log, clocks, 3.0)

    reader, found = log.lanes("influx").oldest, dict[float, int]()
    while len(found) < 3:
        found |= times(await reader.read(max_points=10, linger_s=0.0))
    assert {1.0: first_ns, 2.0: second_ns, 3.0: third_ns} == found


async def test_the_next_boot_knows_nothing_of_an_unset_clock() -> None:
    """How far the clock was off before, nobody can say then: those values keep the time that they have."""
    files, clocks = gateway(behind_ns=SimClocks().wall - EARLIEST_NS + HOUR_NS)
    log = SimLog(files, clocks)
    true_ns = put(log, clocks, 1.0)
    files.kill()
    behind_ns, clocks.behind, clocks.boot_id = clocks.behind, 0, bytes(15) + b"2"
    log = SimLog(files, clocks)
    put(log, clocks, 2.0)

    assert true_ns - behind_ns == times(await log.lanes("influx").oldest.read(max_points=10, linger_s=0.0))[1.0]


async def test_a_clock_that_was_kept_is_not_corrected_over_a_restart_either() -> None:
    """Somebody keeps it, years wrong: what it said then is what it said."""
    files, clocks = gateway(is_kept=True, behind_ns=SimClocks().wall - EARLIEST_NS + HOUR_NS)
    log = SimLog(files, clocks)
    true_ns = put(log, clocks, 1.0)
    files.kill()
    behind_ns, clocks.behind = clocks.behind, 0
    log = SimLog(files, clocks)
    put(log, clocks, 2.0)

    assert true_ns - behind_ns == times(await log.lanes("influx").oldest.read(max_points=10, linger_s=0.0))[1.0]
