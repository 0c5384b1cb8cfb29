"""What can be set about footprints of products. Nothing about emissions has a default."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from agent.carbon.quantities import Medium
from collectors.settings import Settings

Stage = Literal["materials", "transport", "energy", "gases", "waste"]
STAGES: tuple[Stage, ...] = ("materials", "transport", "energy", "gases", "waste")

REGIONS = (
    "Africa", "Americas", "Asia", "Europe", "Oceania", "Australia and New Zealand", "Central Asia", "Eastern Asia",
    "Eastern Europe", "Latin America and the Caribbean", "Melanesia", "Micronesia", "Northern Africa",
    "Northern America", "Northern Europe", "Polynesia", "South-eastern Asia", "Southern Asia", "Southern Europe",
    "Sub-Saharan Africa", "Western Asia", "Western Europe",
)  # fmt: skip
"""Regions of the United Nations that PACT knows."""

COUNTRY = re.compile(r"[A-Z]{2}")
SUBDIVISION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")


def _place(text: str) -> str:
    if not (COUNTRY.fullmatch(text) or SUBDIVISION.fullmatch(text) or text in REGIONS):
        raise ValueError(
            f"'{text}' is no place; write a subdivision (CN-SD), a country (CN) or a region (Eastern Asia)"
        )
    return text


def _urn(text: str) -> str:
    if not re.fullmatch(r"[uU][rR][nN]:[A-Za-z0-9][A-Za-z0-9-]{0,31}:.+", text):
        raise ValueError(f"'{text}' is no URN; write one like urn:pact:example.com:supplier-id:6205-2RS")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200)]
Urns = Annotated[tuple[Annotated[str, AfterValidator(_urn)], ...], Field(min_length=1)]
Amount = Annotated[Decimal, Field(ge=0)]
Percent = Annotated[Decimal, Field(ge=0, le=100)]


class CompanyConfig(Settings):
    """Who makes the products."""

    name: Name
    """Name of the company."""
    ids: Urns
    """URNs that identify it: urn:pact:example.com:unified-social-credit-code:..."""


class FactorOf(Settings):
    """Which product factor something has that brings no footprint of its own."""

    name: Name
    """As the ledger calls it: the material, the mode of transport, or the waste."""
    factor: Name
    """Id of a product factor in the register."""


class LeftOut(Settings):
    """A part that the footprint does not hold."""

    stage: Stage
    """materials, transport, energy, gases or waste."""
    reason: Name
    """Why; it stands in the document."""


class ProductConfig(Settings):
    """One product."""

    number: Name
    """As the ledger calls it."""
    name: Name
    """Its name in trade."""
    description: Name
    """What it is and how it is made."""
    ids: Urns
    """URNs that identify it: urn:pact:example.com:supplier-id:6205-2RS."""
    classifications: tuple[Annotated[str, AfterValidator(_urn)], ...] = ()
    """URNs of classes that it belongs to."""
    mass_kg: Annotated[Decimal, Field(gt=0)]
    """Mass of one piece without packaging, kg."""
    fossil_carbon_kg: Amount
    """Carbon of fossil origin in one piece (plastics, grease), kg."""
    packaging_included: bool
    """Whether the materials that are booked for it include its packaging."""


class FootprintConfig(Settings):
    """Footprints of products."""

    company: CompanyConfig
    """Who makes them."""
    geography: Annotated[str, AfterValidator(_place)]
    """Where: a subdivision (CN-SD), a country (CN) or a region (Eastern Asia)."""
    allocation: Literal["pieces", "mass"]
    """How what was booked for no single product is divided: by good pieces, or by their mass."""
    energy: tuple[Medium, ...] = Field(min_length=1)
    """Media that are bought. What the plant makes of them itself, like compressed air, is in them already."""
    materials: tuple[FactorOf, ...] = ()
    """Factors of materials whose supplier gives no footprint."""
    transport: tuple[FactorOf, ...] = ()
    """Factors of modes of transport, in kgCO2e/t·km, where the carrier gives none."""
    waste: tuple[FactorOf, ...] = ()
    """Factors of treating waste."""
    leaves_out: tuple[LeftOut, ...] = ()
    """Parts that it does not hold. Any other part without an entry makes it incomplete."""
    exempted_percent: Percent = Decimal(0)
    """How much of the emissions is left out, %, as somebody estimated it."""
    most_missing_percent: Percent = Decimal(0)
    """How much of the time of its meters may be missing, %; with more the footprint is incomplete."""
    valid_years: int = Field(1, ge=1, le=3)
    """How many years after its period it is valid."""
    address: str = Field("", max_length=500)
    """Where customers find the document, for the QR code: https://example.com/footprints/{id}.json."""
    products: tuple[ProductConfig, ...] = Field(min_length=1)
    """The products."""

    def product(self, number: str) -> ProductConfig | None:
        """The product of that number."""
        return next((one for one in self.products if one.number == number), None)
