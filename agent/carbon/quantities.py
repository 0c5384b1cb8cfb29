"""What each medium is counted in, and how a meter's unit becomes that. Exact fractions; pure.

Gas depends on temperature and pressure: 0 °C and 20 °C are 7.3 % apart, so the reference is always named. Amounts are
kept in whole millionths of the base unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeVar

from collectors.units import quantity

MICRO = 1_000_000
NS_PER_H = 3_600 * 10**9

Medium = Literal[
    "electricity", "reactive", "heat", "natural_gas", "compressed_air", "nitrogen", "water", "steam", "methanol",
    "propane", "lpg", "diesel", "gasoline", "kerosene", "acetylene", "pieces", "mass",
]  # fmt: skip
Reference = Literal["0C", "20C", "line"]

BASE: dict[Medium, str] = {
    "electricity": "kWh",
    "reactive": "kvarh",
    "heat": "MJ",
    "natural_gas": "Nm³",
    "compressed_air": "Nm³",
    "nitrogen": "Nm³",
    "water": "t",
    "steam": "t",
    "methanol": "kg",
    "propane": "kg",
    "lpg": "kg",
    "diesel": "kg",
    "gasoline": "kg",
    "kerosene": "kg",
    "acetylene": "kg",
    "pieces": "pcs",
    "mass": "kg",
}
"""The unit that a medium's amounts are in. Nm³ means 0 °C and 101.325 kPa."""

UNBURNT: frozenset[Medium] = frozenset({"reactive", "pieces", "mass"})
"""What has neither emissions nor a coal equivalent."""

_SIZE: dict[str, Fraction] = {  # in kWh, kvarh, m³, kg, pcs
    "J": Fraction(1, 3_600_000),
    "Wh": Fraction(1, 1000),
    "kWh": Fraction(1),
    "MWh": Fraction(1000),
    "GWh": Fraction(10**6),
    "kJ": Fraction(1, 3600),
    "MJ": Fraction(10, 36),
    "GJ": Fraction(10_000, 36),
    "varh": Fraction(1, 1000),
    "kvarh": Fraction(1),
    "mL": Fraction(1, 10**6),
    "L": Fraction(1, 1000),
    "m³": Fraction(1),
    "Nm³": Fraction(1),
    "g": Fraction(1, 1000),
    "kg": Fraction(1),
    "t": Fraction(1000),
    "pcs": Fraction(1),
    "W": Fraction(1, 1000),
    "kW": Fraction(1),
    "MW": Fraction(1000),
    "kvar": Fraction(1),
    "m³/h": Fraction(1),
    "Nm³/h": Fraction(1),
    "L/h": Fraction(1, 1000),
    "kg/h": Fraction(1),
    "t/h": Fraction(1000),
}
_TOTAL_OF = {  # a rate's total over an hour
    "W": "Wh", "kW": "kWh", "MW": "MWh", "kvar": "kvarh", "m³/h": "m³", "Nm³/h": "Nm³", "L/h": "L", "kg/h": "kg",
    "t/h": "t", "pcs/h": "pcs",
}  # fmt: skip
_ZERO_C = Fraction("273.15")
_ATMOSPHERE_KPA = Fraction("101.325")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be known to turn volume into normal volume or mass; nothing is assumed."""

    reference: Reference | None = None
    temperature_c: Fraction | None = None  # of gas at line conditions
    pressure_kpa: Fraction | None = None  # absolute
    density_kg_per_m3: Fraction | None = None
    heat_kj_per_kg: Fraction | None = None  # of steam, less what its water held


def normal(conditions: Conditions) -> Fraction:
    """How many Nm³ (0 °C, 101.325 kPa) one m³ at these conditions is; ideal gas. Raises ValueError for people."""
    match conditions.reference:
        case "0C":
            return Fraction(1)
        case "20C":
            return _ZERO_C / (_ZERO_C + 20)
        case "line":
            if conditions.temperature_c is None or conditions.pressure_kpa is None:
                raise ValueError(
                    "gas at line conditions cannot be converted; give temperature_c and the absolute pressure_kpa"
                )
            return conditions.pressure_kpa / _ATMOSPHERE_KPA * _ZERO_C / (_ZERO_C + conditions.temperature_c)
    raise ValueError("the reference of a gas volume is missing; write reference: 0C, 20C or line (7.3 % lie between)")


def scale(unit: str, medium: Medium, conditions: Conditions) -> Fraction:
    """How many base units of the medium one `unit` (or, for a rate, one unit over an hour) is.

    Raises ValueError for people where the two do not fit or something must be known first.
    """
    unit = _TOTAL_OF.get(unit, unit)
    base = BASE[medium]
    if unit not in _SIZE:
        raise ValueError(f"{unit or 'a value without a unit'} says nothing about {medium}; it is counted in {base}")
    if base == "Nm³":
        if quantity(unit) == "volume":
            if unit == "Nm³" and conditions.reference == "line":
                raise ValueError("Nm³ is not at line conditions; write reference: 0C or 20C, as the meter's plate says")
            return _SIZE[unit] * normal(conditions)
    elif quantity(unit) == quantity(base):
        return _SIZE[unit] / _SIZE[base]
    elif quantity(base) == "mass" and quantity(unit) == "volume" and unit != "Nm³":
        if conditions.density_kg_per_m3 is None:
            raise ValueError(f"{unit} of {medium} has no known mass; give density_kg_per_m3")
        return _SIZE[unit] * conditions.density_kg_per_m3 / _SIZE[base]
    elif medium == "heat" and quantity(unit) == "mass":
        if conditions.heat_kj_per_kg is None:
            raise ValueError(f"{unit} of steam has no known heat; give heat_kj_per_kg, its enthalpy less the water's")
        return _SIZE[unit] * conditions.heat_kj_per_kg / 1000
    raise ValueError(f"{unit} cannot count {medium}; it is counted in {base} or what converts to it")


def ratio(unit: str, to: str) -> Fraction:
    """How many `to` one `unit` of the same quantity is. Raises ValueError where they measure different things."""
    if unit == to:
        return Fraction(1)
    if unit not in _SIZE or to not in _SIZE or quantity(unit) != quantity(to) or "Nm³" in (unit, to):
        raise ValueError(f"{unit} and {to} do not measure the same")
    return _SIZE[unit] / _SIZE[to]


K = TypeVar("K")


def divide(whole: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Whole parts in proportion to the weights, which add up to the whole; nothing where all weights are 0."""
    total = sum(weights.values())
    parts: dict[K, int] = {}
    done = given = 0
    for name, weight in weights.items():
        if total:
            done += weight
            parts[name] = whole * done // total - given
            given += parts[name]
    return parts
