"""What figures were computed with: settings and factors as records of the log, and back into a plan.

A changed factor makes a new basis. The old one stays in the log, so that a report can be made with either of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

from agent.carbon import names
from agent.carbon.config import CarbonConfig
from agent.carbon.factors import KINDS, Factor, Register
from agent.carbon.plan import Plan, make_plan
from agent.sink import Entry

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Basis:
    """What was computed with from a time on."""

    since_ns: int
    text: str  # JSON

    @property
    def version(self) -> str:
        """By what it is called in statements: the beginning of its hash."""
        return sha256(self.text.encode()).hexdigest()[:12]


def bases(plant: str, entries: Iterable[Entry]) -> list[Basis]:
    """Every basis of the log, oldest first."""
    wanted = names.basis(plant)
    found = []
    for entry in entries:
        if entry.batch.source == names.SOURCE and wanted in entry.batch.series:
            found += [Basis(p.t_ns, str(p.value)) for p in entry.batch.points() if p.series == wanted]
    return found


def plan_of(basis: Basis) -> Plan:
    """The plan that figures were computed with then. Raises ValueError where this version cannot read it any more."""
    said = json.loads(basis.text)
    factors = {name: _factor(name, facts) for name, facts in (said["factors"] | said["inputs"]).items()}
    return make_plan(CarbonConfig.model_validate(said["settings"]), Register(factors))


def _factor(name: str, facts: Mapping[str, str]) -> Factor:
    value = Fraction(facts["value"]) if facts["value"] else None
    told = {key: text for key, text in facts.items() if key not in ("kind", "value")}
    return KINDS[facts["kind"]](id=name, value=value, **told)


def changes(before: Basis | None, after: Basis) -> Iterator[str]:
    """What is different in the later one, for people."""
    if before is None:
        yield "the first one"
        return
    yield from _differences("", json.loads(before.text), json.loads(after.text))


def _differences(at: str, before: object, after: object) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            path = f"{at}.{key}" if at else key
            yield from _differences(path, before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{at}.{number}", one, other)
    elif before != after:
        yield f"{at}: {_told(before)} -> {_told(after)}"


def _told(value: object) -> str:
    return "nothing" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
