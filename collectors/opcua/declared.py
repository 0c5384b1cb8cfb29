"""What the server itself says about the units of its variables, against what is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.config import Tag
from collectors.opcua.eu import contradiction, unit_of
from collectors.opcua.session import Session, in_chunks, standard

_UNITS = ua.RelativePath(
    Elements=[
        ua.RelativePathElement(
            ReferenceTypeId=standard(ObjectIds.HasProperty),
            IsInverse=False,  # type: ignore[arg-type]  # asyncua names the types of the wire
            IncludeSubtypes=True,  # type: ignore[arg-type]
            TargetName=ua.QualifiedName("EngineeringUnits", 0),
        )
    ]
)


async def declared_units(session: Session, nodes: Mapping[int, ua.NodeId]) -> dict[int, str]:
    """Say by tag the unit that its EngineeringUnits property names, for those that have one that we know.

    Raises what `explain.FORESEEN` lists, but nothing where the server does not look up paths: then it says nothing.
    """
    services = session.client.uaclient.session

    async def call(chunk: Sequence[ua.NodeId]) -> list[ua.BrowsePathResult]:
        return await services.translate_browsepaths_to_nodeids([ua.BrowsePath(node, _UNITS) for node in chunk])

    found: dict[int, ua.NodeId] = {}
    with suppress(UaStatusCodeError):
        results, _ = await in_chunks(list(nodes.values()), call, size=session.per_read)
        for tag, result in zip(nodes, results, strict=True):
            if result.StatusCode.is_good() and result.Targets:
                target = result.Targets[0].TargetId
                found[tag] = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
    values = await session.read(list(found.values()))
    units = {tag: _unit(value) for tag, value in zip(found, values, strict=True)}
    return {tag: unit for tag, unit in units.items() if unit}


def contradictions(tags: Sequence[Tag], units: Mapping[int, str]) -> dict[int, str]:
    """Say by tag why its unit cannot be right, for people; only those that contradict the server."""
    said = {
        tag: contradiction(unit, tags[tag].unit, scale=tags[tag].scale, offset=tags[tag].offset)
        for tag, unit in units.items()
    }
    return {tag: text for tag, text in said.items() if text}


def _unit(value: Any) -> str:
    information = value.Value.Value if value.Value is not None else None
    if not isinstance(information, ua.EUInformation):
        return ""
    return unit_of(information.UnitId, str(information.DisplayName.Text or ""))
