"""A PACT document as Catena-X PCF 9.0.0: the same figures as numbers, in its own nesting. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from agent.carbon.footprint.document import Refused

SPEC = "urn:io.catenax.pcf:datamodel:version:9.0.0"
MOST_EXEMPTED = 10
_STANDARDS = {"ISO14067": "ISO 14067", "PACT-3.0": "PACT Methodology 3.0"}
_REGION = "Eastern Asia"
_COUNTRIES_OF_REGION = ("CN", "JP", "KR", "KP", "MN", "HK", "MO", "TW")


def catenax_document(pact: Mapping[str, Any]) -> dict[str, object]:
    """The PCF of a PACT document that keeps its rules. Raises Refused where Catena-X asks for more."""
    pcf: Mapping[str, Any] = pact["pcf"]
    wrong = list(_wrong(pcf))
    if wrong:
        raise Refused(wrong)
    return {
        "scopeOfPcfForm": [{"partialFullPcf": "Cradle-to-gate", "specVersion": SPEC}],
        "companyAndProductInformation": [
            {
                "companyInformation": [{"companyName": pact["companyName"], "companyIds": pact["companyIds"]}],
                "productInformation": [_product(pact, pcf)],
            }
        ],
        "pcfAssessmentAndMethodology": [
            {
                "pcfAssessmentInformation": [_assessment(pact, pcf)],
                "pcfMethodology": [_methodology(pcf)],
                "dataSourcesAndQuality": [_quality(pcf)],
            }
        ],
        "general": [{"comment": pact["comment"]}],
        "carbonContent": [{"fossilCarbonContent": _number(pcf["fossilCarbonContent"])}],
        "productLifeCycleStagesAndEmissions": [
            {
                "productionStage": [
                    {
                        "pcfExcludingBiogenicUptake": _number(pcf["pcfExcludingBiogenicUptake"]),
                        "pcfIncludingBiogenicUptake": _number(pcf["pcfIncludingBiogenicUptake"]),
                        "fossilGhgEmissions": _number(pcf["fossilGhgEmissions"]),
                    }
                ],
                "distributionStage": [{"distributionStageIncluded": False}],
                "packagingStage": [{"packagingEmissionsIncluded": pcf["packagingEmissionsIncluded"]}],
            }
        ],
    }


def _wrong(pcf: Mapping[str, Any]) -> list[str]:
    found = []
    if Decimal(pcf["exemptedEmissionsPercent"]) > MOST_EXEMPTED:
        found.append(
            f"exemptedEmissionsPercent: {pcf['exemptedEmissionsPercent']} is more than the {MOST_EXEMPTED} of Catena-X"
        )
    if _region(pcf) is None:
        found.append(
            "geographyRegionOrSubregion: Catena-X asks for the region of the country; write it as footprint.geography"
        )
    return found


def _region(pcf: Mapping[str, Any]) -> str | None:
    if "geographyRegionOrSubregion" in pcf:
        return str(pcf["geographyRegionOrSubregion"])
    country = pcf.get("geographyCountry") or pcf.get("geographyCountrySubdivision", "")[:2]
    return _REGION if country in _COUNTRIES_OF_REGION else None


def _product(pact: Mapping[str, Any], pcf: Mapping[str, Any]) -> dict[str, object]:
    found = {
        "productNameCompany": pact["productNameCompany"],
        "productIds": pact["productIds"],
        "productDescription": pact["productDescription"],
        "declaredUnitOfMeasurement": pcf["declaredUnitOfMeasurement"],
        "declaredUnitAmount": _number(pcf["declaredUnitAmount"]),
        "productMassPerDeclaredUnit": _number(pcf["productMassPerDeclaredUnit"]),
    }
    if "productClassifications" in pact:
        found["productClassifications"] = pact["productClassifications"]
    return found


def _assessment(pact: Mapping[str, Any], pcf: Mapping[str, Any]) -> dict[str, object]:
    place = {name: pcf[name] for name in ("geographyCountry", "geographyCountrySubdivision") if name in pcf}
    exempted = {"exemptedEmissionsPercent": _number(pcf["exemptedEmissionsPercent"])}
    said = pcf.get("exemptedEmissionsDescription", "No exemption")
    return {
        "technology": [
            {
                "ccsTechnologicalCO2CaptureIncluded": False,
                "boundaryProcessesDescription": pcf["boundaryProcessesDescription"],
            }
        ],
        "idAndVersion": [
            {
                "id": pact["id"],
                "version": 0,  # Catena-X does not use it
                "status": pact["status"],
                "retroOrProspectivePcfType": "Retrospective PCF",
            }
        ],
        "boundarySpecifications": [{**exempted, "exemptedEmissionsDescription": said}],
        "geography": [{"geographyRegionOrSubregion": _region(pcf), **place}],
        "time": [
            {
                "referencePeriodStart": pcf["referencePeriodStart"],
                "referencePeriodEnd": pcf["referencePeriodEnd"],
                "created": pact["created"],
                "validityPeriodStart": pact["validityPeriodStart"],
                "validityPeriodEnd": pact["validityPeriodEnd"],
            }
        ],
    }


def _methodology(pcf: Mapping[str, Any]) -> dict[str, object]:
    return {
        "standards": [
            {
                "crossSectoralStandards": [_STANDARDS.get(name, name) for name in pcf["crossSectoralStandards"]],
                "productOrSectorSpecificRules": [],
            }
        ],
        "gwpCharacterizationFactorDetails": [{"ipccCharacterizationFactors": pcf["ipccCharacterizationFactors"][0]}],
        "massBalancingInformation": [
            {
                "massBalancingUsed": False,
                "freeAttributionInMassBalancing": "not applicable",
                "massBalancingCertificateScheme": "not applicable",
            }
        ],
        "allocationInForeground": [
            {
                "allocationRulesDescription": pcf["allocationRulesDescription"],
                "allocationWasteIncineration": "polluter pays principle",
            }
        ],
    }


def _quality(pcf: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {"primaryDataShare": _number(pcf["primaryDataShare"])}
    found |= {name: _number(text) for name, text in pcf.get("dqi", {}).items()}
    if sources := pcf.get("secondaryEmissionFactorSources"):
        found["secondaryEmissionFactorSources"] = [f"{one['name']} {one['version']}" for one in sources]
    return found


def _number(text: str) -> int | float:
    """A JSON number; whole ones without a point."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)
