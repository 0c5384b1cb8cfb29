"""Values that are no plain numbers, on their way into rows: elements, members, names of numbers, texts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectors.opcua.columns import EXACT, Opaque
from collectors.opcua.facts import Names
from collectors.opcua.fieldpath import pick
from collectors.opcua.table import Table
from collectors.points import BAD, Clocks, Times, Values

BAD_TYPE_MISMATCH = 0x8074_0000
MOST_NAMED = 8  # members of a structure that a trouble names


@dataclass(slots=True)
class Rows:
    """Columns on their way: by now one row per series value."""

    tag: NDArray[np.uint32]
    which: NDArray[np.uint32]
    value: Values
    quality: NDArray[np.uint32]
    t_ns: Times
    clock: Clocks
    objects: dict[int, object]
    texts: list[str] = field(default_factory=list)
    misfits: dict[int, str] = field(default_factory=dict)


def spread(rows: Rows, table: Table) -> Rows:
    """Give every element or member its own row; one that is not there is a row without a value."""
    widths = table.width[rows.tag]
    starts = np.cumsum(widths) - widths
    repeat = np.repeat(np.arange(len(widths)), widths)
    within = np.arange(len(repeat)) - np.repeat(starts, widths)
    objects: dict[int, object] = {}
    misfits: dict[int, str] = {}
    for row, value in rows.objects.items():
        tag, start, width = int(rows.tag[row]), int(starts[row]), int(widths[row])
        if tag in table.paths and isinstance(value, dict | list):
            objects.update({start + place: pick(value, path) for place, path in enumerate(table.paths[tag])})
        elif table.is_many[tag] and isinstance(value, list):
            if len(value) != width:
                misfits[tag] = f"the array has {len(value)} elements now, {width} are configured; check elements:"
            objects.update({start + place: one for place, one in enumerate(value[:width])})
        else:
            objects[start] = value
    scalar = ~table.is_many[rows.tag[repeat]]
    for row in np.flatnonzero(table.is_many[rows.tag] & np.isfinite(rows.value)).tolist():
        tag = int(rows.tag[row])
        what, key = ("structure", "fields") if tag in table.paths else ("array", "elements")
        misfits[tag] = f"the value is no {what}; remove {key}: from the tag"
    return Rows(
        tag=rows.tag[repeat],
        which=(rows.which[repeat] + within).astype(np.uint32),
        value=np.where(scalar, rows.value[repeat], np.nan),
        quality=rows.quality[repeat],
        t_ns=rows.t_ns[repeat],
        clock=rows.clock[repeat],
        objects=objects,
        misfits=misfits,
    )


def place_objects(rows: Rows, table: Table, names: Mapping[int, Names]) -> None:
    """Bring texts into the text table, odd numbers into the value column, and refuse what does not fit its series.

    names: tag -> the names of the numbers of an enumeration, which a text signal gets in their place.
    """
    rows.value = rows.value.copy()
    is_text = table.is_text[rows.which]
    refused: list[int] = []
    for row, value in rows.objects.items():
        if rows.quality[row] >= BAD:
            continue
        tag = int(rows.tag[row])
        trouble = _place_text(rows, row, value, names.get(tag, {})) if is_text[row] else _place_number(rows, row, value)
        if trouble:
            rows.misfits[tag] = trouble
            if not np.isfinite(rows.value[row]):
                refused.append(row)
    rows.quality[refused] = BAD_TYPE_MISMATCH
    for row in np.flatnonzero(is_text & (rows.quality < BAD) & np.isfinite(rows.value)).tolist():
        if row not in rows.objects:
            _place_text(rows, row, float(rows.value[row]), names.get(int(rows.tag[row]), {}))


def _place_text(rows: Rows, row: int, value: object, names: Names) -> str:
    """Place one value of a text signal; what is wrong with it for people, or nothing."""
    match value:
        case str():
            text = value
        case float() if not value.is_integer():
            text = repr(value)
        case bool() | int() | float():
            text = names.get(int(value)) or str(int(value))
        case _:
            return _unplaced(value)
    rows.value[row] = len(rows.texts)
    rows.texts.append(text)
    return ""


def _place_number(rows: Rows, row: int, value: object) -> str:
    """Place one value of a signal of numbers; what is wrong with it for people, or nothing."""
    match value:
        case str():
            return "the value is a text; set kind: text"
        case bool() | int() | float():
            rows.value[row] = value
            if abs(value) >= EXACT:
                return "the integer is above 2^53, its last digits are rounded; set kind: text to keep them all"
            return ""
    return _unplaced(value)


def _unplaced(value: object) -> str:
    """What is to be done about a value that is neither a number nor a text; nothing about one that is not there."""
    match value:
        case list():
            n = len(value)
            return f"the value is an array of {n}; set elements: {n} to get the signals [0] to [{n - 1}]"
        case dict():
            names = ", ".join(str(name) for name in list(value)[:MOST_NAMED])
            return f"the value is a structure; write fields: with the members that are wanted, of {names}"
        case Opaque():
            return (
                f"the value is of type {value.type}; write fields: with the wanted members, or choose their own nodes"
            )
    return ""
