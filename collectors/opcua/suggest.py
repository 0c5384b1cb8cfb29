"""From a browsed variable to a row of a tag list: machine, signal, unit, kind, as engineers write them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from collectors.opcua.browse import Variable
from collectors.opcua.companions import FOLDERS_OF_MACHINES, Meaning, meaning_of
from collectors.opcua.eu import ratio
from collectors.units import cannot_count

NUMBERS = frozenset({"SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double"})
TEXTS = frozenset({"String", "LocalizedText", "DateTime", "Guid", "QualifiedName", "NodeId"})
_COUNTS = re.compile(
    r"energy|counter|_count$|total|produced|lifetime|odometer|累计|计数|电能|电度|产量|总量", re.IGNORECASE
)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^0-9A-Za-z\u0080-\uffff]+")


class Row(NamedTuple):
    """One line of the tag list; the last columns are for people and for `--diff`."""

    machine: str
    signal: str
    node: str
    unit: str
    kind: str
    scale: str
    elements: str
    description: str
    browse_path: str
    data_type: str
    range: str
    historizing: str


def rows(variables: Iterable[Variable]) -> list[Row]:
    """The rows, sorted by machine and path. What has no plain value is commented out: its machine begins with #."""
    seen = sorted(variables, key=lambda one: (machine_of(one), one.path_text))
    meanings = [meaning_of(one.path) for one in seen]
    made = [_row(one, means) for one, means in zip(seen, meanings, strict=True)]
    return _unique(_best(made, meanings))


def machine_of(variable: Variable) -> str:
    """The first object of the path that is more than a folder; without one the first step below Objects."""
    above = variable.path[:-1]
    for (_, name), is_object in zip(above, variable.objects, strict=False):
        if is_object and name not in FOLDERS_OF_MACHINES:
            return name
    return next((name for _, name in above if name not in FOLDERS_OF_MACHINES), "machine")


def signal_of(variable: Variable, machine: str) -> str:
    """The names below the machine in small letters: Spindle/ActSpeed becomes spindle_act_speed."""
    names = [name for _, name in variable.path]
    below = names[names.index(machine) + 1 :] if machine in names[:-1] else names[-1:]
    return "_".join(word.lower() for name in below for word in _WORD.split(name) if word) or "value"


def _row(variable: Variable, means: Meaning | None) -> Row:
    machine = machine_of(variable)
    signal, unit, kind, scale = signal_of(variable, machine), variable.unit, _kind(variable), 1.0
    if means is not None:
        signal, kind = means.signal, means.kind
        given = variable.unit or means.given
        wanted = means.unit or (means.prefers if given else "")
        factor = ratio(given, wanted) if given and wanted else None
        unit, scale = (wanted, factor) if factor is not None else (given or wanted, 1.0)
    if kind in ("text", "event"):
        unit = ""
    usable = variable.readable and (variable.base in NUMBERS | TEXTS or variable.base in ("Boolean", ""))
    low_high = f"{variable.range[0]:g} to {variable.range[1]:g}" if variable.range else ""
    return Row(
        machine=machine if usable else f"# {machine}",
        signal=signal,
        node=variable.address,
        unit=unit,
        kind=kind,
        scale="" if scale == 1 else f"{scale:.15g}",
        elements=str(variable.length) if variable.length else "",
        description=" ".join(variable.description.split()) or (means.says if means is not None else ""),
        browse_path=variable.path_text,
        data_type=variable.type or variable.base,
        range=low_high,
        historizing="yes" if variable.historizing else "no",
    )


def _kind(variable: Variable) -> str:
    if variable.base in TEXTS:
        return "text"
    if variable.base == "Boolean" or (variable.base == "Int32" and variable.type not in NUMBERS | {""}):
        return "state"
    counts = _COUNTS.search(variable.path[-1][1]) and not cannot_count(variable.unit)
    return "counter" if counts else "gauge"


def _best(made: Sequence[Row], meanings: Sequence[Meaning | None]) -> list[Row]:
    """Of two variables that a specification has for the same signal, the better one; the other is commented out."""
    best: dict[tuple[str, str, str], int] = {}
    for row, means in zip(made, meanings, strict=True):
        if means is not None:
            key = (row.machine, row.browse_path.rpartition("/")[0], means.signal)
            best[key] = max(best.get(key, 0), means.rank)
    kept: list[Row] = []
    for row, means in zip(made, meanings, strict=True):
        key = (row.machine, row.browse_path.rpartition("/")[0], means.signal if means else "")
        is_second = means is not None and means.rank < best[key] and not row.machine.startswith("#")
        kept.append(row._replace(machine=f"# {row.machine}") if is_second else row)
    return kept


def _unique(made: Sequence[Row]) -> list[Row]:
    """No two signals of a machine share a name: where a suggestion does, its parent's name is put before it."""
    counts = Counter((row.machine, row.signal) for row in made)
    taken: set[tuple[str, str]] = set()
    kept: list[Row] = []
    for row in made:
        signal = row.signal
        if counts[row.machine, signal] > 1:
            parent = row.browse_path.split("/")[-2:-1]
            signal = "_".join([*(word.lower() for name in parent for word in _WORD.split(name) if word), signal])
        number = 2
        base = signal
        while (row.machine, signal) in taken:
            signal, number = f"{base}_{number}", number + 1
        taken.add((row.machine, signal))
        kept.append(row._replace(signal=signal))
    return kept


class Difference(NamedTuple):
    """A present tag list against what the server has now."""

    gone: list[str]  # nodes of the list that the server does not have
    new: list[Row]  # variables that the list does not have
    changed: list[tuple[str, str, str]]  # node, the type that the list says, the type now


def difference(listed: Iterable[tuple[str, str]], now: Sequence[Row]) -> Difference:
    """`listed`: (node, data type or empty) of each row of the present list, commented ones included."""
    present = {row.node: row for row in now}
    known = dict(listed)
    changed = [
        (node, before, present[node].data_type)
        for node, before in known.items()
        if node in present and before and before != present[node].data_type
    ]
    new = [row for row in now if row.node not in known]
    return Difference([node for node in known if node not in present], new, changed)
