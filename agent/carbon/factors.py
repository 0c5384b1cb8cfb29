"""The factor register: every number with its document, and kinds that cannot be mixed. Pure.

The CO2 of grid power (for an organisation) and the life-cycle footprint of power (for a product) are both official,
both in kg a kWh, and different. Here they are different types: a function for one does not take the other.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from agent.carbon.quantities import BASE, Medium, ratio


@dataclass(frozen=True, slots=True)
class Factor:
    """A number from a document. `value` is None where no citable one was found: what needs it is incomplete."""

    id: str
    value: Fraction | None
    unit: str
    region: str
    data_year: str
    valid_from: str
    valid_to: str
    document: str
    certainty: str
    formula: str = ""
    note: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The numbers and ids that its value is a product of."""
        return tuple(word for _, word in _words(self.formula))

    @property
    def text(self) -> str:
        """The value as a decimal of ten digits, without zeros at its end; "" where there is none."""
        return "" if self.value is None else format(float(self.value), ".10g")

    def per_base(self, medium: Medium) -> Fraction | None:
        """Kilograms for one base unit of a medium. Raises ValueError where the units do not fit."""
        mass, _, unit = self.unit.partition("/")
        unit = {"m3": "Nm³" if BASE[medium] == "Nm³" else "m³", "Nm3": "Nm³"}.get(unit, unit)
        try:
            size = ratio(BASE[medium], unit)
        except ValueError:
            raise ValueError(f"{self.id} is in {self.unit}, but {medium} is counted in {BASE[medium]}") from None
        return None if self.value is None else self.value * size * (1000 if mass.startswith("t") else 1)


class OrganisationFactor(Factor):
    """Direct emissions, for the inventory of a plant."""


class ProductFactor(Factor):
    """Emissions over the life cycle, for the footprint of a product."""


class CoalFactor(Factor):
    """Coal equivalent, GB/T 2589."""


class Parameter(Factor):
    """A number that others are computed from: heating values, carbon contents, warming potentials."""


KINDS: Mapping[str, type[Factor]] = {
    "organisation": OrganisationFactor,
    "product": ProductFactor,
    "coal": CoalFactor,
    "parameter": Parameter,
}
F = TypeVar("F", bound=Factor)
COLUMNS = ("id", "kind", "value", "unit", "region", "data_year", "valid_from", "valid_to", "document", "certainty")


class Register:
    """All factors that are known, by id."""

    def __init__(self, factors: Mapping[str, Factor]) -> None:
        self._factors = factors

    def __iter__(self) -> Iterator[Factor]:
        return iter(self._factors.values())

    def inputs(self, factor: Factor) -> Iterator[Factor]:
        """What a derived factor is a product of, as far as that has a document."""
        return (self._factors[word] for word in factor.words if word in self._factors)

    def find(self, name: str, kind: type[F]) -> F:
        """The factor of that id. Raises ValueError for people where it is unknown or of another kind."""
        factor = self._factors.get(name)
        if factor is None:
            raise ValueError(f"the factor '{name}' is not in the register; add it with its document, or choose another")
        if not isinstance(factor, kind):
            raise ValueError(f"'{name}' is {_noun(type(factor))}, here {_noun(kind)} is wanted; they must not be mixed")
        return factor


def _noun(kind: type[Factor]) -> str:
    names = {
        OrganisationFactor: "a factor for organisations (direct CO2)",
        ProductFactor: "a factor for products (life cycle)",
        CoalFactor: "a coal equivalent",
    }
    return names.get(kind, "a parameter")


def read_register(text: str) -> Register:
    """The register in a CSV text. Raises ValueError for people: a missing column, an id twice, a wrong number."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or any(column not in rows[0] for column in COLUMNS):
        raise ValueError(f"a factor register is a CSV with the columns {', '.join(COLUMNS)}")
    values: dict[str, Fraction] = {}
    found: dict[str, Factor] = {}
    for row in rows:
        name = row["id"]
        if name in found:
            raise ValueError(f"the factor '{name}' is there twice; give a new version an id of its own")
        if row["kind"] not in KINDS:
            raise ValueError(f"'{name}' is of no known kind; write one of {', '.join(KINDS)}")
        value = _value(row, values)
        if value is not None:
            if not row["document"]:
                raise ValueError(f"'{name}' names no document; a number without a source is not used")
            values[name] = value
        facts = {column: row.get(column) or "" for column in (*COLUMNS, "formula", "note") if column not in _COMPUTED}
        found[name] = KINDS[row["kind"]](value=value, **facts)
    return Register(found)


_COMPUTED = ("kind", "value")


def _value(row: Mapping[str, str], known: Mapping[str, Fraction]) -> Fraction | None:
    try:
        if row.get("formula"):
            return product_of(row["formula"], known)
        return Fraction(Decimal(row["value"])) if row["value"] else None
    except (ArithmeticError, KeyError, ValueError):
        written = row.get("formula") or row["value"]
        raise ValueError(
            f"the value of '{row['id']}' cannot be read: {written}; write a number, or a product"
        ) from None


def _words(formula: str) -> list[tuple[str, str]]:
    return re.findall(r"([*/]?)\s*([^*/\s]+)", formula)


def product_of(formula: str, known: Mapping[str, Fraction]) -> Fraction:
    """The value of `a*b/c`, where each is a number or the id of an earlier factor."""
    result = Fraction(1)
    for sign, word in _words(formula):
        number = known[word] if word in known else Fraction(Decimal(word))
        result = result / number if sign == "/" else result * number
    return result
