"""The types of a server, read one by one as they are needed: names of enumerations, fields of structures.

asyncua's `load_data_type_definitions` reads all types, makes Python code of them, and keeps the classes for all servers
in one table by namespace index: two machines with different types under one index would read each other's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.facts import Names
from collectors.opcua.session import Session, in_chunks, standard
from collectors.opcua.structures import STRUCTURE, UNION, VARIANT, Member, Structure

BUILT_IN = 25  # the numbers of the built-in types are those of their nodes
ABSTRACT = (24, 26, 27, 28)  # BaseDataType, Number, Integer, UInteger: the value says itself what it is
ENUMERATION, INT32 = 29, 6
SCALAR, ARRAY = -1, 1  # ranks of values
MOST_TYPES = 200  # of one connection: no structure that a plant wants has so many inside
UNREADABLE = "the server does not describe the structure so that it can be read; use the node of each member ({why})"


class TypeTree:
    """The types that were asked for in one connection."""

    def __init__(self, session: Session, structures: dict[tuple[int, object], Structure]) -> None:
        """`structures` gets every structure that was learnt, by its encoding."""
        self._session = session
        self._by_encoding = structures
        self._known: dict[ua.NodeId, Structure | int] = {}  # a structure, or the number of a built-in type
        self._names: dict[ua.NodeId, Names] = {}

    async def learn(self, type_id: ua.NodeId) -> str:
        """Learn how values of a structure are read; why that cannot be, for people."""
        try:
            found = await self._type(type_id)
        except (LookupError, UaStatusCodeError) as error:
            return UNREADABLE.format(why=error)
        if found == STRUCTURE:
            why = f"its type {type_id.to_string()} has no DataTypeDefinition, as in servers before OPC UA 1.04"
            return UNREADABLE.format(why=why)
        return "" if isinstance(found, Structure) else "the value is no structure; remove fields: from the tag"

    async def names(self, type_id: ua.NodeId) -> Names:
        """The names of an enumeration's numbers, nothing where the type is none."""
        if type_id not in self._names:
            names: Names = {}
            if _standard(type_id) is None:
                names = enumerated(await self._definition(type_id))
                for value in (
                    []
                    if names
                    else await properties(self._session, [(type_id, "EnumValues"), (type_id, "EnumStrings")])
                ):
                    names = names or enumerated(value)
            self._names[type_id] = names
        return self._names[type_id]

    async def _type(self, type_id: ua.NodeId) -> Structure | int:
        """What a type is on the wire. Raises LookupError with the reason where that is not known."""
        number = _standard(type_id)
        if number is not None:
            return number
        if type_id not in self._known:
            if len(self._known) >= MOST_TYPES:
                raise LookupError(f"more than {MOST_TYPES} types inside each other")
            definition = await self._definition(type_id)
            if isinstance(definition, ua.StructureDefinition):
                structure = self._known[type_id] = Structure(int(definition.StructureType))
                await self._fill(structure, type_id, definition)
            elif isinstance(definition, ua.EnumDefinition):
                self._known[type_id] = INT32
            else:
                self._known[type_id] = await self._type(await self._parent(type_id))
        return self._known[type_id]

    async def _fill(self, structure: Structure, type_id: ua.NodeId, definition: ua.StructureDefinition) -> None:
        if structure.form > UNION:
            raise LookupError("its fields may be of any type")
        for one in definition.Fields or []:
            if one.ValueRank not in (SCALAR, ARRAY):
                raise LookupError(f"its field {one.Name} is a matrix")
            kind = await self._type(one.DataType)
            inner = kind if isinstance(kind, Structure) else None
            number = kind if isinstance(kind, int) else 0
            is_array, is_optional = one.ValueRank == ARRAY, bool(one.IsOptional)
            structure.members.append(Member(str(one.Name), number, is_array, is_optional, inner))
        encoding = definition.DefaultEncodingId
        if encoding.is_null():
            encoding = await self._follow(type_id, ObjectIds.HasEncoding, "Default Binary")
        self._by_encoding[encoding.NamespaceIndex, encoding.Identifier] = structure

    async def _definition(self, type_id: ua.NodeId) -> object:
        (said,) = await self._session.read([type_id], AttributeIds.DataTypeDefinition)
        return said.Value.Value if said.Value is not None else None

    async def _parent(self, type_id: ua.NodeId) -> ua.NodeId:
        """The type that this one is a kind of."""
        view = ua.BrowseParameters(
            NodesToBrowse=[
                ua.BrowseDescription(
                    NodeId=type_id,
                    BrowseDirection=ua.BrowseDirection.Inverse,
                    ReferenceTypeId=standard(ObjectIds.HasSubtype),
                    IncludeSubtypes=True,
                    ResultMask=ua.BrowseResultMask(0),
                )
            ]
        )
        (result,) = await self._session.client.uaclient.session.browse(view)
        if not result.References:
            raise LookupError(f"no type {type_id.to_string()}")
        parent = result.References[0].NodeId
        return ua.NodeId(parent.Identifier, parent.NamespaceIndex, parent.NodeIdType)

    async def _follow(self, node: ua.NodeId, reference: int, name: str) -> ua.NodeId:
        services = self._session.client.uaclient.session
        (result,) = await services.translate_browsepaths_to_nodeids([ua.BrowsePath(node, _path(reference, name))])
        if not result.Targets:
            raise LookupError("it has no binary encoding")
        target = result.Targets[0].TargetId
        return ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)


def _standard(type_id: ua.NodeId) -> int | None:
    """The built-in type that a standard type is on the wire, None where the server has to be asked."""
    number = type_id.Identifier
    if type_id.NamespaceIndex or not isinstance(number, int):
        return None
    if number in ABSTRACT:
        return VARIANT
    if number == ENUMERATION:
        return INT32
    return number if number <= BUILT_IN else None


async def properties(session: Session, wanted: Sequence[tuple[ua.NodeId, str]]) -> list[Any]:
    """The values of these properties of these nodes, None where there is none."""
    services = session.client.uaclient.session
    paths = {name: _path(ObjectIds.HasProperty, name) for name in {name for _, name in wanted}}

    async def call(chunk: Sequence[tuple[ua.NodeId, str]]) -> list[ua.BrowsePathResult]:
        return await services.translate_browsepaths_to_nodeids(
            [ua.BrowsePath(node, paths[name]) for node, name in chunk]
        )

    found: dict[int, ua.NodeId] = {}
    with suppress(UaStatusCodeError):
        results, _ = await in_chunks(wanted, call, size=session.per_read)
        for place, result in enumerate(results):
            if result.StatusCode.is_good() and result.Targets:
                target = result.Targets[0].TargetId
                found[place] = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
    values = dict(zip(found, await session.read(list(found.values())), strict=True))
    said = [values.get(place) for place in range(len(wanted))]
    return [one.Value.Value if one is not None and one.Value is not None else None for one in said]


def enumerated(value: object) -> Names:
    """The names of numbers as EnumStrings, EnumValues or an EnumDefinition give them; none of anything else."""
    match value:
        case ua.EnumDefinition():
            return {int(one.Value): one.DisplayName.Text or one.Name or "" for one in value.Fields or []}
        case [ua.EnumValueType(), *_]:
            return {int(one.Value): one.DisplayName.Text or "" for one in value if isinstance(one, ua.EnumValueType)}
        case [ua.LocalizedText(), *_]:
            return {place: one.Text or "" for place, one in enumerate(value) if isinstance(one, ua.LocalizedText)}
    return {}


def _path(reference: int, name: str) -> ua.RelativePath:
    return ua.RelativePath(
        Elements=[
            ua.RelativePathElement(
                ReferenceTypeId=standard(reference),
                IsInverse=False,  # type: ignore[arg-type]  # asyncua names the types of the wire
                IncludeSubtypes=True,  # type: ignore[arg-type]
                TargetName=ua.QualifiedName(name, 0),
            )
        ]
    )
