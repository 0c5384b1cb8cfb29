"""What the server itself says about its variables: units, ranges, names of enumerations, types of structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from collectors.opcua.config import Tag
from collectors.opcua.eu import contradiction, unit_of
from collectors.opcua.facts import Facts, Names
from collectors.opcua.session import Session
from collectors.opcua.typetree import TypeTree, enumerated, properties

UNIT, RANGE, STRINGS, VALUES, ON, OFF = (
    "EngineeringUnits", "EURange", "EnumStrings", "EnumValues", "TrueState", "FalseState"
)  # fmt: skip
OF_KIND = {"gauge": (UNIT, RANGE), "counter": (UNIT,), "state": (), "text": (STRINGS, VALUES, ON, OFF), "event": ()}
"""The properties that matter to a signal of each kind."""


async def learn_facts(session: Session, tags: Mapping[int, Tag], nodes: Mapping[int, ua.NodeId], facts: Facts) -> None:
    """Ask what is declared of these tags, and put it into `facts`.

    Raises what `explain.FORESEEN` lists, but nothing where the server does not look up paths: then it says nothing.
    """
    wanted = [(tag, name) for tag in nodes for name in OF_KIND[tags[tag].kind] if name != UNIT or tags[tag].unit]
    values = await properties(session, [(nodes[tag], name) for tag, name in wanted])
    found: dict[int, dict[str, Any]] = {tag: {} for tag in nodes}
    for (tag, name), value in zip(wanted, values, strict=True):
        if value is not None:
            found[tag][name] = value
    for tag, said in found.items():
        facts.asked.add(tag)
        facts.units[tag] = _unit(said.get(UNIT))
        if isinstance(limits := said.get(RANGE), ua.Range):
            facts.limit(tag, float(limits.Low), float(limits.High))
        if names := _names(said):
            facts.names[tag] = names
    typed = {
        tag: nodes[tag] for tag in nodes if tags[tag].fields or (tags[tag].kind == "text" and not facts.names.get(tag))
    }
    await _learn_types(session, tags, typed, facts)


async def _learn_types(session: Session, tags: Mapping[int, Tag], nodes: Mapping[int, ua.NodeId], facts: Facts) -> None:
    """The names of enumerations, and the structures, by the types of the variables."""
    if not nodes:
        return
    tree = TypeTree(session, facts.structures)
    types = await session.read(list(nodes.values()), AttributeIds.DataType)
    for tag, said in zip(nodes, types, strict=True):
        type_id = said.Value.Value if said.Value is not None else None
        if not isinstance(type_id, ua.NodeId):
            continue
        if tags[tag].fields:
            if trouble := await tree.learn(type_id):
                facts.troubles[tag] = trouble
        elif names := await tree.names(type_id):
            facts.names[tag] = names


def contradictions(tags: Sequence[Tag], facts: Facts) -> dict[int, str]:
    """Say by tag why it cannot be right, for people; only those that contradict the server."""
    said = {
        tag: contradiction(unit, tags[tag].unit, scale=tags[tag].scale, offset=tags[tag].offset)
        for tag, unit in facts.units.items()
    }
    return {tag: text for tag, text in said.items() if text} | facts.troubles


def _names(said: Mapping[str, Any]) -> Names:
    """The names that a variable itself gives its numbers: a discrete item of some kind (OPC 10000-8 §5.3.3)."""
    if isinstance(on := said.get(ON), ua.LocalizedText) and isinstance(off := said.get(OFF), ua.LocalizedText):
        return {1: on.Text or "", 0: off.Text or ""}
    return enumerated(said.get(VALUES)) or enumerated(said.get(STRINGS))


def _unit(value: object) -> str:
    if not isinstance(value, ua.EUInformation):
        return ""
    return unit_of(value.UnitId, str(value.DisplayName.Text or ""))
