"""Emissions of a plant's suppliers and carriers, as far as the ledger knows them: parts of scope 3. Pure."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from agent.carbon.account import Figure
from agent.carbon.footprint.booked import Known, booked_inputs
from agent.carbon.footprint.config import Stage
from agent.carbon.footprint.inputs import total
from collectors.ledger.books import Books

CATEGORIES: dict[str, tuple[Stage, ...]] = {  # GHG Protocol, scope 3
    "scope 3, category 1: purchased materials and gases": ("materials", "gases"),
    "scope 3, category 4: inbound transport": ("transport",),
    "scope 3, category 5: waste": ("waste",),
}


def scope3(books: Books, days: tuple[date, date], known: Known) -> dict[str, Figure]:
    """CO2e over the life cycle in kg, by category; one without any entry is not there, for nothing is known of it."""
    inputs = list(booked_inputs(books, days, known, lambda _product: (Fraction(1), "all of it", ())))
    unclear = [one.why for one in books.contradictions if any(days[0] <= each.day < days[1] for each in one.entries)]
    found = {}
    for name, stages in CATEGORIES.items():
        part = [one for one in inputs if one.stage in stages]
        if part:
            lacks = dict.fromkeys([*(lack for one in part for lack in one.lacks), *unclear])
            factors = dict.fromkeys(each.id for one in part for each in one.intensities)
            found[name] = Figure(None if unclear else total(part), tuple(factors), tuple(lacks))
    return found
