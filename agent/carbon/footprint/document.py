"""A footprint as a PACT document. Refuses what is incomplete, and what breaks a rule of the format. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from fractions import Fraction
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from agent.carbon.footprint.compute import Footprint
from agent.carbon.footprint.config import COUNTRY, STAGES, SUBDIVISION, FootprintConfig, Stage
from agent.carbon.footprint.inputs import plain
from agent.carbon.footprint.pact import VERSION, troubles, utc

WORDS: Mapping[Stage, str] = {
    "materials": "purchased materials",
    "transport": "inbound transport",
    "energy": "own energy",
    "gases": "process gases",
    "waste": "treatment of waste",
}


class Refused(Exception):
    """No document: what is lacking, or which fields are wrong; one line each, for people."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


def pact_document(
    found: Footprint, config: FootprintConfig, *, zone: ZoneInfo, created: datetime, replaces: Sequence[str] = ()
) -> dict[str, object]:
    """The ProductFootprint of a complete footprint. The same inputs give the same id. Raises Refused."""
    kg = found.kg_per_piece
    if kg is None:
        raise Refused([f"incomplete, lacks {lack}" for lack in found.lacks] or ["incomplete"])
    start, end = (utc(datetime.combine(day, time(), zone)) for day in found.days)
    product = found.product
    said: dict[str, object] = {
        "specVersion": VERSION,
        "status": "Active",
        "validityPeriodStart": end,
        "validityPeriodEnd": utc(datetime.combine(_later(found.days[1], config.valid_years), time(), zone)),
        "companyName": config.company.name,
        "companyIds": list(config.company.ids),
        "productDescription": product.description,
        "productIds": list(product.ids),
        "productNameCompany": product.name,
        "comment": _comment(found),
        "pcf": _pcf(found, config, kg, start, end),
    }
    if product.classifications:
        said["productClassifications"] = list(product.classifications)
    if replaces:
        said["precedingPfIds"] = list(replaces)
    name = uuid5(NAMESPACE_URL, json.dumps(said, sort_keys=True, ensure_ascii=False))
    document = {"id": str(name), "created": utc(created), **said}
    if wrong := troubles(document):
        raise Refused([f"{field}: {why}" for field, why in wrong])
    return document


def _pcf(found: Footprint, config: FootprintConfig, kg: Fraction, start: str, end: str) -> dict[str, object]:
    figure, quality = plain(kg), found.quality
    left_out = "; ".join(f"{WORDS[one.stage]}: {one.reason}" for one in config.leaves_out)
    pcf: dict[str, object] = {
        "declaredUnitOfMeasurement": "piece",
        "declaredUnitAmount": "1",
        "productMassPerDeclaredUnit": f"{found.product.mass_kg:f}",
        "referencePeriodStart": start,
        "referencePeriodEnd": end,
        **_geography(config.geography),
        "boundaryProcessesDescription": _boundary(found),
        "pcfExcludingBiogenicUptake": figure,
        "pcfIncludingBiogenicUptake": figure,
        "fossilGhgEmissions": figure,
        "fossilCarbonContent": f"{found.product.fossil_carbon_kg:f}",
        "packagingEmissionsIncluded": found.product.packaging_included,
        "ipccCharacterizationFactors": ["AR6"],
        "crossSectoralStandards": ["ISO14067", "PACT-3.0"],
        "exemptedEmissionsPercent": f"{config.exempted_percent:f}",
        "allocationRulesDescription": found.method,
        "primaryDataShare": plain(quality.primary * 100, 2),
    }
    if left_out:
        pcf["exemptedEmissionsDescription"] = left_out
    if sources := list(_secondary(found)):
        pcf["secondaryEmissionFactorSources"] = sources
    rated = quality.ratings
    if rated.technological is not None and rated.geographical is not None and rated.temporal is not None:
        pcf["dqi"] = {
            "technologicalDQR": plain(rated.technological, 2),
            "geographicalDQR": plain(rated.geographical, 2),
            "temporalDQR": plain(rated.temporal, 2),
        }
    return pcf


def _geography(place: str) -> dict[str, object]:
    if SUBDIVISION.fullmatch(place):
        return {"geographyCountrySubdivision": place}
    return {"geographyCountry": place} if COUNTRY.fullmatch(place) else {"geographyRegionOrSubregion": place}


def _boundary(found: Footprint) -> str:
    parts = []
    for stage in STAGES:
        names = dict.fromkeys(one.name for one in found.inputs if one.stage == stage)
        if names:
            parts.append(f"{WORDS[stage]} ({', '.join(names)})")
    return f"Cradle to gate: {'; '.join(parts)}."


def _secondary(found: Footprint) -> Iterable[dict[str, str]]:
    published = {
        (one.document, one.version) for each in found.inputs for one in each.intensities if one.is_secondary
    }  # fmt: skip
    return ({"name": name, "version": version} for name, version in sorted(published))


def _comment(found: Footprint) -> str:
    said = [
        "All emissions are reported as fossil; biogenic emissions and removals were not told apart.",
        "Primary data: quantity and footprint both from the plant or its supplier.",
        f"{plain(found.good)} good pieces in the period.",
    ]
    if found.quality.unrated:
        said.append(f"No data quality ratings, because nobody rated: {', '.join(found.quality.unrated)}.")
    else:
        said.append("Data quality from 1 (best) to 5 after the pedigree matrix of US EPA (2016), weighed by emissions.")
    return " ".join(said)


def _later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)
