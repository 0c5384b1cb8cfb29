"""Units become what a medium is counted in, or are refused in words."""

from fractions import Fraction

import pytest

from agent.carbon.quantities import Conditions, ratio, scale

PLAIN = Conditions()
LINE = Conditions("line", Fraction(20), Fraction("202.65"))


@pytest.mark.parametrize(
    ("unit", "medium", "conditions", "expected"),
    [
        ("Wh", "electricity", PLAIN, Fraction(1, 1000)),
        ("MWh", "electricity", PLAIN, Fraction(1000)),
        ("MJ", "electricity", PLAIN, Fraction(10, 36)),
        ("kW", "electricity", PLAIN, Fraction(1)),
        ("GJ", "heat", PLAIN, Fraction(1000)),
        ("kWh", "heat", PLAIN, Fraction(36, 10)),
        ("m³", "natural_gas", Conditions("0C"), Fraction(1)),
        ("m³", "natural_gas", Conditions("20C"), Fraction(27315, 29315)),
        ("m³", "natural_gas", LINE, 2 * Fraction(27315, 29315)),
        ("Nm³/h", "nitrogen", Conditions("0C"), Fraction(1)),
        ("L", "diesel", Conditions(density_kg_per_m3=Fraction(840)), Fraction(84, 100)),
        ("m³", "water", Conditions(density_kg_per_m3=Fraction(1000)), Fraction(1)),
        ("kg", "steam", PLAIN, Fraction(1, 1000)),
    ],
    ids=str,
)
def test_units_of_media(unit: str, medium: str, conditions: Conditions, expected: Fraction) -> None:
    """One unit of the meter is so many of the medium's own, exactly."""
    assert expected == scale(unit, medium, conditions)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit", "medium", "conditions", "words"),
    [
        ("m³", "natural_gas", PLAIN, "reference of a gas volume is missing"),
        ("m³", "natural_gas", Conditions("line"), "temperature_c and the absolute pressure_kpa"),
        ("Nm³", "natural_gas", Conditions("line"), "not at line conditions"),
        ("L", "diesel", PLAIN, "density_kg_per_m3"),
        ("m³", "electricity", PLAIN, "cannot count electricity"),
        ("kW", "natural_gas", Conditions("0C"), "cannot count natural_gas"),
        ("°C", "electricity", PLAIN, "says nothing about"),
        ("", "electricity", PLAIN, "without a unit"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(unit: str, medium: str, conditions: Conditions, words: str) -> None:
    """Nothing about gas, density or units is assumed."""
    with pytest.raises(ValueError, match=words):
        scale(unit, medium, conditions)  # type: ignore[arg-type]


def test_a_unit_in_another() -> None:
    """1 kWh is 3.6 MJ; energy and mass have no ratio, and neither have m³ and Nm³."""
    assert Fraction(36, 10) == ratio("kWh", "MJ")
    for unit, to in (("kWh", "kg"), ("m³", "Nm³")):
        with pytest.raises(ValueError, match="do not measure the same"):
            ratio(unit, to)
