"""What of the entries is in force: repeats count once, corrections replace, contradictions are said. Pure.

The result depends on the set of entries alone, not on the order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from collectors.ledger.entries import LedgerEntry


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Entries of which it cannot be told which is right; none of them counts, and what needs them is incomplete."""

    entries: tuple[LedgerEntry, ...]
    why: str  # for people: "what is wrong; what to do"


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that counts, by date, and what cannot."""

    entries: tuple[LedgerEntry, ...]
    contradictions: tuple[Contradiction, ...]

    def of(self, kind: str) -> Iterator[LedgerEntry]:
        """The entries of one form."""
        return (entry for entry in self.entries if entry.kind == kind)


def in_force(entries: Iterable[LedgerEntry]) -> Books:
    """Sort out what counts."""
    by_number: dict[tuple[str, str], list[LedgerEntry]] = {}
    seen = set()
    for entry in sorted(entries, key=lambda one: (one.kind, one.number, one.id)):
        if entry.content not in seen:  # the same file dropped again, or the same row in another file
            seen.add(entry.content)
            by_number.setdefault((entry.kind, entry.number), []).append(entry)
    contradictions = list(_twice(by_number))
    unclear = {key for key, found in by_number.items() if len(found) > 1}
    corrections: dict[tuple[str, str], list[LedgerEntry]] = {}
    for found in by_number.values():
        for entry in found:
            if entry.corrects:
                corrections.setdefault((entry.kind, entry.corrects), []).append(entry)
    for key, found in corrections.items():
        why = _wrong(key, found, by_number, corrections)
        if why:
            contradictions.append(Contradiction((*found, *by_number.get(key, ())), why))
            unclear |= {(one.kind, one.number) for one in found} | {key}
    counted = [
        found[0] for key, found in by_number.items() if key not in unclear and key not in corrections
    ]  # fmt: skip
    counted.sort(key=lambda one: (one.day, one.kind, one.number))
    return Books(tuple(counted), tuple(contradictions))


def _twice(by_number: Mapping[tuple[str, str], list[LedgerEntry]]) -> Iterator[Contradiction]:
    for (kind, number), found in by_number.items():
        if len(found) > 1:
            rows = " and ".join(f"{one.origin.file} line {one.line}" for one in found)
            todo = "drop a row with a new number and write this one into 'corrects'"
            yield Contradiction(tuple(found), f"{kind} {number} says different things in {rows}; {todo}")


def _wrong(
    key: tuple[str, str],
    found: list[LedgerEntry],
    by_number: Mapping[tuple[str, str], list[LedgerEntry]],
    corrections: Mapping[tuple[str, str], list[LedgerEntry]],
) -> str:
    """Why these corrections of one number cannot be followed; empty where they can."""
    kind, number = key
    names = " and ".join(one.number for one in found)
    if key not in by_number:
        return f"{kind} {names} corrects {number}, which is not there; write the number of an entry into 'corrects'"
    if len(found) > 1:
        return f"{kind} {names} both correct {number}; let the later one correct the earlier one"
    here, steps = key, set()
    while (after := corrections.get(here)) and here not in steps:
        steps.add(here)
        here = (kind, after[0].number)
    return f"{kind} {names} corrects itself by way of others; mend the numbers in 'corrects'" if here in steps else ""
