"""asyncua's own server as a child process, told what to do over its standard input.

    python tests/servers/opcua_child.py '{"port": 4841, "counters": 3}'

It prints `ready` when it listens. Each line on standard input is one JSON command, each is answered by a number:
{"do": "add", "name": "Late", "value": 1.0}      {"do": "write", "name": "Late", "value": 2.0}
{"do": "delete", "name": "Late"}                  {"do": "drop_next"}: the next message with data is lost on its way
{"do": "repeat", "count": 5}: so many of the next messages with data come twice
{"do": "service_level", "level": 100}            {"do": "filters_tried"}: how many items came with a filter
{"do": "unacknowledged"}: how many messages it still keeps     {"do": "sessions"}: how many sessions it has
{"do": "end_sessions"}: closes them all and their subscriptions
{"do": "alarm", "name": "Hot", "active": true}: an event of an alarm, not acknowledged, retained while it is active
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asyncua import Server, ua
from asyncua.server.history_sql import HistorySQLite
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from opcua_types import add_types

URI = "http://raceway.example/machine"
OTHER_URI = "http://raceway.example/other"


@dataclass
class Options:
    """What the server is like."""

    port: int
    counters: int = 3  # C0, C1, …: doubles that all rise by 1 every period_s
    period_s: float = 0.1
    swapped: bool = False  # the namespaces come in another order
    per_call: int = 0  # MaxMonitoredItemsPerCall, enforced
    per_read: int = 0
    tells_limits: bool = True
    historizing: bool = False
    history_file: str = ""  # SQLite, so that the history outlives the process; in memory where empty
    first: int = 0  # what the counters begin with
    subscribes: bool = True  # whether it has subscriptions; without them its values can only be read
    refreshes: bool = False  # whether it takes ConditionRefresh, and then tells nothing, not even that it ended
    filters: bool = True  # whether it keeps deadbands; without them every filter is refused
    product: str = ""  # what the server calls itself, manufacturer and product
    publishing_ms: float = 0  # the publishing interval is revised to this
    keep_alive: int = 0  # the keep-alive count is revised to this
    certificate: str = ""  # DER; then only encrypted and signed connections are taken
    private_key: str = ""  # PEM
    only: str = ""  # the only security policy, for example Basic256Sha256_SignAndEncrypt; all where empty
    values: dict[str, Any] = field(default_factory=dict)  # further variables: name -> [variant type, value]
    units: dict[str, Any] = field(default_factory=dict)  # of variables: name -> [UN/CEFACT code, low, high]
    types: bool = False  # variables of enumerations and structures, see opcua_types.py
    nodeset: str = ""  # a NodeSet2 file with further nodes
    paths: dict[str, Any] = field(default_factory=dict)  # objects below Objects: "Shop/Lathe/Power" -> value


class History(HistorySQLite):
    """asyncua's own, which refuses nodes whose identifier is a text."""

    def _get_table_name(self, node_id: ua.NodeId) -> str:
        return f"of_{node_id.Identifier}"


class Plant:
    """The address space and its clock."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.server = Server()
        self.nodes: dict[str, Any] = {}
        self.index = 0
        self.folder: Any = None

    async def start(self) -> None:
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.options.port}")
        if self.options.certificate:
            await self._secure()
        uris = [OTHER_URI, URI] if self.options.swapped else [URI, OTHER_URI]
        for uri in uris:
            await self.server.register_namespace(uri)
        self.index = await self.server.get_namespace_index(URI)
        other = await self.server.get_namespace_index(OTHER_URI)
        self.folder = await self.server.nodes.objects.add_object(self.index, "Machine")
        await self.folder.add_variable(ua.NodeId("C0", other), "C0", -1.0)
        for number in range(self.options.counters):
            await self.add(f"C{number}", float(self.options.first))
        for name, (kind, value) in self.options.values.items():
            await self.add(name, value, kind)
        for name, (code, low, high) in self.options.units.items():
            await self._give_unit(name, code, low, high)
        if self.options.types:
            await add_types(self.server, self.folder, self.index)
        if self.options.nodeset:
            await self.server.import_xml(self.options.nodeset)
        for path, value in self.options.paths.items():
            await self._place(path.split("/"), value)
        await self._limit()
        if not self.options.subscribes:
            refuse_subscriptions(self.server)
        if self.options.refreshes:
            self.server.link_method(self.server.get_node(ua.ObjectIds.ConditionType_ConditionRefresh), take_refresh)
        if not self.options.filters:
            refuse_filters()
        if self.options.product:
            manufacturer, _, product = self.options.product.partition("|")
            await self.server.set_build_info("", manufacturer, product, "1.0", "1", datetime.now(UTC))
        await self.server.start()
        if self.options.history_file:
            self.server.iserver.history_manager.set_storage(History(self.options.history_file))
            await self.server.iserver.history_manager.init()
        if self.options.historizing:
            for node in self.nodes.values():
                await self.server.historize_node_data_change(node, count=10_000)
                await node.set_attr_bit(ua.AttributeIds.AccessLevel, ua.AccessLevel.HistoryRead)

    async def _secure(self) -> None:
        types = ua.SecurityPolicyType
        wanted = [types[self.options.only]] if self.options.only else [one for one in types if "Sha256" in one.name]
        self.server.set_security_policy(wanted)
        await self.server.load_certificate(self.options.certificate)
        await self.server.load_private_key(self.options.private_key)

    async def _limit(self) -> None:
        ids = ua.ObjectIds
        for id_, limit in (
            (ids.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, self.options.per_call),
            (ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, self.options.per_read),
        ):
            if limit and self.options.tells_limits:
                await self.server.get_node(ua.NodeId(id_)).write_value(limit, ua.VariantType.UInt32)
        if self.options.per_call:
            enforce_items_per_call(self.options.per_call)
        if self.options.keep_alive or self.options.publishing_ms:
            revise_subscriptions(self.server, self.options)

    async def _give_unit(self, name: str, code: str, low: float, high: float) -> None:
        number = int.from_bytes(code.encode(), "big")
        unit = ua.EUInformation(UnitId=number, DisplayName=ua.LocalizedText(code))
        for what, value in (("EngineeringUnits", unit), ("EURange", ua.Range(Low=low, High=high))):
            id_ = ua.NodeId(f"{name}.{what}", self.index)
            await self.nodes[name].add_property(id_, ua.QualifiedName(what, 0), value)

    async def _place(self, names: list[str], value: Any) -> None:
        parent, so_far = self.server.nodes.objects, ""
        for name in names[:-1]:
            so_far += f"/{name}"
            if so_far not in self.nodes:
                kind = parent.add_folder if name.startswith("Shop") else parent.add_object
                self.nodes[so_far] = await kind(ua.NodeId(so_far, self.index), ua.QualifiedName(name, self.index))
            parent = self.nodes[so_far]
        whole = "/".join(names)
        node = ua.NodeId(whole, self.index)
        self.nodes[whole] = await parent.add_variable(node, ua.QualifiedName(names[-1], self.index), value)

    async def add(self, name: str, value: Any, kind: str = "Double") -> None:
        variant = ua.Variant(value, ua.VariantType[kind])
        self.nodes[name] = await self.folder.add_variable(ua.NodeId(name, self.index), name, variant)

    async def write(self, name: str, value: Any, kind: str = "Double", status: int = 0) -> None:
        now = datetime.now(UTC)
        data = ua.DataValue(
            ua.Variant(value, ua.VariantType[kind]), ua.StatusCode(status), SourceTimestamp=now, ServerTimestamp=now
        )
        await self.server.write_attribute_value(self.nodes[name].nodeid, data)

    async def count(self) -> None:
        number = float(self.options.first)
        while True:
            await asyncio.sleep(self.options.period_s)
            number += 1
            for counter in range(self.options.counters):
                await self.write(f"C{counter}", number)

    async def delete(self, name: str) -> None:
        await self.server.delete_nodes([self.nodes.pop(name)])

    async def alarm(self, name: str, active: bool, severity: int = 700, **more: Any) -> None:
        """Send what an alarm's event would be; asyncua's server knows no conditions."""
        generator = await self.server.get_event_generator(ua.ObjectIds.AlarmConditionType)
        state = {"ActiveState/Id": active, "AckedState/Id": not active, "Retain": active, "ConditionName": name}
        for field_name, value in {
            **state,
            "NodeId": ua.NodeId(name, self.index),
            "SourceName": "Spindle",
            **more,
        }.items():
            setattr(generator.event, field_name, value)
        generator.event.Severity = severity
        await generator.trigger(message=f"{name} is {'active' if active else 'over'}")

    async def service_level(self, level: int) -> None:
        node = self.server.get_node(ua.NodeId(ua.ObjectIds.Server_ServiceLevel))
        await node.write_value(ua.Variant(level, ua.VariantType.Byte))

    async def filters_tried(self) -> int:
        return FILTERS_TRIED[0]

    async def drop_next(self) -> None:
        drop_next_message()

    async def repeat(self, count: int) -> None:
        repeat_messages(count)

    async def unacknowledged(self) -> int:
        subscriptions = self.server.iserver.subscription_service.subscriptions.values()
        return sum(len(subscription._not_acknowledged_results) for subscription in subscriptions)

    async def sessions(self) -> int:
        return len(self.server.iserver._external_sessions)

    async def end_sessions(self) -> None:
        for session in list(self.server.iserver._external_sessions.values()):
            await session.close_session(True)


def enforce_items_per_call(limit: int) -> None:
    """Asyncua's server tells the limit and does not keep it."""
    original = MonitoredItemService.create_monitored_items

    async def limited(self: Any, params: Any, *args: Any) -> Any:
        if len(params.ItemsToCreate) > limit:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
        return await original(self, params, *args)

    MonitoredItemService.create_monitored_items = limited  # type: ignore[method-assign]


def refuse_subscriptions(server: Server) -> None:
    """What a server answers that does not know the service."""

    async def unknown(*_: Any, **__: Any) -> Any:
        raise ua.UaStatusCodeError(ua.StatusCodes.BadServiceUnsupported)

    server.iserver.subscription_service.create_subscription = unknown  # type: ignore[method-assign]


async def take_refresh(*_: Any) -> list[ua.Variant]:
    """Say that the standing alarms will be told again."""
    return []


FILTERS_TRIED = [0]


def refuse_filters() -> None:
    """Refuse every monitored item that comes with a filter, and count them."""
    original = MonitoredItemService.create_monitored_items

    async def without(self: Any, params: Any, *args: Any) -> Any:
        filtered = [bool(one.RequestedParameters.Filter) for one in params.ItemsToCreate]
        FILTERS_TRIED[0] += sum(filtered)
        results = await original(self, params, *args)
        for result, is_filtered in zip(results, filtered, strict=True):
            if is_filtered:
                result.StatusCode = ua.StatusCode(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
        return results

    MonitoredItemService.create_monitored_items = without  # type: ignore[method-assign]


def revise_subscriptions(server: Server, options: Options) -> None:
    """Answer every CreateSubscription with another keep-alive count or publishing interval."""
    service = server.iserver.subscription_service
    original = service.create_subscription

    async def revised(params: Any, *args: Any, **more: Any) -> Any:
        params.RequestedMaxKeepAliveCount = options.keep_alive or params.RequestedMaxKeepAliveCount
        params.RequestedPublishingInterval = options.publishing_ms or params.RequestedPublishingInterval
        return await original(params, *args, **more)

    service.create_subscription = revised  # type: ignore[method-assign]


def drop_next_message() -> None:
    """Lose one message with data: its number is used up, and nobody gets it."""
    original = InternalSubscription._pop_publish_result

    def losing(self: Any) -> Any:
        result = original(self)
        if result.NotificationMessage.NotificationData and self.pub_request_callback:  # not the history's own
            InternalSubscription._pop_publish_result = original  # type: ignore[method-assign]
            result.NotificationMessage.NotificationData = []
            result.NotificationMessage.SequenceNumber = self._notification_seq
        return result

    InternalSubscription._pop_publish_result = losing  # type: ignore[method-assign]


def repeat_messages(count: int) -> None:
    """Answer two requests with the same message, number and all, so many times."""
    original = InternalSubscription._pop_publish_result
    sent: dict[int, Any] = {}  # by subscription
    left = count

    def repeating(self: Any) -> Any:
        nonlocal left
        if id(self) in sent:
            return sent.pop(id(self))
        result = original(self)
        if left and result.NotificationMessage.NotificationData and self.pub_request_callback:
            left -= 1
            sent[id(self)] = result
        return result

    InternalSubscription._pop_publish_result = repeating  # type: ignore[method-assign]


async def commands(plant: Plant) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        print(await getattr(plant, command.pop("do"))(**command) or 0, flush=True)


async def main() -> None:
    logging.disable(logging.CRITICAL)
    plant = Plant(Options(**json.loads(sys.argv[1])))
    await plant.start()
    print("ready", flush=True)
    counting = asyncio.create_task(plant.count())
    await commands(plant)
    counting.cancel()
    await plant.server.stop()


if __name__ == "__main__":
    asyncio.run(main())
