"""The register as it is carried, and what it refuses."""

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from agent.carbon.account import (
    Assignment,
    Figure,
    add,
    coal_equivalent,
    decimal_text,
    emissions,
    energy_cost,
    footprint,
    market_based,
)
from agent.carbon.energy import Amount
from agent.carbon.factors import CoalFactor, OrganisationFactor, Parameter, ProductFactor, read_register
from agent.carbon.windows import Calendar
from tests.agent.carbon.readings import KWH, SLOT_NS, ZONE, at
from tests.agent.carbon.test_tariff import YEAR

TEXT = (Path(__file__).parents[3] / "config" / "factors" / "register.csv").read_text(encoding="utf-8")
REGISTER = read_register(TEXT)
HEADER = "id,kind,value,unit,region,data_year,valid_from,valid_to,document,certainty\n"
DAY = date(2026, 3, 2)


def organisation(name: str) -> OrganisationFactor:
    return REGISTER.find(name, OrganisationFactor)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("ng_ef", "2.1622"), ("diesel_ef_guide", "3.0959"), ("gasoline_ef_guide", "2.9251"), ("lpg_ef_guide", "3.1013"),
        ("kerosene_ef_guide", "3.0334"), ("methanol_ef", "1.3735"), ("propane_ef", "2.9941"),
        ("acetylene_ef", "3.3805"),
    ],
)  # fmt: skip
def test_derived_factors_are_computed(name: str, printed: str) -> None:
    """The product of the inputs is what the tables print to four decimals."""
    value = organisation(name).value

    assert value is not None
    assert printed == decimal_text(value, 4)


def test_two_official_years_are_not_swapped() -> None:
    """2021 is 0.5568 and 2022 is 0.5366; public code has them the other way round."""
    assert [Fraction("0.5568"), Fraction("0.5366")] == [
        organisation(f"grid_co2_cn_{year}").value for year in (2021, 2022)
    ]


def test_every_value_names_its_document_and_certainty() -> None:
    """What has no citable source has no value."""
    assert [] == [f.id for f in REGISTER if f.value is not None and not (f.document and f.certainty)]
    assert ["bearing_steel", "nitrogen", "tap_water_co2"] == sorted(f.id for f in REGISTER if f.value is None)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("elec_cfp_cn_2024", OrganisationFactor, "is a factor for products .* must not be mixed"),
        ("grid_co2_cn_2023", ProductFactor, "is a factor for organisations .* must not be mixed"),
        ("ng_ncv", OrganisationFactor, "is a parameter"),
        ("grid_co2_cn_2033", OrganisationFactor, "not in the register"),
    ],
)
def test_kinds_cannot_be_mixed(name: str, kind: type, words: str) -> None:
    """A footprint factor is no inventory factor, nor the reverse."""
    with pytest.raises(ValueError, match=words):
        REGISTER.find(name, kind)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,organisation,1,kgCO2/kWh,,,,,doc,A\na,product,1,kgCO2e/kWh,,,,,doc,A", "there twice"),
        ("a,organisation,1,kgCO2/kWh,,,,,,A", "names no document"),
        ("a,organisations,1,kgCO2/kWh,,,,,doc,A", "no known kind"),
        ("a,organisation,x,kgCO2/kWh,,,,,doc,A", "cannot be read: x"),
        ("", "a CSV with the columns"),
    ],
)
def test_a_wrong_register_is_refused(rows: str, words: str) -> None:
    """In words that name the row."""
    with pytest.raises(ValueError, match=words):
        read_register(HEADER + rows)


def grid(name: str, first: date = date.min, last: date = date.max) -> Assignment[OrganisationFactor]:
    return Assignment("electricity", organisation(name), first, last)


def test_carbon_of_a_day() -> None:
    """1000 kWh in Shandong with the factor of 2023 are 619.1 kg."""
    figure = emissions({DAY: 1000 * KWH}, "electricity", [grid("grid_co2_shandong_2023")])

    assert Figure(Fraction("619.1"), ("grid_co2_shandong_2023",)) == figure


def test_a_factor_changes_with_the_year() -> None:
    """100 kWh on the last day with the old factor, 100 on the first with the new: 64.1 + 61.91."""
    found = emissions(
        {date(2025, 12, 31): 100 * KWH, date(2026, 1, 1): 100 * KWH},
        "electricity",
        [
            grid("grid_co2_shandong_2022", last=date(2025, 12, 31)),
            grid("grid_co2_shandong_2023", first=date(2026, 1, 1)),
        ],
    )

    assert ("126.010000", ("grid_co2_shandong_2022", "grid_co2_shandong_2023")) == (found.text(), found.factors)


def test_a_missing_factor_makes_it_incomplete() -> None:
    """Nothing flowed needs no factor; anything else without one is not 0 but unknown."""
    nitrogen = Assignment("nitrogen", REGISTER.find("nitrogen", ProductFactor))

    assert "0.000000" == emissions({DAY: 0}, "natural_gas", []).text()
    assert (
        Figure(None, (), ("an organisation factor for natural_gas on 2026-03-02",))
        == emissions({DAY: 1}, "natural_gas", [])
    )  # fmt: skip
    assert "" == footprint({DAY: KWH}, "nitrogen", [nitrogen]).text()


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    """The parts that are known keep their factors, what lacks is said once."""
    assert Figure(None, ("f",), ("x",)) == add([Figure(Fraction(1), ("f",)), Figure(None, (), ("x",))] * 2)


def test_coal_equivalents() -> None:
    """1000 kWh are 122.9 kgce, 100 MJ of heat 3.412, 10 Nm³ of gas 13.3, 2 t of fresh water 0.5142."""
    ids = {
        "electricity": "coal_eq_elec",
        "heat": "coal_eq_heat",
        "natural_gas": "coal_eq_ng_hi",
        "water": "coal_eq_water",
    }
    given = [Assignment(medium, REGISTER.find(name, CoalFactor)) for medium, name in ids.items()]  # type: ignore[arg-type]
    found = [
        coal_equivalent({DAY: amount * KWH}, medium, given).text(4)  # type: ignore[arg-type]
        for medium, amount in (("electricity", 1000), ("heat", 100), ("natural_gas", 10), ("water", 2))
    ]

    assert ["122.9000", "3.4120", "13.3000", "0.5142"] == found


def test_purchased_heat_is_converted_from_tonnes_a_gigajoule() -> None:
    """5 GJ at 0.11 t/GJ are 550 kg."""
    heat = [Assignment("heat", organisation("heat_default"))]

    assert "550.000000" == emissions({DAY: 5000 * KWH}, "heat", heat).text()


def test_a_factor_in_the_wrong_unit_is_refused() -> None:
    """Kg a Nm³ says nothing about electricity."""
    with pytest.raises(ValueError, match="counted in kWh"):
        emissions({DAY: KWH}, "electricity", [Assignment("electricity", organisation("ng_ef"))])


def test_market_based() -> None:
    """Of 1000 kWh a contract covers 400; the rest has the factor without traded non-fossil power: 600 x 0.6096."""
    green = OrganisationFactor("green", Fraction(0), "kgCO2/kWh", "", "", "", "", "contract", "A")
    residual = organisation("grid_co2_cn_2023_excl_market_nonfossil")

    assert "365.760000" == market_based(Fraction(1000), [(Fraction(400), green)], residual).text()
    assert "0.000000" == market_based(Fraction(300), [(Fraction(400), green)], None).text()
    assert "" == market_based(Fraction(1000), [(Fraction(400), green)], None).text()


def test_cost_follows_the_band_inside_an_hour() -> None:
    """2 kWh before 11:00 in the valley, 3 after it in the deep valley: 2 x 0.3 + 3 x 0.1 yuan."""
    from decimal import Decimal

    from agent.carbon.tariff import Prices, Tariff

    tariff = Tariff(YEAR, (Prices(date(2026, 1, 1), {"valley": Decimal("0.3"), "deep_valley": Decimal("0.1")}),))
    first = at("10:45", "2026-10-14") // SLOT_NS
    slots = {first: Amount(2 * KWH, 0, SLOT_NS), first + 1: Amount(3 * KWH, 0, SLOT_NS)}
    cost = energy_cost(slots, range(first, first + 2), Calendar(ZONE, SLOT_NS), tariff)

    assert ("0.900000", 2 * KWH, 3 * KWH) == (cost.figure.text(), cost.micro("valley"), cost.micro("deep_valley"))


def test_a_band_without_a_price_has_no_cost() -> None:
    """A price is never guessed."""
    from agent.carbon.tariff import Tariff

    slot = at("10:45") // SLOT_NS
    cost = energy_cost({slot: Amount(KWH)}, range(slot, slot + 1), Calendar(ZONE, SLOT_NS), Tariff(YEAR, ()))

    assert ("", ("a price for flat on 2026-03-02",)) == (cost.figure.text(), cost.figure.lacks)


def test_parameters_are_kept_with_their_documents() -> None:
    """What derived factors are made of can be looked up."""
    assert "GB/T 32151.34-2024 annex C" == REGISTER.find("ng_ncv", Parameter).document
