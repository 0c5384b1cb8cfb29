"""One try of an OPC UA server, for `raceway test`: connect, read every tag once, say what is wrong."""

from __future__ import annotations

import time

from asyncua import ua

from collectors.opcua.address import Address
from collectors.opcua.alarm_config import ALARM
from collectors.opcua.alarms import REFRESH, Alarms, trouble_of
from collectors.opcua.conditions import Conditions
from collectors.opcua.config import OpcUaConfig, Tag
from collectors.opcua.connection import opened
from collectors.opcua.declared import contradictions, learn_facts
from collectors.opcua.eventlist import read_events
from collectors.opcua.explain import FORESEEN, Untrusted, explained, status_name
from collectors.opcua.facts import Facts
from collectors.opcua.history import columns_of
from collectors.opcua.monitor import meaning
from collectors.opcua.odd import read_variant
from collectors.opcua.session import Session
from collectors.opcua.shape import shape
from collectors.opcua.subscription import Subscription
from collectors.opcua.table import Table
from collectors.opcua.wire import EVENT_LIST, Response
from collectors.points import BAD, Point
from collectors.probe import Probe, TagProbe


async def probe(config: OpcUaConfig, *, plant: str, timeout_s: float) -> Probe:
    """What the server says of itself and of each tag. Never raises for a server that cannot be reached or refuses."""
    tried = config.model_copy(update={"connect_timeout_s": timeout_s})
    try:
        async with opened(tried) as session:
            tags = await _read(session, config, plant)
            if config.alarms:
                tags += await _alarms(session, config, plant)
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


async def _alarms(session: Session, config: OpcUaConfig, plant: str) -> tuple[TagProbe, ...]:
    """The standing alarms of each notifier, told as after a connection."""
    conditions = Conditions.of(config, plant=plant)
    alarms = Alarms(config, session, conditions)

    def heard(response: Response, body: bytes) -> None:
        for part in response.parts:
            if part.encoding == EVENT_LIST:
                alarms.hear(read_events(body, part.start, part.stop, read_variant), time.time_ns())

    subscription = Subscription(session.client, config, heard=heard, lost=lambda _: None)
    try:
        await subscription.create()
        await alarms.ask(subscription.id)
        await alarms.refresh(subscription.id)
    finally:
        subscription.close()
    troubles = alarms.troubles()
    probes: list[TagProbe] = []
    for notifier, (wanted, place) in enumerate(zip(config.alarms, conditions.places, strict=True)):
        name, trouble = str(place.series(ALARM)), troubles.get(trouble_of(wanted), troubles.get(REFRESH, ""))
        standing = conditions.retained(notifier)
        probes += [
            TagProbe(name, wanted.node, f"{one['state']}: {one.get('name', '')}", type="alarm") for one in standing
        ]
        if trouble or not standing:
            probes.append(TagProbe(name, wanted.node, None if trouble else "no alarm", type="alarm", trouble=trouble))
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
