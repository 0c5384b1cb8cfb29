"""What else a document becomes: Catena-X, AAS, a label."""

from __future__ import annotations

import io
import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import segno
from aas_test_engines import file as aas_engine
from hypothesis import given
from hypothesis import strategies as st

from agent.carbon.footprint.aas import aas_environment, aas_package
from agent.carbon.footprint.catenax import catenax_document
from agent.carbon.footprint.document import Refused
from agent.carbon.footprint.label import label_page, label_svg, qr_content, rounded
from tests.agent.carbon.footprint.test_footprint_pact import SHANGHAI, document

CATENAX = json.loads((Path(__file__).parent / "catenax-pcf-9.0.0.schema.json").read_text(encoding="utf-8"))
ADDRESS = "https://example.com/footprints/{id}.json"


def test_catena_x_keeps_its_schema() -> None:
    """The mapping is valid under io.catenax.pcf 9.0.0, with the same figure as a number."""
    found = catenax_document(document())
    stage = found["productLifeCycleStagesAndEmissions"][0]["productionStage"][0]  # type: ignore[index]

    assert [] == [error.message for error in jsonschema.Draft4Validator(CATENAX).iter_errors(found)]
    assert 0.902333333 == stage["pcfExcludingBiogenicUptake"]


def test_the_schema_of_catena_x_would_notice() -> None:
    """The check above is one: a text for a number is an error."""
    found: dict[str, Any] = catenax_document(document())
    found["carbonContent"][0]["fossilCarbonContent"] = "0"

    assert [] != list(jsonschema.Draft4Validator(CATENAX).iter_errors(found))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"exempted_percent": "11"}, "exemptedEmissionsPercent: 11 is more than the 10", id="exempted"),
        pytest.param({"geography": "DE"}, "geographyRegionOrSubregion", id="a region that we do not know"),
    ],
)
def test_catena_x_asks_for_more(given: dict[str, Any], said: str) -> None:
    """What PACT bears and Catena-X does not is refused with the field named."""
    with pytest.raises(Refused, match=said):
        catenax_document(document(**given))


def test_the_shell_passes_the_official_checks() -> None:
    """JSON and package pass aas-test-engines for metamodel 3.0."""
    pact = document()
    for result in (
        aas_engine.check_json_data(json.loads(json.dumps(aas_environment(pact)))),
        aas_engine.check_aasx_data(zipfile.ZipFile(io.BytesIO(aas_package(pact)))),
    ):
        assert result.ok(), "\n".join(result.to_lines())


def test_the_official_checks_would_notice() -> None:
    """The check above is one: a date that is none is an error."""
    pact = {**document(), "created": "yesterday"}

    assert not aas_engine.check_json_data(json.loads(json.dumps(aas_environment(pact)))).ok()


def test_the_submodel_has_what_its_template_asks_for() -> None:
    """Every element of IDTA 02023-1-0-1 that a footprint must have, with its semantic id and type."""
    submodel: dict[str, Any] = aas_environment(document())["submodels"][0]  # type: ignore[index]
    (footprints,) = submodel["submodelElements"]
    (one,) = footprints["value"]
    idta = "https://admin-shell.io/idta/CarbonFootprint"
    found = {each["idShort"]: (meaning(each), each.get("valueType", "list"), each["value"]) for each in one["value"]}

    names = ("CarbonFootprint", "ProductCarbonFootprints", "ProductCarbonFootprint")
    assert [f"{idta}/{name}/1/0" for name in names] == [meaning(submodel), meaning(footprints), meaning(one)]
    assert {
        "PcfCalculationMethods": (f"{idta}/PcfCalculationMethods/1/0", "list"),
        "PcfCO2eq": ("0173-1#02-ABG855#003", "xs:decimal"),
        "ReferenceImpactUnitForCalculation": ("0173-1#02-ABG856#003", "xs:string"),
        "QuantityOfMeasureForCalculation": ("0173-1#02-ABG857#003", "xs:double"),
        "LifeCyclePhases": (f"{idta}/LifeCyclePhases/1/0", "list"),
        "PublicationDate": (f"{idta}/PublicationDate/1/0", "xs:dateTime"),
        "ExpirationDate": (f"{idta}/ExpirationDate/1/0", "xs:dateTime"),
    } == {name: (semantic, kind) for name, (semantic, kind, _) in found.items()}
    assert ("0.902333333", "piece", "1") == (
        found["PcfCO2eq"][2], found["ReferenceImpactUnitForCalculation"][2],
        found["QuantityOfMeasureForCalculation"][2],
    )  # fmt: skip
    assert ["0173-1#02-ABG854#003", "0173-1#02-ABG858#003"] == [
        meaning(found[name][2][0]) for name in ("PcfCalculationMethods", "LifeCyclePhases")
    ]


def meaning(element: dict[str, Any]) -> str:
    return str(element["semanticId"]["keys"][0]["value"])


def test_the_package_is_the_same_twice() -> None:
    """The same document gives the same bytes, so that a hash of it means something."""
    assert aas_package(document()) == aas_package(document())


def test_the_label_is_in_both_languages() -> None:
    """The figure with three digits, the product, and that it is the maker's own word."""
    svg = label_svg(document(), address=ADDRESS, zone=SHANGHAI).decode()
    texts = "".join(ElementTree.fromstring(svg).itertext())

    for said in (
        "产品碳足迹 Product carbon footprint",
        "0.902",
        "kgCO₂e / 件 piece",
        "非认证标识",
        "Period: 2026-03-02 – 2026-03-02",
        "Valid until: 2027-03-02",
    ):
        assert said in texts


def test_the_code_leads_to_the_document() -> None:
    """The squares of the label are those of a QR code with the document's address."""
    pact = document()
    svg = label_svg(pact, address=ADDRESS, zone=SHANGHAI).decode()
    code = segno.make(qr_content(pact, ADDRESS), error="m", micro=False)
    dark = {(x, y) for y, row in enumerate(code.matrix_iter(border=4)) for x, is_dark in enumerate(row) if is_dark}

    assert f"https://example.com/footprints/{pact['id']}.json" == qr_content(pact, ADDRESS)
    assert dark == {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1", svg)}


def test_without_an_address_the_code_says_it_itself() -> None:
    """Figure, product and the id, which follows from the content, so that a copy can be compared."""
    pact = document()
    found = json.loads(qr_content(pact, ""))

    assert (pact["id"], "0.902333333", "kgCO2e/piece") == (found["id"], found["pcf"], found["unit"])


def test_names_cannot_break_the_label() -> None:
    """What is written into the settings is text on the label, never markup."""
    pact = {**document(), "productNameCompany": "<script>&\"'", "companyName": "</svg>"}

    ElementTree.fromstring(label_svg(pact, address="", zone=SHANGHAI))
    assert b"<script>" not in label_page(pact, address="", zone=SHANGHAI)


@given(st.decimals("0.000001", 10**6, places=6))
def test_the_figure_on_the_label_is_near(value: Decimal) -> None:
    """Three digits that count, no exponent, and at most half a unit of the third digit away."""
    text = rounded(format(value, "f"))

    assert "e" not in text.lower()
    assert abs(Decimal(text) - value) <= value * Decimal("0.0051")
