"""Structures by the description that the server gives of them, without code made from it. Pure.

A value of a structure is a dict of its fields, inner structures are dicts in it, arrays are lists. The bytes of each
field are passed by `wire.Reader` before another decoder sees them, so that hostile lengths end in Malformed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from collectors.opcua.wire import FIXED_SIZE, IS_ARRAY, MAX_DEPTH, Malformed, Reader

STRUCTURE, VARIANT = 22, 24
PLAIN, OPTIONAL, UNION = 0, 1, 2  # StructureType (OPC 10000-3 §8.49)

Odd = Callable[[bytes], object]  # reads the bytes of one Variant


@dataclass(slots=True)
class Member:
    """One field. `inner`: the structure that it is itself, else it is of the built-in type `kind`."""

    name: str
    kind: int
    is_array: bool = False
    is_optional: bool = False
    inner: Structure | None = None


@dataclass(slots=True)
class Structure:
    """The fields of a type in the order of their bytes."""

    form: int = PLAIN
    members: list[Member] = field(default_factory=list)

    def read(self, reader: Reader, odd: Odd, depth: int = 0) -> dict[str, object]:
        """The value whose bytes begin at the reader's place. Raises Malformed."""
        if depth > MAX_DEPTH:
            raise Malformed("structures nested too deeply")
        present = [True] * len(self.members)
        if self.form == UNION:
            chosen = reader.u4()
            present = [place == chosen for place in range(1, len(self.members) + 1)]
        elif self.form == OPTIONAL:
            bits, place = reader.u4(), 0
            for number, member in enumerate(self.members):
                if member.is_optional:
                    present[number], place = bool(bits >> place & 1), place + 1
        return {
            member.name: _read(member, reader, odd, depth)
            for member, is_there in zip(self.members, present, strict=True)
            if is_there
        }


Structures = Mapping[tuple[int, object], Structure]
"""By namespace and identifier of their binary encoding, as they stand before a value on the wire."""


def _read(member: Member, reader: Reader, odd: Odd, depth: int) -> object:
    inner = member.inner
    if inner is not None and member.is_array:
        return [inner.read(reader, odd, depth + 1) for _ in range(reader.count())]
    if inner is not None:
        return inner.read(reader, odd, depth + 1)
    first = reader.at
    if member.kind == VARIANT and not member.is_array:
        reader.variant()
        return odd(reader.data[first : reader.at])
    if member.is_array:
        for _ in range(reader.count(size=FIXED_SIZE.get(member.kind, 1))):
            reader.one(member.kind, depth)
    else:
        reader.one(member.kind, depth)
    head = member.kind | (IS_ARRAY if member.is_array else 0)
    return odd(bytes([head]) + reader.data[first : reader.at])
