"""The values that the fast decoder passes over, read by asyncua's own: texts with a language, GUIDs, arrays.

Structures whose type was learnt come out as dicts of their fields, others and things without a plain value as `Opaque`;
nothing is run or registered for them.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import partial
from types import MappingProxyType

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, variant_from_binary

from collectors.opcua.columns import Opaque
from collectors.opcua.structures import STRUCTURE, Structures
from collectors.opcua.wire import IS_ARRAY, TYPE_BITS, Malformed, Reader

NONE: Structures = MappingProxyType({})
NO_PLAIN_VALUE = frozenset({22, 23, 24, 25})  # ExtensionObject, DataValue, Variant, DiagnosticInfo


def read_variant(variant: bytes, structures: Structures = NONE) -> object:
    """The Python value of one encoded Variant: None, a text, a number, a list of those, a dict of them, or Opaque.

    `variant` was passed over by `wire.Reader` before, so that its lengths are known to be sound. Raises Malformed.
    """
    kind = variant[0] & TYPE_BITS
    if kind == STRUCTURE and structures:
        return _structures(variant, structures)
    if kind in NO_PLAIN_VALUE:
        return Opaque(ua.VariantType(kind).name)
    try:
        return plain(variant_from_binary(Buffer(variant)).Value)
    except Exception as error:  # asyncua raises whatever its inner parts raise: IndexError, UaError, ValueError, …
        raise Malformed(f"asyncua cannot read {ua.VariantType(kind).name}: {error!r}") from error


def _structures(variant: bytes, structures: Structures) -> object:
    """The structure in a Variant, or the list of them; Opaque where its type was not learnt."""
    reader = Reader(variant, 1)
    if not variant[0] & IS_ARRAY:
        return _structure(reader, structures)
    return [_structure(reader, structures) for _ in range(reader.count(size=3))]


def _structure(reader: Reader, structures: Structures) -> object:
    start = reader.at
    part = reader.extension()
    encoding = nodeid_from_binary(Buffer(reader.data[start : part.start]))
    return _fields(encoding, Reader(reader.data, part.start, part.stop), structures)


def _fields(encoding: ua.NodeId, reader: Reader, structures: Structures) -> object:
    structure = structures.get((encoding.NamespaceIndex, encoding.Identifier))
    if structure is None:
        return Opaque("ExtensionObject")
    try:
        return structure.read(reader, partial(read_variant, structures=structures))
    except Malformed:  # it is not as the server described it; the other values of the message are well
        return Opaque("ExtensionObject, which is not as the server describes it")


def plain(value: object, structures: Structures = NONE) -> object:
    """A value of asyncua as a text, a number, a dict of a structure's fields, or a (flat) list of them."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return flat(value, structures)
        case ua.ExtensionObject():
            return _fields(value.TypeId, Reader(value.Body or b""), structures)
        case ua.LocalizedText():
            return value.Text
        case ua.QualifiedName():
            return value.Name
        case ua.NodeId():
            return value.to_string()
        case ua.StatusCode():
            return value.value
        case bytes():
            return value.hex()
        case _ if is_dataclass(value):
            return {one.name: plain(getattr(value, one.name), structures) for one in fields(value)}
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)


def flat(values: list[object], structures: Structures = NONE) -> list[object]:
    """A matrix as one list, row after row."""
    elements: list[object] = []
    for value in values:
        if isinstance(value, list):
            elements.extend(flat(value, structures))
        else:
            elements.append(plain(value, structures))
    return elements
