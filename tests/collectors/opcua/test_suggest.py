"""Units by their codes, companion specifications, and the rows that are suggested for browsed variables."""

from __future__ import annotations

import pytest
from asyncua import ua

from collectors.opcua.browse import Variable
from collectors.opcua.companions import COMPRESSED_AIR, ENERGY, MACHINE_TOOL, MACHINERY, MEANINGS
from collectors.opcua.eu import CEFACT, contradiction, ratio, unit_of
from collectors.opcua.suggest import difference, rows
from collectors.units import cannot_count, canonical

OURS = "http://maker.example/"


def variable(
    path: str, base: str = "Double", *, uri: str = OURS, unit: str = "", kind: str = "", **more: object
) -> Variable:
    """A variable below objects that are machines, not folders."""
    names = path.split("/")
    steps = tuple((uri, name) for name in names)
    objects = (True,) * (len(names) - 1)
    made = Variable(ua.NodeId(path, 2), f"nsu={uri};s={path}", steps, objects, type=kind or base, base=base, unit=unit)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_every_unit_of_the_tables_is_one_of_ours() -> None:
    """What a code or a specification gives is written as everywhere else."""
    units = [*CEFACT.values(), *(unit for one in MEANINGS for unit in (one.unit, one.given, one.prefers))]

    assert [canonical(unit) for unit in units] == units
    assert [one for one in MEANINGS if one.kind == "counter" and cannot_count(one.unit)] == []
    assert [one for one in MEANINGS if one.given and ratio(one.given, one.unit) is None] == []


@pytest.mark.parametrize(
    ("unit_id", "display", "unit"),
    [
        pytest.param(4937544, "", "kWh", id="KWH"),
        pytest.param(5720146, "watt hour", "Wh", id="WHR"),
        pytest.param(18262, "", "GJ", id="GV is the gigajoule"),
        pytest.param(18250, "g/ml", "", id="GJ is grams a millilitre"),
        pytest.param(-1, "℃", "°C", id="no code, as it is shown"),
        pytest.param(0, "furlongs", "", id="unknown"),
    ],
)
def test_units_by_code_or_by_name(unit_id: int, display: str, unit: str) -> None:
    """The code first, then what the server shows; never a guess."""
    assert unit_of(unit_id, display) == unit


@pytest.mark.parametrize(
    ("server", "wanted", "scale", "says"),
    [
        pytest.param("kW", "kW", 1, "", id="the same"),
        pytest.param("Wh", "kWh", 0.001, "", id="converted"),
        pytest.param("Wh", "kWh", 1, "write scale: 0.001", id="not converted"),
        pytest.param("Wh", "kWh", 1000, "write scale: 0.001", id="converted the wrong way"),
        pytest.param("°C", "kW", 1, "correct unit: or node:", id="something else"),
        pytest.param("kW", "kW", 40, "", id="a transformer ratio"),
        pytest.param("V", "°C", 0.1, "", id="a sensor that is scaled"),
        pytest.param("", "kW", 1, "", id="the server says nothing"),
        pytest.param("pcs", "{pallet}", 1, "", id="a unit of the plant"),
    ],
)
def test_a_unit_that_contradicts_is_refused(server: str, wanted: str, scale: float, says: str) -> None:
    """Unless the configured factor makes it right."""
    said = contradiction(server, wanted, scale=scale, offset=0)

    assert says in said
    assert bool(said) == bool(says)


def test_names_and_kinds_are_suggested() -> None:
    """The machine is the first object that is no folder; numbers that only rise are counters."""
    made = rows(
        [
            variable("Lathe-1/Spindle/ActSpeed", unit="rpm"),
            variable("Lathe-1/TotalEnergy", unit="kWh", historizing=True, range=(0.0, 1e6)),
            variable("Lathe-1/Running", "Boolean"),
            variable("Lathe-1/Mode", "Int32", kind="MachineMode"),
            variable("Lathe-1/Program", "String"),
            variable("Lathe-1/Axes", length=3),
            variable("Lathe-1/Tool", "ExtensionObject"),
            variable("磨床1/主轴转速"),
        ]
    )
    found = {(row.machine, row.signal): (row.kind, row.unit, row.elements) for row in made}

    assert found == {
        ("Lathe-1", "spindle_act_speed"): ("gauge", "rpm", ""),
        ("Lathe-1", "total_energy"): ("counter", "kWh", ""),
        ("Lathe-1", "running"): ("state", "", ""),
        ("Lathe-1", "mode"): ("state", "", ""),
        ("Lathe-1", "program"): ("text", "", ""),
        ("Lathe-1", "axes"): ("gauge", "", "3"),
        ("# Lathe-1", "tool"): ("gauge", "", ""),
        ("磨床1", "主轴转速"): ("gauge", "", ""),
    }
    assert [(row.historizing, row.range) for row in made if row.signal == "total_energy"] == [("yes", "0 to 1e+06")]


def test_companion_specifications_are_recognised() -> None:
    """Wh become kWh, the precise counter is taken, states and parts have the names that we use."""
    made = rows(
        [
            variable("Press/Meter/AcActiveEnergyTotalImportLp", "Float", uri=ENERGY),
            variable("Press/Meter/AcActiveEnergyTotalImportHp", uri=ENERGY),
            variable("Press/Meter/AcActivePowerTotal", "Float", uri=ENERGY, unit="W"),
            variable("Press/Monitoring/MachineryItemState/CurrentState", "LocalizedText", uri=MACHINERY),
            variable("Press/Production/PartsProducedInLifetime", "UInt64", uri=MACHINE_TOOL),
        ]
    )
    found = {(row.machine, row.signal): (row.kind, row.unit, row.scale) for row in made}

    assert found == {
        ("# Press", "active_energy"): ("counter", "kWh", "0.001"),
        ("Press", "active_energy"): ("counter", "kWh", "0.001"),
        ("Press", "active_power"): ("gauge", "kW", "0.001"),
        ("Press", "machine_state_name"): ("text", "", ""),
        ("Press", "parts"): ("counter", "pcs", ""),
    }
    assert [row.browse_path for row in made if row.signal == "active_energy" and row.machine == "Press"] == [
        "Press/Meter/AcActiveEnergyTotalImportHp"
    ]


def test_a_unit_that_only_the_server_knows_is_not_guessed() -> None:
    """Compressed air systems say their units themselves: converted where one is said, left open where none is."""
    power = variable("Compressor/Circuit/Power", uri=COMPRESSED_AIR, unit="W")
    energy = variable("Compressor/Circuit/Energy", uri=COMPRESSED_AIR)
    found = {row.signal: (row.kind, row.unit, row.scale) for row in rows([power, energy])}

    assert found == {"active_power": ("gauge", "kW", "0.001"), "active_energy": ("counter", "", "")}


def test_no_two_signals_share_a_name() -> None:
    """The parent's name tells them apart, a number where that does not."""
    made = rows([variable("A/X-1/v"), variable("A/X_1/v"), variable("A/Y/AcActivePowerTotal", uri=ENERGY)])
    more = rows([variable("A/Y/AcActivePowerTotal", uri=ENERGY), variable("A/Z/AcActivePowerTotal", uri=ENERGY)])

    assert sorted(row.signal for row in made) == ["active_power", "x_1_x_1_v", "x_1_x_1_v_2"]
    assert sorted(row.signal for row in more) == ["y_active_power", "z_active_power"]


def test_a_difference_names_what_is_gone_new_and_changed() -> None:
    """By node id: names in the list may have been edited."""
    now = rows([variable("A/kept"), variable("A/changed", "Int32"), variable("A/new")])
    listed = [(f"nsu={OURS};s=A/{name}", "Double") for name in ("kept", "changed", "gone")]
    found = difference(listed, now)

    assert found.gone == [f"nsu={OURS};s=A/gone"]
    assert [row.browse_path for row in found.new] == ["A/new"]
    assert found.changed == [(f"nsu={OURS};s=A/changed", "Double", "Int32")]
