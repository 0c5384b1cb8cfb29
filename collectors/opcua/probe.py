"""One try of an OPC UA server, for `raceway test`: connect, read every tag once, say what is wrong."""

from __future__ import annotations

import time

from asyncua import ua

from collectors.opcua.address import Address
from collectors.opcua.config import OpcUaConfig, Tag
from collectors.opcua.connection import opened
from collectors.opcua.declared import contradictions, learn_facts
from collectors.opcua.explain import FORESEEN, Untrusted, explained, status_name
from collectors.opcua.facts import Facts
from collectors.opcua.history import columns_of
from collectors.opcua.monitor import meaning
from collectors.opcua.session import Session
from collectors.opcua.shape import shape
from collectors.opcua.table import Table
from collectors.points import BAD, Point
from collectors.probe import Probe, TagProbe


async def probe(config: OpcUaConfig, *, plant: str, timeout_s: float) -> Probe:
    """What the server says of itself and of each tag. Never raises for a server that cannot be reached or refuses."""
    tried = config.model_copy(update={"connect_timeout_s": timeout_s})
    try:
        async with opened(tried) as session:
            tags = await _read(session, config, plant)
            return Probe(config.name, "opcua", config.url, facts=_facts(session, config), tags=tags)
    except (*FORESEEN, Untrusted) as error:
        return Probe(config.name, "opcua", config.url, trouble=explained(error, config.url).reason)


def _facts(session: Session, config: OpcUaConfig) -> dict[str, str]:
    return {
        "product": session.product,
        "started": session.started,
        "clock": f"{session.skew_s:+.1f} s against ours",
        "security": f"{config.security.policy} {config.security.mode}",
        "session": f"{session.client.session_timeout / 1000:g} s",
        "items_per_call": str(session.per_create),
        **({"profile": session.profile.name} if session.profile.name else {}),
    }


async def _read(session: Session, config: OpcUaConfig, plant: str) -> tuple[TagProbe, ...]:
    """Every signal of every tag, read once, in the order of the configuration."""
    table = Table.of(config, plant=plant)
    nodes: dict[int, ua.NodeId] = {}
    unresolved: dict[int, str] = {}
    for tag, wanted in enumerate(config.tags):
        try:
            nodes[tag] = session.node(Address.parse(wanted.node))
        except LookupError as error:
            unresolved[tag] = str(error)
    facts = Facts.none(len(config.tags))
    await learn_facts(session, {tag: config.tags[tag] for tag in nodes}, nodes, facts)
    unresolved |= contradictions(config.tags, facts)
    values = dict(zip(nodes, await session.read(list(nodes.values())), strict=True))
    columns = columns_of(list(values.items()), facts.structures)
    shaped = shape(columns, table, source=config.name, received_ns=time.time_ns(), facts=facts)
    rows = dict(zip(shaped.batch.which.tolist(), shaped.batch.points(), strict=True))
    probes: list[TagProbe] = []
    for tag, wanted in enumerate(config.tags):
        first = int(table.first[tag])
        for which in range(first, first + int(table.width[tag])):
            trouble = unresolved.get(tag) or shaped.misfits.get(tag, "")
            probes.append(_row(rows.get(which), str(table.series[which]), wanted, values.get(tag), trouble))
    return tuple(probes)


def _row(point: Point | None, name: str, wanted: Tag, value: ua.DataValue | None, trouble: str) -> TagProbe:
    """One line of the table. The age of an unchanged value says nothing, so it is no trouble."""
    kind = value.Value.VariantType.name if value is not None and value.Value is not None else ""
    if point is None:
        return TagProbe(name, wanted.node, unit=wanted.unit, type=kind, trouble=trouble)
    bad = point.quality >= BAD
    return TagProbe(
        tag=name,
        address=wanted.node,
        value=None if bad else point.value,
        unit=wanted.unit,
        type=kind,
        quality=point.quality,
        t_ns=point.t_ns,
        trouble=trouble or (meaning(point.quality) if bad else status_name(point.quality) if point.quality else ""),
    )
