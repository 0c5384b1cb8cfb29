"""PACT ProductFootprint 3.0.3, as our own types: what the published field rules allow, and a little less.

Written from the field rules of the PACT Technical Specifications 3.0.3 (WBCSD); their text and schema are not copied.
Decimals are texts without an exponent. On top of the published rules: a footprint names where it is from at most once,
is valid only after its period and for three years at most, and its total is the sum of its parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from agent.carbon.footprint.config import REGIONS

VERSION = "3.0.3"
MOST_YEARS = 3

Text = Annotated[str, StringConstraints(min_length=1)]
Urn = Annotated[str, StringConstraints(pattern=r"^[uU][rR][nN]:[A-Za-z0-9]")]
Any_ = Annotated[str, StringConstraints(pattern=r"^[+-]?\d+(\.\d+)?$")]
Above0 = Annotated[str, StringConstraints(pattern=r"^\+?(\d*[1-9]\d*(\.\d+)?|0+\.\d*[1-9]\d*)$")]
From0 = Annotated[str, StringConstraints(pattern=r"^\+?\d+(\.\d+)?$")]
Upto0 = Annotated[str, StringConstraints(pattern=r"^(-\d+(\.\d+)?|0+(\.0+)?)$")]
Uri = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]


def _moment(text: str) -> str:
    try:
        is_aware = "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        is_aware = False
    if not is_aware:
        raise ValueError("write date, time and zone: 2026-04-01T00:00:00Z")
    return text


def _uuid(text: str) -> str:
    if str(UUID(text)) != text.lower():
        raise ValueError("write a UUID with its hyphens")
    return text


Moment = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, AfterValidator(_uuid), Field(json_schema_extra={"format": "uuid"})]


class Part(BaseModel):
    """Names as PACT writes them, and nothing that it does not know."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )

    def as_json(self) -> dict[str, object]:
        """Ready for JSON; what is not said is not there."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Rules(Part):
    """Rules of a sector or a product category."""

    operator: Literal["PEF", "EPD International", "Other"]
    rule_names: Annotated[list[Text], Field(min_length=1)]
    other_operator_name: Text | None = None


class FactorSource(Part):
    """Where secondary factors are from."""

    name: Text
    version: Text


class Ratings(Part):
    """Data quality, 1 to 5."""

    technological: Any_ = Field(alias="technologicalDQR")
    geographical: Any_ = Field(alias="geographicalDQR")
    temporal: Any_ = Field(alias="temporalDQR")

    @model_validator(mode="after")
    def _on_the_scale(self) -> Self:
        for name, field in type(self).model_fields.items():
            if not 1 <= Decimal(getattr(self, name)) <= 5:
                raise ValueError(f"{field.alias} is {getattr(self, name)}; ratings are from 1 to 5")
        return self


class Verification(Part):
    """Who looked at it."""

    coverage: Literal["PCF calculation model", "PCF program", "product level"] | None = None
    provider_name: str | None = None
    completed_at: Moment | None = None
    standard_name: str | None = None
    comments: str | None = None


_EXCLUDING = (
    "fossil_ghg_emissions",
    "land_use_change_ghg_emissions",
    "land_management_biogenic_co2_emissions",
    "land_management_biogenic_co2_removals",
    "technological_co2_removals",
    "ccs_technological_co2_capture",
    "biogenic_non_co2_emissions",
)


class CarbonFootprint(Part):
    """The figures, for the declared unit."""

    declared_unit_of_measurement: Literal[
        "liter", "kilogram", "cubic meter", "kilowatt hour", "megajoule", "ton kilometer", "square meter", "piece",
        "hour", "megabit second",
    ]  # fmt: skip
    declared_unit_amount: Above0
    product_mass_per_declared_unit: From0
    reference_period_start: Moment
    reference_period_end: Moment
    geography_region_or_subregion: Literal[REGIONS] | None = None  # type: ignore[valid-type]
    geography_country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    geography_country_subdivision: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")] | None = None
    boundary_processes_description: str | None = None
    pcf_excluding_biogenic_uptake: Any_
    pcf_including_biogenic_uptake: Any_
    fossil_carbon_content: From0
    biogenic_carbon_content: From0 | None = None
    recycled_carbon_content: From0 | None = None
    fossil_ghg_emissions: From0
    land_use_change_ghg_emissions: From0 | None = None
    land_carbon_leakage: From0 | None = None
    land_management_fossil_ghg_emissions: From0 | None = None
    land_management_biogenic_co2_emissions: From0 | None = Field(None, alias="landManagementBiogenicCO2Emissions")
    land_management_biogenic_co2_removals: Upto0 | None = Field(None, alias="landManagementBiogenicCO2Removals")
    biogenic_co2_uptake: Upto0 | None = Field(None, alias="biogenicCO2Uptake")
    biogenic_non_co2_emissions: From0 | None = Field(None, alias="biogenicNonCO2Emissions")
    land_area_occupation: From0 | None = None
    aircraft_ghg_emissions: From0 | None = None
    packaging_emissions_included: bool | None = None
    packaging_ghg_emissions: From0 | None = None
    packaging_biogenic_carbon_content: From0 | None = None
    outbound_logistics_ghg_emissions: From0 | None = None
    ccs_technological_co2_capture_included: bool | None = Field(None, alias="ccsTechnologicalCO2CaptureIncluded")
    ccs_technological_co2_capture: Upto0 | None = Field(None, alias="ccsTechnologicalCO2Capture")
    technological_co2_capture_origin: str | None = Field(None, alias="technologicalCO2CaptureOrigin")
    technological_co2_removals: Upto0 | None = Field(None, alias="technologicalCO2Removals")
    ccu_carbon_content: From0 | None = None
    ccu_calculation_approach: Literal["Cut-off", "Credit"] | None = None
    ccu_credit_certification: Uri | None = None
    ipcc_characterization_factors: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^AR\d+$")]], Field(min_length=1)
    ]
    cross_sectoral_standards: Annotated[list[Text], Field(min_length=1)]
    product_or_sector_specific_rules: Annotated[list[Rules], Field(min_length=1)] | None = None
    exempted_emissions_percent: Any_
    exempted_emissions_description: str | None = None
    allocation_rules_description: str | None = None
    secondary_emission_factor_sources: Annotated[list[FactorSource], Field(min_length=1)] | None = None
    primary_data_share: Any_ | None = None
    dqi: Ratings | None = None
    verification: Verification | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        places = (self.geography_region_or_subregion, self.geography_country, self.geography_country_subdivision)
        if sum(place is not None for place in places) > 1:
            raise ValueError("geographyCountry, geographyCountrySubdivision and geographyRegionOrSubregion: name one")
        if _at(self.reference_period_end) <= _at(self.reference_period_start):
            raise ValueError("referencePeriodEnd is not after referencePeriodStart")
        for name, text in (("exemptedEmissionsPercent", self.exempted_emissions_percent),
                           ("primaryDataShare", self.primary_data_share or "0")):  # fmt: skip
            if not 0 <= Decimal(text) <= 100:
                raise ValueError(f"{name} is {text}; a share is from 0 to 100")
        excluding = sum((Decimal(getattr(self, name) or "0") for name in _EXCLUDING), Decimal(0))
        including = excluding + Decimal(self.biogenic_co2_uptake or "0")
        if Decimal(self.pcf_excluding_biogenic_uptake) != excluding:
            raise ValueError(f"pcfExcludingBiogenicUptake is not the sum of its parts, {excluding:f}")
        if Decimal(self.pcf_including_biogenic_uptake) != including:
            raise ValueError(f"pcfIncludingBiogenicUptake is not the sum of its parts, {including:f}")
        return self


class ProductFootprint(Part):
    """A document for customers."""

    id: Id
    spec_version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+(-\d{8})?$")]
    preceding_pf_ids: Annotated[list[Id], Field(min_length=1)] | None = None
    created: Moment
    status: Literal["Active", "Deprecated"]
    validity_period_start: Moment | None = None
    validity_period_end: Moment | None = None
    company_name: Text
    company_ids: Annotated[list[Urn], Field(min_length=1)]
    product_description: str
    product_ids: Annotated[list[Urn], Field(min_length=1)]
    product_classifications: Annotated[list[Urn], Field(min_length=1)] | None = None
    product_name_company: Text
    comment: str | None = None
    pcf: CarbonFootprint
    extensions: list[dict[str, object]] | None = None

    @model_validator(mode="after")
    def _is_valid_after_its_period(self) -> Self:
        end = _at(self.pcf.reference_period_end)
        start = _at(self.validity_period_start) if self.validity_period_start else end
        until = _at(self.validity_period_end) if self.validity_period_end else None
        if start < end:
            raise ValueError("validityPeriodStart is before referencePeriodEnd")
        if until is not None and not start < until <= _years_after(end, MOST_YEARS):
            raise ValueError("validityPeriodEnd is not after the start, or more than three years after the period")
        for name in ("preceding_pf_ids", "company_ids", "product_ids", "product_classifications"):
            listed = getattr(self, name) or []
            if len(set(listed)) < len(listed):
                raise ValueError(f"{to_camel(name)} holds something twice")
        if self.id in (self.preceding_pf_ids or []):
            raise ValueError("precedingPfIds holds the id of the document itself")
        return self


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _years_after(moment: datetime, years: int) -> datetime:
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:  # 29 February
        return moment.replace(year=moment.year + years, day=28)


def utc(moment: datetime) -> str:
    """A moment as PACT writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def troubles(document: object) -> list[tuple[str, str]]:
    """Every field that is wrong with a document, and why; empty for one that keeps all rules."""
    try:
        ProductFootprint.model_validate(document)
    except ValidationError as error:
        return [(_field(one["loc"], one["msg"]), _why(one)) for one in error.errors(include_url=False)]
    return []


def _field(loc: tuple[str | int, ...], said: str) -> str:
    """The way to the field; a rule that spans fields begins with the one that breaks it."""
    way = ".".join(map(str, loc))
    first = said.removeprefix("Value error, ").split(" ", 1)[0].rstrip(",:")
    spans = said.startswith("Value error, ") and first[:1].islower() and first != first.lower()
    return ".".join(part for part in (way, first) if part) if spans else way or "the document"


def _why(error: Mapping[str, object]) -> str:
    said = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    return f"{said} (it is {given!r})" if isinstance(given, str | int | float | bool) else said


def json_schema() -> str:
    """The JSON Schema of a document, for those who check with other tools; rules that span fields are not in it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ProductFootprint.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"
