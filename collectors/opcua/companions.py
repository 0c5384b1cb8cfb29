"""Companion specifications as data: which variables of a standard model become which of our signals.

Sources: OPC 40001-1 Machinery 1.03, OPC 40501-1 MachineTool 1.02, OPC 34100 Energy Consumption Management 1.0, OPC
40001-4 Machinery Energy Management 1.0, OPC 40001-2 Process Values 1.0, OPC 40250-1 Compressed Air Systems 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MACHINERY = "http://opcfoundation.org/UA/Machinery/"
MACHINE_TOOL = "http://opcfoundation.org/UA/MachineTool/"
ENERGY = "http://opcfoundation.org/UA/ECM/"
PROFIENERGY = "http://opcfoundation.org/UA/PNEM/"
COMPRESSED_AIR = "http://opcfoundation.org/UA/CAS/"
PROCESS_VALUES = "http://opcfoundation.org/UA/Machinery/ProcessValues/"
FOLDERS_OF_MACHINES = frozenset({"Machines", "DeviceSet", "Objects", "Components", "Machinery"})


class Meaning(NamedTuple):
    """What a variable of a model is for us. `given`: the unit that the specification prescribes."""

    uri: str  # the namespace of one of the names
    names: tuple[str, ...]  # the last names of its browse path
    signal: str
    unit: str = ""
    kind: str = "gauge"
    given: str = ""
    prefers: str = ""  # the unit that we convert to, where only the server says which one it has
    says: str = ""  # what its numbers mean, for people
    rank: int = 0  # of two variables for the same signal the higher one is taken: the double before the float


def _electric(uri: str) -> list[Meaning]:
    """Measurements of an energy meter; Hp is the same counter as Lp with the precision of a double."""
    counters = (
        ("AcActiveEnergyTotalImport", "active_energy", "kWh", "Wh"),
        ("AcActiveEnergyTotalExport", "active_energy_export", "kWh", "Wh"),
        ("AcReactiveEnergyTotalImport", "reactive_energy", "kvarh", "varh"),
        ("AcReactiveEnergyTotalExport", "reactive_energy_export", "kvarh", "varh"),
        ("NeEnergyImport", "energy", "kWh", "Wh"),
    )
    levels = (
        ("AcActivePowerTotal", "active_power", "kW", "W"),
        ("AcReactivePowerTotal", "reactive_power", "kvar", "var"),
        ("AcApparentPowerTotal", "apparent_power", "kVA", "VA"),
        ("AcActivePowerPe", "active_power_phase", "kW", "W"),
        ("AcCurrentPe", "current_phase", "A", "A"),
        ("AcVoltagePe", "voltage_phase", "V", "V"),
        ("AcFrequency", "frequency", "Hz", "Hz"),
        ("AcPowerFactorTotal", "power_factor", "1", "1"),
    )
    return [
        *(
            Meaning(uri, (f"{name}{precision}",), signal, unit, "counter", given, rank=rank)
            for name, signal, unit, given in counters
            for rank, precision in enumerate(("Lp", "Hp"))
        ),
        *(Meaning(uri, (name,), signal, unit, "gauge", given) for name, signal, unit, given in levels),
    ]


def _compressed_air() -> list[Meaning]:
    """Compressors and their nets; the specification leaves the units to the server."""
    levels = {
        "ControlPressure": ("pressure", "bar"),
        "GaugePressure": ("pressure", "bar"),
        "AbsolutePressure": ("absolute_pressure", "bar"),
        "AirDeliveryRate": ("air_flow", "m³/h"),
        "VolumeFlowRate": ("volume_flow", "m³/h"),
        "MassFlowRate": ("mass_flow", "kg/h"),
        "PressureDewPoint": ("dew_point", "°C"),
        "DewPoint": ("dew_point", "°C"),
        "Temperature": ("temperature", "°C"),
        "SpecificEnergy": ("specific_energy", ""),
        "SpecificEnergyRequirement": ("specific_energy", ""),
        "Power": ("active_power", "kW"),
        "ApparentPower": ("apparent_power", "kVA"),
        "Current": ("current", "A"),
        "Voltage": ("voltage", "V"),
    }
    counters = {
        "Energy": ("active_energy", "kWh"),
        "AccumulatedVolume": ("volume", "m³"),
        "RunningTime": ("operating_time", "h"),
        "LoadedTime": ("loaded_time", "h"),
        "UnloadedTime": ("unloaded_time", "h"),
    }
    return [
        Meaning(COMPRESSED_AIR, (name,), signal, kind=kind, prefers=unit)
        for kind, table in (("gauge", levels), ("counter", counters))
        for name, (signal, unit) in table.items()
    ] + [Meaning(COMPRESSED_AIR, ("OperatingState",), "operating_state", kind="state")]


ITEM_STATES = "0 not available, 1 out of service, 2 not executing, 3 executing"
OPERATION_MODES = "0 none, 1 maintenance, 2 setup, 3 processing"

MEANINGS: tuple[Meaning, ...] = (
    *_electric(ENERGY),
    *_electric(PROFIENERGY),
    Meaning(ENERGY, ("VolumeFlowRate",), "volume_flow", "m³/h", given="m³/s"),
    Meaning(ENERGY, ("Volume",), "volume", "m³", "counter", "m³"),
    Meaning(ENERGY, ("MassFlowRate",), "mass_flow", "kg/h", given="kg/s"),
    Meaning(ENERGY, ("Mass",), "mass", "kg", "counter", "kg"),
    Meaning(ENERGY, ("Pressure",), "pressure", "bar", given="Pa"),
    Meaning(ENERGY, ("Temperature",), "temperature", "K", given="K"),
    *_compressed_air(),
    Meaning(
        MACHINERY, ("MachineryItemState", "CurrentState", "Number"), "machine_state", kind="state", says=ITEM_STATES
    ),
    Meaning(MACHINERY, ("MachineryItemState", "CurrentState"), "machine_state_name", kind="text"),
    Meaning(
        MACHINERY,
        ("MachineryOperationMode", "CurrentState", "Number"),
        "operation_mode",
        kind="state",
        says=OPERATION_MODES,
    ),
    Meaning(MACHINERY, ("MachineryOperationMode", "CurrentState"), "operation_mode_name", kind="text"),
    Meaning(MACHINERY, ("OperationCounters", "OperationDuration"), "operating_time", "h", "counter", "ms"),
    Meaning(MACHINERY, ("OperationCounters", "PowerOnDuration"), "power_on_time", "h", "counter", "ms"),
    Meaning(MACHINERY, ("OperationCounters", "OperationCycleCounter"), "cycles", "cycles", "counter"),
    Meaning(MACHINE_TOOL, ("PartsProducedInLifetime",), "parts", "pcs", "counter"),
    Meaning(MACHINE_TOOL, ("ActiveProgram", "Name"), "program", kind="text"),
    Meaning(MACHINE_TOOL, ("ActiveProgram", "State", "CurrentState"), "program_state", kind="text"),
    Meaning(MACHINE_TOOL, ("ActiveProgram", "JobIdentifier"), "job", kind="text"),
    Meaning(MACHINE_TOOL, ("Monitoring", "MachineTool", "OperationMode"), "operation_mode", kind="state"),
    Meaning(MACHINE_TOOL, ("Monitoring", "MachineTool", "FeedOverride"), "feed_override", "%"),
    Meaning(MACHINE_TOOL, ("Monitoring", "MachineTool", "IsWarmUp"), "warm_up", kind="state"),
    Meaning(MACHINE_TOOL, ("Monitoring", "MachineTool", "PowerOnDuration"), "power_on_time", "h", "counter", "h"),
)


def meaning_of(path: Sequence[tuple[str, str]]) -> Meaning | None:
    """What the variable at this browse path, (namespace URI, name) each, is by its companion specification."""
    names = tuple(name for _, name in path)
    for one in MEANINGS:
        size = len(one.names)
        if names[-size:] == one.names and any(uri == one.uri for uri, _ in path[-size - 1 :]):
            return one
    return None
