"""The model of the plant: deterministic, and believable enough to look at."""

from __future__ import annotations

import itertools

import pytest

from collectors.points import Kind
from collectors.simulator.furnaces import Furnace
from collectors.simulator.machines import BREAKS_S, Machine, State, at_work
from collectors.simulator.meters import MEDIA
from collectors.simulator.plant import Plant, Readings

SHIFT_START_S = 8 * 3600


def _day(seed: int, seconds: int, step_s: int = 1) -> list[Readings]:
    plant = Plant(seed)
    return [plant.step(float(t)) for t in range(0, seconds, step_s)]


def test_the_same_seed_gives_the_same_plant() -> None:
    """Two plants of one seed show equal values at all times, and another seed gives other values."""
    assert _day(7, 300) == _day(7, 300)
    assert _day(7, 300) != _day(8, 300)


def test_every_machine_shows_exactly_its_signals() -> None:
    """A reading has one value of the right type for each declared signal, from the first step on."""
    plant = Plant(1)
    readings = plant.step(0.0)
    for machine in plant.machines:
        reading = readings.machines[machine.name]
        assert {signal.name for signal in machine.signals} == set(reading)
        for signal in machine.signals:
            assert isinstance(reading[signal.name], str if signal.kind.is_text else float)


def test_every_meter_publishes_the_keys_of_its_medium() -> None:
    """A payload holds exactly the keys that the medium in its topic promises."""
    plant = Plant(1)
    readings = plant.step(0.0)
    for meter in plant.meters:
        assert {key.path for key in MEDIA[meter.medium]} == set(readings.meters[meter.topic])


def test_names_are_unique() -> None:
    """No two machines share a name, no two meters a topic, and no meter hides a signal of a machine."""
    plant = Plant(1)
    series = [(machine.name, signal.name) for machine in plant.machines for signal in machine.signals]
    series += [(meter.name, key.signal) for meter in plant.meters for key in MEDIA[meter.medium]]
    assert len(set(series)) == len(series)


def test_values_stay_in_their_ranges() -> None:
    """Over an hour every number lies within the EURange that the server will show for it."""
    plant = Plant(3)
    for t in range(0, 3600, 2):
        readings = plant.step(float(t))
        for machine in plant.machines:
            for signal in machine.signals:
                value = readings.machines[machine.name][signal.name]
                assert isinstance(value, str) or signal.low <= value <= signal.high, (machine.name, signal.name, value)


def test_counters_only_rise() -> None:
    """Pieces, kilowatt-hours and cubic metres never go down, and pieces are made."""
    plant = Plant(5)
    counters = [(m.name, s.name) for m in plant.machines for s in m.signals if s.kind is Kind.COUNTER]
    counted = [(m.topic, k.path) for m in plant.meters for k in MEDIA[m.medium] if k.kind is Kind.COUNTER]
    shown = [plant.step(float(t)) for t in range(0, 1200, 2)]
    for before, after in itertools.pairwise(shown):
        assert all(after.machines[m][s] >= before.machines[m][s] for m, s in counters)  # type: ignore[operator]
        assert all(after.meters[t][k] >= before.meters[t][k] for t, k in counted)
    for machine, signal in counters:
        if signal == "good_count" and not machine.startswith("furnace-2"):
            assert shown[-1].machines[machine][signal] > shown[0].machines[machine][signal]  # type: ignore[operator]


def test_power_follows_state() -> None:
    """A lathe draws less while it waits than while it cuts, and its meter says the same as the machine."""
    running, waiting = [], []
    plant = Plant(2)
    lathe = plant.machines[0]
    for t in range(4 * 3600):
        readings = plant.step(float(t))
        power_kw = readings.meters["plant/turning/line-1/cnc-1/energy"]["p"]
        assert power_kw == pytest.approx(lathe.power_kw, rel=0.05)
        (running if lathe.state is State.RUNNING else waiting).append(power_kw)
    assert sum(waiting) / len(waiting) < 0.4 * sum(running) / len(running)


def test_the_cold_furnace_warms_up_before_it_runs() -> None:
    """The second furnace starts in set-up, heats at full power, and runs only near its set point."""
    plant = Plant(1)
    furnace = next(machine for machine in plant.machines if machine.name == "furnace-2")
    assert isinstance(furnace, Furnace)
    plant.step(0.0)
    assert furnace.state is State.SETUP
    seen = []
    for t in range(1, 3600):
        reading = plant.step(float(t)).machines["furnace-2"]
        seen.append((reading["state"], reading["zone_1_temperature"], reading["methanol_flow"]))
    first_run = next(n for n, (state, _, _) in enumerate(seen) if state == State.RUNNING)
    assert 120 < first_run < 1800
    assert seen[first_run][1] > 820.0
    assert all(flow == 0.0 for _, celsius, flow in seen if celsius < 740.0)


@pytest.mark.parametrize(("start_s", "length_s"), BREAKS_S, ids=["tea", "meal", "second tea", "hand-over"])
@pytest.mark.parametrize("shift", range(3), ids=["early", "late", "night"])
def test_people_take_their_breaks(start_s: int, length_s: int, shift: int) -> None:
    """In each shift nobody is at the machines during a break, and somebody is just before it."""
    start_s += SHIFT_START_S + shift * 8 * 3600
    assert at_work(start_s - 1)
    assert not at_work(start_s)
    assert not at_work(start_s + length_s - 1)


def test_machines_stop_for_the_break_one_after_the_other() -> None:
    """All lathes stand still in the middle of the meal, but they did not stop in the same second."""
    plant = Plant(1)
    stopped: dict[str, float] = {}
    lathes: list[Machine] = list(plant.machines[:4])
    meal_s = SHIFT_START_S + BREAKS_S[1][0] - 8 * 3600 - 600  # on the clock of `step`, which starts at ten past eight
    for t in range(meal_s + 1200):
        plant.step(float(t))
        for lathe in lathes:
            if t > meal_s - 5 and lathe.state is State.IDLE:
                stopped.setdefault(lathe.name, t)
    assert len(stopped) == 4
    assert len(set(stopped.values())) > 1
