"""A metric of any type as numbers and texts, pure: arrays, DataSets, Templates become one signal for each element."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from collectors.points import Kind

MOST_ELEMENTS = 1000
"""Of one metric; more is a mistake, or a file."""
DEEPEST = 8
"""Templates within templates."""
LONGEST_TEXT = 4096

_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}  # Int8, Int16, Int32, Int64
_BOOLEAN, _DATETIME = 11, 13
_BOOLEANS, _STRINGS = 32, 33
_PACKED = {22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d", 34: "Q"}
"""Array types and what their octets hold, little endian."""


class Element(NamedTuple):
    """One value of a metric; `value` is None where the device has none."""

    name: str
    value: float | str | None
    kind: Kind


def elements(metric: Any, *, name: str, datatype: int) -> list[Element]:
    """What a metric holds. `name` and `datatype` are those of its birth. Raises ValueError, for people."""
    found: list[Element] = []
    for element in _elements(metric, name, datatype, DEEPEST):
        found.append(element)
        if len(found) > MOST_ELEMENTS:
            raise ValueError(f"{name} has more than {MOST_ELEMENTS} elements")
    return found


def scalar(value: Any, datatype: int) -> float | str | None:
    """The one value of a metric, a property or a cell, by the field that holds it; None where none does."""
    field = value.WhichOneof("value")
    if field is None:
        return None
    held = getattr(value, field)
    match field:
        case "int_value" | "long_value":
            return float(_signed(held, datatype))
        case "float_value" | "double_value":
            return held if math.isfinite(held) else None
        case "boolean_value":
            return 1.0 if held else 0.0
        case "string_value":
            return _bounded(held)
        case _:
            return None


def _elements(metric: Any, name: str, datatype: int, depth: int) -> Iterator[Element]:
    if metric.is_null:
        yield Element(name, None, _kind(None, datatype))
        return
    match metric.WhichOneof("value"):
        case "dataset_value":
            yield from _cells(metric.dataset_value, name)
        case "template_value":
            yield from _members(metric.template_value, name, depth)
        case "bytes_value" if datatype in _PACKED or datatype in (_BOOLEANS, _STRINGS):
            for place, value in enumerate(_array(metric.bytes_value, datatype, name)):
                yield Element(f"{name}[{place}]", value, Kind.TEXT if isinstance(value, str) else Kind.GAUGE)
        case "bytes_value":
            yield Element(name, _bounded(base64.b64encode(metric.bytes_value).decode()), Kind.TEXT)
        case _:
            value = scalar(metric, datatype)
            yield Element(name, value, _kind(value, datatype))


def _cells(dataset: Any, name: str) -> Iterator[Element]:
    for number, row in enumerate(dataset.rows):
        for place, cell in enumerate(row.elements):
            column = dataset.columns[place] if place < len(dataset.columns) else str(place)
            datatype = dataset.types[place] if place < len(dataset.types) else 0
            value = scalar(cell, datatype)
            yield Element(f"{name}[{number}].{column}", value, _kind(value, datatype))


def _members(template: Any, name: str, depth: int) -> Iterator[Element]:
    if template.is_definition:
        return
    if depth == 0:
        raise ValueError(f"{name}: templates are nested more than {DEEPEST} deep")
    for parameter in template.parameters:
        value = scalar(parameter, parameter.type)
        yield Element(f"{name}.{parameter.name}", value, _kind(value, parameter.type))
    for member in template.metrics:
        yield from _elements(member, f"{name}.{member.name}", member.datatype, depth - 1)


def _array(octets: bytes, datatype: int, name: str) -> list[float | str | None]:
    if datatype == _STRINGS:
        return [_bounded(text.decode("utf-8", "backslashreplace")) for text in octets.split(b"\0")[:-1]]
    if datatype == _BOOLEANS:
        count = int.from_bytes(octets[:4], "little")
        if len(octets) < 4 or count > 8 * (len(octets) - 4):
            raise ValueError(f"{name}: the array of Booleans is shorter than it says")
        return [float(octets[4 + place // 8] >> (7 - place % 8) & 1) for place in range(min(count, MOST_ELEMENTS + 1))]
    packing = struct.Struct(f"<{_PACKED[datatype]}")
    if len(octets) % packing.size:
        raise ValueError(f"{name}: {len(octets)} octets are no array of {packing.size} each")
    some = octets[: packing.size * (MOST_ELEMENTS + 1)]
    return [float(value) if math.isfinite(value) else None for (value,) in packing.iter_unpack(some)]


def _kind(value: float | str | None, datatype: int) -> Kind:
    if isinstance(value, str) or datatype in (12, 14, 15):
        return Kind.TEXT
    return Kind.STATE if datatype == _BOOLEAN else Kind.GAUGE


def _signed(held: int, datatype: int) -> int:
    """Negative numbers travel as unsigned ones of 32 or 64 bits; some devices write only the bits of their type."""
    bits = _SIGNED_BITS.get(datatype)
    if bits is None:
        return held
    held &= (1 << bits) - 1
    return held - (1 << bits) if held >> (bits - 1) else held


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"the text has {len(text)} characters, more than {LONGEST_TEXT}")
    return text
