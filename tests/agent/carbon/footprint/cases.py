"""A small plant for footprints, computed by hand: see the figures in test_footprint_compute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from agent.carbon.account import Assignment, Figure
from agent.carbon.energy import Amount
from agent.carbon.factors import ProductFactor
from agent.carbon.footprint.booked import Known
from agent.carbon.footprint.compute import Footprint, footprint_of
from agent.carbon.footprint.config import FootprintConfig
from agent.carbon.plan import AccountPlan
from agent.carbon.quantities import MICRO
from agent.carbon.statement import Statement
from agent.carbon.windows import Window
from collectors.ledger.books import in_force
from collectors.ledger.entries import LedgerEntry, Origin

DAYS = (date(2026, 3, 2), date(2026, 3, 3))
DAY_NS = 86_400 * 10**9

SETTINGS: dict[str, Any] = {
    "company": {"name": "Example bearing works", "ids": ["urn:pact:example.com:uscc:0"]},
    "geography": "CN-SD",
    "allocation": "pieces",
    "energy": ["electricity"],
    "materials": [{"name": "grease", "factor": "grease_test"}],
    "transport": [{"name": "truck", "factor": "truck_test"}],
    "waste": [{"name": "sludge", "factor": "sludge_test"}],
    "products": [
        {
            "number": number,
            "name": number,
            "description": "Deep groove ball bearing",
            "ids": [f"urn:pact:example.com:supplier-id:{number}"],
            "mass_kg": mass,
            "fossil_carbon_kg": "0",
            "packaging_included": False,
        }
        for number, mass in (("A", "0.1"), ("B", "0.5"))
    ],
}


def factor(name: str, value: str | None, unit: str, *, region: str = "China", data_year: str = "2024") -> ProductFactor:
    number = None if value is None else Fraction(value)
    return ProductFactor(name, number, unit, region, data_year, "", "", f"document of {name}", "A")


FACTORS = {
    one.id: one
    for one in (
        factor("power_test", "0.5", "kgCO2e/kWh"),
        factor("grease_test", "3", "kgCO2e/kg", data_year="2016"),
        factor("truck_test", "0.1", "kgCO2e/t·km"),
        factor("sludge_test", "500", "kgCO2e/t"),
        factor("unknown_test", None, "kgCO2e/kg"),
    )
}


def entry(
    kind: str, number: str, *, day: date = DAYS[0], at_line: int = 2, corrects: str = "", **values: str
) -> LedgerEntry:
    origin = Origin(f"{kind}.csv", f"{kind:f<64}", "liwei")
    return LedgerEntry(kind, number, day, values, corrects, "Li Wei", origin, at_line)


LEDGER = (
    entry("production", "P-1", product="A", good="900", scrap="10"),
    entry("production", "P-2", product="B", good="100"),
    entry("supplier_footprints", "F-1", day=date(2026, 1, 1), material="steel", supplier="S", footprint="2.05",
          unit="kg", document="EPD 1", primary_percent="60", technological="2", geographical="1", temporal="1"),
    entry("supplier_footprints", "F-2", day=date(2026, 1, 1), material="methanol", footprint="2000", unit="t",
          document="PCF 7", technological="3", geographical="2", temporal="2"),
    entry("materials", "M-1", material="steel", supplier="S", quantity="120", unit="kg", product="A"),
    entry("materials", "M-2", material="grease", quantity="10", unit="kg"),
    entry("materials", "M-3", material="steel", supplier="S", quantity="99", unit="kg", product="B"),
    entry("gases", "G-1", gas="methanol", quantity="5", unit="kg"),
    entry("waybills", "W-1", direction="inbound", quantity="2", unit="t", distance_km="320",
          distance_kind="planned", mode="truck"),
    entry("waybills", "W-2", direction="outbound", quantity="9", unit="t", distance_km="999",
          distance_kind="planned", mode="truck"),
    entry("waste", "X-1", waste="sludge", quantity="50", unit="kg"),
)  # fmt: skip


def config(**given: Any) -> FootprintConfig:
    return FootprintConfig.model_validate({**SETTINGS, **given})


def statement(
    kwh: str, *, level: Any = "plant", name: str = "", missing: Fraction = Fraction(0), kg: str | None = "",
    lacks: tuple[str, ...] = (),
) -> Statement:  # fmt: skip
    """A day's electricity with its life-cycle footprint at 0.5 kg a kWh."""
    account = AccountPlan(level, name, "", name, "electricity", (0,))
    window = Window("day", 0, DAY_NS, "2026-03-02")
    amount = Amount(measured=int(Fraction(kwh) * MICRO), measured_ns=int(DAY_NS * (1 - missing)))
    value = None if kg is None else Fraction(kwh) / 2
    nothing = Figure(None)
    return Statement(
        account=account, window=window, amount=amount, span_ns=DAY_NS, coal=nothing, cost=nothing, carbon=nothing,
        footprint=Figure(value, ("power_test",), lacks),
    )  # fmt: skip


def known(settings: FootprintConfig, ledger: Sequence[LedgerEntry]) -> Known:
    return Known(
        config=settings,
        factors=FACTORS,
        media=(Assignment("electricity", FACTORS["power_test"]),),
        offered=tuple(in_force(ledger).of("supplier_footprints")),
        period=DAYS[0],
    )


def footprint(
    *,
    product: str = "A",
    ledger: Sequence[LedgerEntry] = LEDGER,
    statements: Sequence[Statement] = (statement("1000"),),
    **given: Any,
) -> Footprint:
    """The footprint of a product in the small plant, with what is given instead."""
    settings = config(**given)
    made = settings.product(product)
    assert made is not None
    return footprint_of(
        made, DAYS, books=in_force(ledger), statements=statements, known=known(settings, ledger)
    )  # fmt: skip


def without(*numbers: str) -> tuple[LedgerEntry, ...]:
    return tuple(one for one in LEDGER if one.number not in numbers)
