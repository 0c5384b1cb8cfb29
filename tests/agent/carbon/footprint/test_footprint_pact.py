"""The PACT document: our rules, the JSON Schema that they give, and what is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from agent.carbon.footprint.document import Refused, pact_document
from agent.carbon.footprint.pact import json_schema, troubles
from tests.agent.carbon.footprint.cases import config, entry, footprint, without

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 4, 10, 2, 0, tzinfo=UTC)
SCHEMA = json.loads(json_schema())
PUBLISHED = Path(__file__).parents[4] / "docs" / "pact-product-footprint.schema.json"


def document(**given: Any) -> dict[str, Any]:
    return pact_document(footprint(**given), config(**given), zone=SHANGHAI, created=NOW)


def by_schema(found: object) -> list[str]:
    checker = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return [error.message for error in checker.iter_errors(found)]


def test_the_document_by_hand() -> None:
    """Decimals are texts, times are UTC, the period is half open, the id follows from what is said."""
    found = document()

    assert {
        "declaredUnitOfMeasurement": "piece",
        "declaredUnitAmount": "1",
        "productMassPerDeclaredUnit": "0.1",
        "referencePeriodStart": "2026-03-01T16:00:00Z",
        "referencePeriodEnd": "2026-03-02T16:00:00Z",
        "geographyCountrySubdivision": "CN-SD",
        "pcfExcludingBiogenicUptake": "0.902333333",
        "pcfIncludingBiogenicUptake": "0.902333333",
        "fossilGhgEmissions": "0.902333333",
        "fossilCarbonContent": "0",
        "packagingEmissionsIncluded": False,
        "ipccCharacterizationFactors": ["AR6"],
        "crossSectoralStandards": ["ISO14067", "PACT-3.0"],
        "exemptedEmissionsPercent": "0",
        "primaryDataShare": "18.18",
        "dqi": {"technologicalDQR": "2.01", "geographicalDQR": "1.7", "temporalDQR": "1.11"},
    }.items() <= found["pcf"].items()
    assert ("2026-03-02T16:00:00Z", "2027-03-02T16:00:00Z") == (
        found["validityPeriodStart"], found["validityPeriodEnd"],
    )  # fmt: skip
    assert [
        {"name": "document of grease_test", "version": "2016"},
        {"name": "document of power_test", "version": "2024"},
        {"name": "document of sludge_test", "version": "2024"},
        {"name": "document of truck_test", "version": "2024"},
    ] == found["pcf"]["secondaryEmissionFactorSources"]


def test_the_document_keeps_both_rules() -> None:
    """Our own types and the JSON Schema accept it."""
    assert ([], []) == (troubles(document()), by_schema(document()))


def test_the_same_inputs_give_the_same_id() -> None:
    """An issued footprint is one document; another content is another one, which names the old."""
    first, again = document(), document()
    changed = pact_document(
        footprint(valid_years=2), config(valid_years=2), zone=SHANGHAI, created=NOW, replaces=[first["id"]]
    )

    assert first["id"] == again["id"] != changed["id"]
    assert [first["id"]] == changed["precedingPfIds"]


def test_a_document_without_ratings_has_no_dqi() -> None:
    """A rating that nobody gave is not made up; the comment says whose is missing."""
    bare = entry("supplier_footprints", "F-1", material="steel", footprint="2.05", unit="kg", document="EPD 1")
    found: dict[str, Any] = pact_document(
        footprint(ledger=(*without("F-1"), bare)), config(), zone=SHANGHAI, created=NOW
    )

    assert "dqi" not in found["pcf"]
    assert "nobody rated: steel" in found["comment"]


def test_an_incomplete_footprint_is_no_document() -> None:
    """What it lacks is said, one line each."""
    with pytest.raises(Refused) as refused:
        document(waste=[])

    assert ("incomplete, lacks a factor of treating sludge: footprint.waste in the settings",) == refused.value.reasons


Change = Callable[[dict[str, Any]], object]


def put(way: str, value: object) -> Change:
    def change(found: dict[str, Any]) -> None:
        *path, last = way.split(".")
        for step in path:
            found = found[step]
        found[last] = value

    return change


def drop(way: str) -> Change:
    def change(found: dict[str, Any]) -> None:
        *path, last = way.split(".")
        for step in path:
            found = found[step]
        del found[last]

    return change


@pytest.mark.parametrize(
    ("field", "change", "schema_too"),
    [
        pytest.param("pcf.fossilGhgEmissions", put("pcf.fossilGhgEmissions", 0.42), True, id="a number for a text"),
        pytest.param("pcf.pcfExcludingBiogenicUptake", put("pcf.pcfExcludingBiogenicUptake", "4.2e-1"), True,
                     id="an exponent"),
        pytest.param("pcf.fossilGhgEmissions", put("pcf.fossilGhgEmissions", "-1"), True, id="negative emissions"),
        pytest.param("pcf.declaredUnitAmount", put("pcf.declaredUnitAmount", "0"), True, id="nothing declared"),
        pytest.param("pcf.declaredUnitAmount", put("pcf.declaredUnitAmount", "0.000"), True, id="nothing with zeros"),
        pytest.param("pcf.declaredUnitOfMeasurement", put("pcf.declaredUnitOfMeasurement", "套"), True, id="a set"),
        pytest.param("pcf.productMassPerDeclaredUnit", drop("pcf.productMassPerDeclaredUnit"), True, id="no mass"),
        pytest.param("pcf.ipccCharacterizationFactors", put("pcf.ipccCharacterizationFactors", "AR6"), True,
                     id="AR6 outside a list"),
        pytest.param("companyIds.0", put("companyIds", ["12345"]), True, id="an id that is no URN"),
        pytest.param("productIds", put("productIds", []), True, id="no product id"),
        pytest.param("created", put("created", "2026-04-10"), False, id="a date without a time"),
        pytest.param("created", put("created", "2026-04-10T02:00:00"), False, id="a time without a zone"),
        pytest.param("id", put("id", "1"), False, id="an id that is no UUID"),
        pytest.param("status", put("status", "Draft"), True, id="a status of our own"),
        pytest.param("pcf.geographyCountry", put("pcf.geographyCountry", "CN"), False, id="two places"),
        pytest.param("validityPeriodStart", put("validityPeriodStart", "2026-01-01T00:00:00Z"), False,
                     id="valid before its period is over"),
        pytest.param("validityPeriodEnd", put("validityPeriodEnd", "2030-01-01T00:00:00Z"), False,
                     id="valid for more than three years"),
        pytest.param("pcf.referencePeriodEnd", put("pcf.referencePeriodEnd", "2026-01-01T00:00:00Z"), False,
                     id="a period that ends first"),
        pytest.param("pcf.pcfExcludingBiogenicUptake", put("pcf.fossilGhgEmissions", "0.5"), False,
                     id="a total that is not the sum"),
        pytest.param("pcf.primaryDataShare", put("pcf.primaryDataShare", "101"), False, id="more than all"),
        pytest.param("pcf.dqi.temporalDQR", put("pcf.dqi.temporalDQR", "0"), False, id="a rating beyond the scale"),
        pytest.param("pcf.secondaryEmissionFactorSources", put("pcf.secondaryEmissionFactorSources", []), True,
                     id="an empty list of sources"),
        pytest.param("pcf.fosilGhgEmissions", put("pcf.fosilGhgEmissions", "1"), True, id="a typo"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_with_its_field(field: str, change: Change, schema_too: bool) -> None:
    """The field is named as PACT writes it; what a schema can tell, ours tells too."""
    found = copy.deepcopy(document())
    change(found)

    assert field in [name for name, _ in troubles(found)]
    if schema_too:
        assert by_schema(found)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    """The schema in docs/ is made from the types."""
    assert json_schema() == PUBLISHED.read_text(encoding="utf-8")
