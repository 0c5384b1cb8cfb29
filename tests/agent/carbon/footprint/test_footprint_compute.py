"""Footprints by hand.

A: 900 of 1,000 good pieces, so it has 0.9 of what is shared.
steel 120 kg x 2.05 = 246; grease 10 x 0.9 kg x 3 = 27; methanol 5 x 0.9 kg x 2 = 9;
transport 2 t x 320 km x 0.9 x 0.1 = 57.6; sludge 50 x 0.9 kg x 0.5 = 22.5; power 1000 x 0.9 kWh x 0.5 = 450.
Together 812.1 kg, a piece 0.902333...
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.carbon.footprint.compute import Footprint
from agent.carbon.footprint.inputs import plain, total
from agent.carbon.footprint.intensities import published, supplier_footprint
from agent.carbon.footprint.output import made
from agent.carbon.footprint.scope3 import scope3
from collectors.ledger.books import in_force
from collectors.ledger.entries import LedgerEntry
from tests.agent.carbon.footprint.cases import DAYS, LEDGER, config, entry, factor, footprint, known, statement, without


def kilograms(found: Footprint) -> dict[str, Fraction | None]:
    return {one.name: one.kg for one in found.inputs}


def test_every_input_by_hand() -> None:
    """Own inputs whole, shared ones by pieces, each with its factor; outbound transport is not in it."""
    found = footprint()

    assert {
        "steel": 246,
        "grease": 27,
        "methanol": 9,
        "truck": Fraction("57.6"),
        "sludge": Fraction("22.5"),
        "electricity (plant)": 450,
    } == kilograms(found)
    assert Fraction("812.1") / 900 == found.kg_per_piece
    assert "0.902333333" == plain(found.kg_per_piece)
    assert () == found.lacks


def test_the_stages_add_up() -> None:
    """Each stage is its inputs, a piece."""
    found = footprint()
    stages = {stage: found.stage(stage) for stage in ("materials", "transport", "energy", "gases", "waste")}  # type: ignore[arg-type]

    assert Fraction("273") / 900 == stages["materials"]
    assert found.kg_per_piece == sum(stages.values(), Fraction(0))  # type: ignore[arg-type]


def test_by_mass_by_hand() -> None:
    """A weighs 90 kg in all, B 50 kg: A has 9/14 of what is shared."""
    found = footprint(allocation="mass")

    assert 450 * Fraction(9, 14) / Fraction("0.9") == kilograms(found)["electricity (plant)"]
    assert 246 == kilograms(found)["steel"]


def test_a_weighed_run_counts_as_it_was_weighed() -> None:
    """The mass on the production row goes before pieces times mass."""
    weighed = entry("production", "P-1", product="A", good="900", mass_kg="150")
    found = footprint(ledger=(weighed, *without("P-1")), allocation="mass")

    assert 500 * Fraction(150, 200) == kilograms(found)["electricity (plant)"]


def test_energy_of_a_line_belongs_to_what_was_made_there() -> None:
    """Line l made A alone: its 600 kWh are A's, and 0.9 of the other 400."""
    runs = (entry("production", "P-1", product="A", good="900", line="l"), *without("P-1"))
    statements = [statement("1000"), statement("600", level="line", name="l")]
    found = footprint(ledger=runs, statements=statements)

    assert (300, 180) == (
        kilograms(found)["electricity (line l)"], kilograms(found)["electricity (plant without l)"],
    )  # fmt: skip


def test_lines_that_used_more_than_the_plant_make_it_incomplete() -> None:
    """A negative remainder is never spread as a credit."""
    runs = (entry("production", "P-1", product="A", good="900", line="l"), *without("P-1"))
    found = footprint(ledger=runs, statements=[statement("1000"), statement("1200", level="line", name="l")])

    assert found.kg_per_piece is None
    assert any("used more than the plant" in lack for lack in found.lacks)


@pytest.mark.parametrize(
    ("found", "lack"),
    [
        pytest.param(footprint(ledger=without("F-1")), "a footprint of steel of S on 2026-03-02", id="no footprint"),
        pytest.param(footprint(ledger=without("P-1")), "production of A in the period", id="nothing was made"),
        pytest.param(footprint(ledger=without("M-1", "M-2", "M-3")), "any materials in the period", id="no materials"),
        pytest.param(footprint(ledger=without("W-1")), "any transport in the period; book it (waybills)", id="stage"),
        pytest.param(footprint(materials=[{"name": "grease", "factor": "unknown_test"}]),
                     "the value of unknown_test", id="a factor without a value"),
        pytest.param(footprint(transport=[]), "a factor of truck", id="a mode without a factor"),
        pytest.param(footprint(waste=[]), "a factor of treating sludge", id="waste without a factor"),
        pytest.param(footprint(statements=()), "a meter of electricity", id="no meter"),
        pytest.param(footprint(statements=[statement("1000", missing=Fraction(1, 10))]),
                     "10 % of the time of the meters", id="a meter that was silent"),
        pytest.param(footprint(statements=[statement("1000", kg=None, lacks=("a product factor for electricity",))]),
                     "a product factor for electricity", id="energy without a factor"),
        pytest.param(footprint(ledger=(*LEDGER, entry("materials", "M-2", material="grease", quantity="9", unit="kg",
                                                      at_line=3))), "says different things", id="a contradiction"),
        pytest.param(footprint(ledger=(*without("P-2"), entry("production", "P-2", product="C", good="5")),
                               allocation="mass"), "the mass of C", id="another product without a mass"),
        pytest.param(footprint(ledger=(*without("M-2"), entry("materials", "M-2", material="grease", quantity="9",
                                                              unit="L"))), "is for a kg, but grease", id="units"),
    ],
)  # fmt: skip
def test_what_is_missing_is_never_0(found: Footprint, lack: str) -> None:
    """Nothing is added up where a part is not known, and the part is named."""
    assert found.kg_per_piece is None
    assert any(lack in one for one in found.lacks), found.lacks


def test_a_silence_that_is_allowed_is_borne() -> None:
    """most_missing_percent is the plant's own decision."""
    statements = [statement("1000", missing=Fraction(1, 100))]

    assert footprint(statements=statements, most_missing_percent="1").kg_per_piece is not None


def test_a_stage_may_be_left_out_with_a_reason() -> None:
    """A plant without process gases says so."""
    found = footprint(ledger=without("G-1"), leaves_out=[{"stage": "gases", "reason": "none is used"}])

    assert Fraction("803.1") / 900 == found.kg_per_piece


def test_a_correction_changes_the_footprint() -> None:
    """The corrected row counts, the old one does not."""
    mended = entry(
        "materials", "M-9", corrects="M-1", material="steel", supplier="S", quantity="100", unit="kg", product="A"
    )

    assert Fraction("812.1") - 41 == total(footprint(ledger=(*LEDGER, mended)).inputs)


def test_days_are_half_open() -> None:
    """An entry of the day after the period is not in it."""
    late = entry("materials", "M-9", day=DAYS[1], material="grease", quantity="100", unit="kg")

    assert footprint().kg_per_piece == footprint(ledger=(*LEDGER, late)).kg_per_piece


def test_a_carrier_knows_his_own_transport() -> None:
    """Intensity and document on the waybill go before the factor of the mode; without a document they do not."""
    own = entry("waybills", "W-1", direction="inbound", quantity="2000", unit="kg", distance_km="320",
                distance_kind="planned", mode="truck", intensity="0.05")  # fmt: skip
    documented = replace(own, values={**own.values, "document": "ISO 14083 report"})

    assert Fraction("57.6") == kilograms(footprint(ledger=(*without("W-1"), own)))["truck"]
    assert Fraction("28.8") == kilograms(footprint(ledger=(*without("W-1"), documented)))["truck"]


def test_primary_share_and_quality_by_hand() -> None:
    """60 % of 246 kg of 812.1; ratings weighed by kilograms: steel 2/1/1, grease 2/2/4, others."""
    quality = footprint().quality

    assert Fraction("147.6") / Fraction("812.1") == quality.primary
    technological = 246 * 2 + 27 * 2 + 9 * 3 + (Fraction("57.6") + Fraction("22.5") + 450) * 2
    geographical = 246 * 1 + 27 * 2 + 9 * 2 + (Fraction("57.6") + Fraction("22.5") + 450) * 2
    temporal = 246 * 1 + 27 * 4 + 9 * 2 + Fraction("57.6") + Fraction("22.5") + 450
    assert [technological / Fraction("812.1"), geographical / Fraction("812.1"), temporal / Fraction("812.1")] == [
        quality.ratings.technological, quality.ratings.geographical, quality.ratings.temporal,
    ]  # fmt: skip


def test_what_nobody_rated_has_no_rating() -> None:
    """A supplier without ratings leaves the whole without them, and is named."""
    bare = entry("supplier_footprints", "F-1", day=date(2026, 1, 1), material="steel", footprint="2.05", unit="kg",
                 document="EPD 1")  # fmt: skip
    quality = footprint(ledger=(*without("F-1"), bare)).quality

    assert (None, ("steel",), 0) == (quality.ratings.temporal, quality.unrated, quality.primary)


@pytest.mark.parametrize(
    ("number", "material", "supplier", "day"),
    [
        pytest.param("new", "steel", "S", date(2026, 3, 2), id="the newest of the supplier"),
        pytest.param("old", "steel", "S", date(2025, 6, 1), id="the one that held then"),
        pytest.param("any", "steel", "T", date(2026, 3, 2), id="another supplier has the one for all"),
        pytest.param(None, "steel", "S", date(2024, 1, 1), id="none held yet"),
        pytest.param(None, "brass", "S", date(2026, 3, 2), id="another material"),
    ],
)
def test_which_footprint_of_a_supplier_holds(number: str | None, material: str, supplier: str, day: date) -> None:
    """His own before one for all, the newest that is valid on the day."""
    common = {"material": "steel", "footprint": "2", "unit": "kg", "document": "d"}
    offered = [
        entry("supplier_footprints", "old", day=date(2025, 1, 1), supplier="S", **common),
        entry("supplier_footprints", "new", day=date(2026, 1, 1), supplier="S", **common),
        entry("supplier_footprints", "over", day=date(2026, 2, 1), supplier="S", valid_to="2026-02-28", **common),
        entry("supplier_footprints", "any", day=date(2026, 1, 1), **common),
    ]
    found = supplier_footprint(offered, material=material, supplier=supplier, day=day)

    assert number == (found.id.removeprefix("supplier_footprints ") if found else None)


def test_two_footprints_of_one_day_that_disagree_are_none() -> None:
    """It cannot be told which one holds, so the value is not known, and both are named."""
    other = entry("supplier_footprints", "F-9", day=date(2026, 1, 1), material="steel", supplier="S", footprint="1.5",
                  unit="kg", document="EPD 9")  # fmt: skip
    found = footprint(ledger=(*LEDGER, other))

    assert ("the value of supplier_footprints F-1 or supplier_footprints F-9",) == found.lacks


def test_a_line_that_was_silent_makes_the_rest_unknown_too() -> None:
    """What the line did not tell would be taken for the rest of the plant."""
    runs = (entry("production", "P-1", product="A", good="900", line="l"), *without("P-1"))
    statements = [statement("1000"), statement("600", level="line", name="l", missing=Fraction(1, 4))]
    found = footprint(product="B", ledger=runs, statements=statements)

    assert ("25 % of the time of the meters of electricity (plant without l)",) == found.lacks


@pytest.mark.parametrize(
    ("region", "year", "ratings"),
    [
        ("Shandong", "2026", (1, 1)),
        ("China", "2024", (2, 1)),
        ("China", "2023", (2, 2)),
        ("CN-HE", "2018", (3, 3)),
        ("Europe", "2014", (5, 4)),
        ("", "", (5, 5)),
    ],
)
def test_a_published_factor_is_rated_by_place_and_time(region: str, year: str, ratings: tuple[int, int]) -> None:
    """The pedigree matrix: how much wider the region, how many years between."""
    found = published(
        factor("f", "1", "kgCO2e/kg", region=region, data_year=year), here="CN-SD", period=date(2026, 3, 2)
    )

    assert ratings == (found.ratings.geographical, found.ratings.temporal)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 10**6)), min_size=1, max_size=8), st.booleans())
def test_shares_add_up_to_one(runs: list[tuple[str, int]], by_mass: bool) -> None:
    """Whatever was made, the parts of all products are the whole."""
    entries = [entry("production", str(n), product=name, good=str(good)) for n, (name, good) in enumerate(runs)]
    output = made(entries, by="mass" if by_mass else "pieces", mass_kg=dict.fromkeys("ABC", Fraction("0.3")))

    assert 1 == sum(output.share(name).part or 0 for name in "ABC")


@given(st.permutations(LEDGER))
def test_the_order_of_entries_does_not_matter(ledger: list[LedgerEntry]) -> None:
    """The same set of rows gives the same footprint."""
    assert footprint().kg_per_piece == footprint(ledger=ledger).kg_per_piece


def test_two_products_share_everything() -> None:
    """What A and B have together is what the plant had."""
    both = [footprint(product=name, ledger=without("M-1", "M-3")) for name in "AB"]
    whole = sum((total(one.inputs) or Fraction(0) for one in both), Fraction(0))

    assert 30 + 10 + 64 + 25 + 500 == whole


def test_scope_3_by_hand() -> None:
    """Everything that was booked, whoever it was for; what has no factor makes its category unknown."""
    books = in_force(LEDGER)
    found = scope3(books, DAYS, known(config(), LEDGER))
    lacking = scope3(books, DAYS, known(config(waste=[]), LEDGER))

    assert [246 + 30 + Fraction("202.95") + 10, 64, 25] == [figure.value for figure in found.values()]
    assert (None, ("a factor of treating sludge: footprint.waste in the settings",)) == (
        lacking["scope 3, category 5: waste"].value, lacking["scope 3, category 5: waste"].lacks,
    )  # fmt: skip
