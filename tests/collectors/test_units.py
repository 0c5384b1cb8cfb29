"""Units as plants write them."""

import pytest

from collectors.units import cannot_count, canonical, quantity


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        *(("kWh", "kWh"), ("KWH", "kWh"), ("千瓦时", "kWh"), ("度", "kWh"), (" kW ", "kW"), ("MW", "MW"), ("mW", "mW")),
        *(
            ("℃", "°C"),
            ("Nm3", "Nm³"),
            ("Nm", "N·m"),
            ("nm", "nm"),
            ("μm", "µm"),
            ("m3/h", "m³/h"),
            ("吨标准煤", "tce"),
        ),
        *(("r/min", "rpm"), ("转/分", "rpm"), ("件", "pcs"), ("％", "%"), ("", ""), ("1", "1"), ("{盘}", "{盘}")),
    ],
)
def test_spellings_become_one(written: str, unit: str) -> None:
    """Case, width, language and habit do not matter where the meaning is clear."""
    assert unit == canonical(written)


@pytest.mark.parametrize(
    ("written", "hint"),
    [("kWW", "'kW'"), ("kwhh", "'kWh'"), ("mw", "'MW' or 'mW'"), ("pallets", "{pallet}"), ("{}", "{pallet}")],
)
def test_an_unknown_unit_is_refused_with_a_hint(written: str, hint: str) -> None:
    """The nearest known units are named; where a spelling has two meanings, both."""
    with pytest.raises(ValueError, match="is not known; ") as caught:
        canonical(written)

    assert hint in str(caught.value)


def test_only_totals_can_be_counted() -> None:
    """A counter of energy, pieces or nothing in particular is fine, one of power or temperature is not."""
    assert ["", "", "", ""] == [cannot_count(unit) for unit in ("kWh", "pcs", "", "{pallet}")]
    assert "kWh" in cannot_count("kW")
    assert "kind: gauge" in cannot_count("°C")


def test_a_unit_knows_its_quantity() -> None:
    """Known units say what they measure, a plant's own does not."""
    assert ("energy", "volume", None) == (quantity("MJ"), quantity("Nm³"), quantity("{pallet}"))
