"""The values that the fast decoder passes over, read by asyncua's own: texts with a language, GUIDs, arrays.

Structures and other things without a plain value come out as `Opaque`; nothing is run or registered for them.
"""

from __future__ import annotations

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary

from collectors.opcua.decode import Opaque
from collectors.opcua.wire import TYPE_BITS, Malformed

NO_PLAIN_VALUE = frozenset({22, 23, 24, 25})  # ExtensionObject, DataValue, Variant, DiagnosticInfo


def read_variant(variant: bytes) -> object:
    """The Python value of one encoded Variant: None, a text, a number, a list of those, or Opaque.

    `variant` was passed over by `wire.Reader` before, so that its lengths are known to be sound. Raises Malformed.
    """
    kind = variant[0] & TYPE_BITS
    if kind in NO_PLAIN_VALUE:
        return Opaque(ua.VariantType(kind).name)
    try:
        return plain(variant_from_binary(Buffer(variant)).Value)
    except Exception as error:  # asyncua raises whatever its inner parts raise: IndexError, UaError, ValueError, …
        raise Malformed(f"asyncua cannot read {ua.VariantType(kind).name}: {error!r}") from error


def plain(value: object) -> object:
    """A value of asyncua as a text, a number or a (flat) list of them."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return flat(value)
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
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)


def flat(values: list[object]) -> list[object]:
    """A matrix as one list, row after row."""
    elements: list[object] = []
    for value in values:
        if isinstance(value, list):
            elements.extend(flat(value))
        else:
            elements.append(plain(value))
    return elements
