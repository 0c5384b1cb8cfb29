"""What is a machine, what is a meter."""

import pytest

from agent.dashboard.plant import Supply, mains, medium_of, sort_out
from collectors.points import Kind, Series


def series(
    machine: str, signal: str, unit: str = "", kind: Kind = Kind.GAUGE, *, area: str = "a", line: str = "l"
) -> Series:
    return Series("p", area, line, machine, signal, unit, kind)


def names(catalogue: list[Series]) -> list[tuple[str, bool]]:
    return [(thing.name, thing.is_meter) for thing in sort_out(catalogue, own="raceway")]


def test_a_state_makes_a_machine_even_with_its_own_meter() -> None:
    """A lathe that also counts its energy stays a machine; what only counts is a meter."""
    catalogue = [
        series("cnc-1", "active_energy", "kWh", Kind.COUNTER),
        series("cnc-1", "state", kind=Kind.STATE),
        series("incomer", "active_energy", "kWh", Kind.COUNTER),
    ]

    assert names(catalogue) == [("cnc-1", False), ("incomer", True)]


def test_without_state_and_counter_it_is_shown_as_a_machine() -> None:
    """A single temperature is not a meter."""
    assert names([series("oven", "temperature", "°C")]) == [("oven", False)]


def test_the_agent_itself_and_the_gaps_of_sources_are_left_out() -> None:
    """Signals without a place that speak of the agent are not of the plant."""
    catalogue = [
        series("raceway", "up", "s", area="", line=""),
        series("machines", "gap", kind=Kind.EVENT, area="", line=""),
        series("cnc-1", "state", kind=Kind.STATE, area="", line=""),
    ]

    assert names(catalogue) == [("cnc-1", False)]


def test_order_is_areas_as_seen_and_machines_by_number() -> None:
    """cnc-2 comes before cnc-10, and the area that was heard first comes first."""
    catalogue = [series(name, "x", area=area) for area, name in (("z", "cnc-10"), ("a", "b"), ("z", "cnc-2"))]

    assert [name for name, _ in names(catalogue)] == ["cnc-2", "cnc-10", "b"]


def test_the_signal_called_state_is_the_state() -> None:
    """A mode before it does not take its place."""
    (thing,) = sort_out([series("m", "mode", kind=Kind.STATE), series("m", "state", kind=Kind.STATE)], own="")

    assert thing.state == 1


def test_the_meter_of_a_furnace_is_its_active_power_and_not_its_heater() -> None:
    """Of several signals in kW the meter's own is taken; a flow without a counter is no supply."""
    catalogue = [
        series("furnace", "heating_power", "kW"),
        series("furnace", "methanol_flow", "L/h"),
        series("furnace", "active_power", "kW"),
        series("furnace", "active_energy", "kWh", Kind.COUNTER),
    ]

    assert sort_out(catalogue, own="")[0].supplies == [Supply("electricity", rate=2, total=3)]


@pytest.mark.parametrize(
    ("machine", "signal", "line", "expected"),
    [
        ("gas-1", "volume", "", "gas"),
        ("燃气表", "累计流量", "", "gas"),
        ("compressor-1", "volume", "", "air"),
        ("压缩空气总表", "累计", "", "air"),
        ("m-7", "volume", "water", "water"),
        ("3号水表", "累计", "", "water"),
        ("m-7", "steam_mass", "", "steam"),
        ("m-7", "volume", "", "other"),
    ],
)
def test_medium_from_names(machine: str, signal: str, line: str, expected: str) -> None:
    """English and Chinese words say what flows."""
    assert medium_of(series(machine, signal, "m³", Kind.COUNTER, area="", line=line)) == expected


def test_the_whole_plant_is_its_main_meter() -> None:
    """With an incomer its energy counts; without one all meters of one unit are added."""
    machines = [series(f"m{i}", "energy", "kWh", Kind.COUNTER) for i in (1, 2)]
    odd = [series("m3", "energy", "MWh", Kind.COUNTER)]
    incomer = [series("incomer-1", "energy", "kWh", Kind.COUNTER)]

    added = mains(sort_out(machines + odd, own=""), machines + odd)
    main = mains(sort_out(machines + incomer, own=""), machines + incomer)

    assert (added["electricity"]["totals"], main["electricity"]["totals"]) == ([0, 1], [2])
