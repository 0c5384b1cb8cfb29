"""The machines of the plant as an OPC UA server on loopback."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self, cast

from asyncua import Node, ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_server import InternalServer
from asyncua.server.server import Server
from asyncua.server.subscription_service import SubscriptionService

from collectors.simulator.history import PlantHistory, moment
from collectors.simulator.ledger import Ledger, Value, lines
from collectors.simulator.machines import Machine, Signal

NAMESPACE = "urn:raceway:simulator:plant"
UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"
UNIT_CODES = {
    "pcs": "H87",
    "kg": "KGM",
    "s": "SEC",
    "rpm": "RPM",
    "%": "P1",
    "°C": "CEL",
    "mm/s": "C16",
    "m/s": "MTS",
    "mm": "MMT",
    "kN": "B47",
    "µm": "4H",
    "dB": "2N",
    "L/h": "E32",
    "mm/min": "H81",
    "kW": "KWT",
}
"""Units as plants write them, and their common codes of UNECE Recommendation 20."""


def node_id(machine: str, signal: str) -> str:
    """The node of a signal as a configuration names it, with the namespace by its URI."""
    return f"nsu={NAMESPACE};s={machine}.{signal}"


class PlantSubscriptions(SubscriptionService):
    """asyncua's subscriptions with a Republish that says when a message is gone, as Part 4, 5.13.6 asks.

    The original answers Good with an empty message for ever, and forgets a message as soon as it has sent it again.
    """

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Send a message again that was not acknowledged yet."""
        subscription = self.subscriptions.get(params.SubscriptionId)
        if subscription is None:
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        result = subscription._not_acknowledged_results.get(params.RetransmitSequenceNumber)
        if result is None:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        return cast("ua.NotificationMessage", result.NotificationMessage)


class PlantServer:
    """Serves the machines; `show` writes their newest values.

    Nodes: Objects/Plant/<area>/<line>/<machine>/<signal>, NodeId ns=<urn:raceway:simulator:plant>;s=<machine>.<signal>,
    with EngineeringUnits and EURange where the signal has a unit, all with history.
    """

    def __init__(self, machines: Iterable[Machine], *, port: int, ledger: Ledger) -> None:
        self.url = f"opc.tcp://127.0.0.1:{port}/raceway/plant"
        self._machines = tuple(machines)
        self._ledger = ledger
        self._history = PlantHistory()
        self._nodes: dict[tuple[str, str], ua.NodeId] = {}
        self._signals = {
            (machine.name, signal.name): signal for machine in self._machines for signal in machine.signals
        }
        self._shown: dict[tuple[str, str], Value] = {}
        self._last_ns = 0
        inner = InternalServer()
        inner.subscription_service = PlantSubscriptions(inner.aspace, iserver=inner)
        inner.history_manager.set_storage(self._history)
        self._server = Server(iserver=inner)

    async def open(self, first: Mapping[str, Mapping[str, Value]]) -> None:
        """Build the address space, fill the history from an earlier run's ledger, show the first values and listen."""
        await self._server.init()
        self._server.set_endpoint(self.url)
        self._server.set_server_name("Raceway simulated bearing plant")
        self._server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await self._server.register_namespace(NAMESPACE)
        await self._build(index, first)
        self._remember()
        await self.show(first)
        await self._server.start()

    async def close(self) -> None:
        """End all sessions and stop listening."""
        await self._server.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def show(self, readings: Mapping[str, Mapping[str, Value]]) -> int:
        """Write the values that have changed, with a source timestamp that no node has had; returns how many."""
        self._last_ns = t_ns = max(time.time_ns() // 1000 * 1000, self._last_ns + 1000)
        changed: dict[str, dict[str, Value]] = {}
        for machine, reading in readings.items():
            for name, raw in reading.items():
                value = on_the_wire(raw, self._signals[machine, name])
                if self._shown.get((machine, name)) != value:
                    self._shown[machine, name] = value
                    changed.setdefault(machine, {})[name] = value
        self._ledger.written((machine, t_ns, values) for machine, values in changed.items())
        for machine, values in changed.items():
            for name, value in values.items():
                node, data = self._nodes[machine, name], self._data(machine, name, value, t_ns)
                self._history.keep(node, t_ns, data)
                await self._server.write_attribute_value(node, data)
        return sum(map(len, changed.values()))

    def _data(self, machine: str, name: str, value: Value, t_ns: int) -> ua.DataValue:
        kind = ua.VariantType[self._signals[machine, name].wire]
        held = value if isinstance(value, str) or kind in (ua.VariantType.Double, ua.VariantType.Float) else int(value)
        at = moment(t_ns)
        return ua.DataValue(ua.Variant(held, kind), SourceTimestamp=at, ServerTimestamp=at)

    def _remember(self) -> None:
        for line in lines(self._ledger.path):
            if line.get("source") == "opcua":
                self._last_ns = max(self._last_ns, line["t_ns"])
                for name, value in line["values"].items():
                    self._history.keep(
                        self._nodes[line["machine"], name],
                        line["t_ns"],
                        self._data(line["machine"], name, value, line["t_ns"]),
                    )

    async def _build(self, index: int, first: Mapping[str, Mapping[str, Value]]) -> None:
        folders: dict[tuple[str, ...], Node] = {
            (): await self._server.nodes.objects.add_folder(_node(index, "plant"), f"{index}:Plant")
        }
        for machine in self._machines:
            for path in ((machine.area,), (machine.area, machine.line)):
                if path not in folders:
                    folders[path] = await folders[path[:-1]].add_folder(
                        _node(index, "/".join(path)), f"{index}:{path[-1]}"
                    )
            parent = await folders[machine.area, machine.line].add_object(
                _node(index, machine.name), f"{index}:{machine.name}"
            )
            await parent.write_attribute(
                ua.AttributeIds.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText(machine.title, "zh-CN")))
            )
            for signal in machine.signals:
                node = await self._variable(parent, index, machine, signal, first[machine.name][signal.name])
                self._nodes[machine.name, signal.name] = node.nodeid

    async def _variable(self, parent: Node, index: int, machine: Machine, signal: Signal, first: Value) -> Node:
        node = await parent.add_variable(
            _node(index, f"{machine.name}.{signal.name}"),
            f"{index}:{signal.name}",
            self._data(machine.name, signal.name, on_the_wire(first, signal), 0).Value,
        )
        for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
            await node.set_attr_bit(attribute, ua.AccessLevel.HistoryRead)
        await node.write_attribute(ua.AttributeIds.Historizing, ua.DataValue(ua.Variant(True)))
        if signal.unit:
            unit, span = engineering_units(signal.unit), ua.Range(signal.low, signal.high)
            for name, value in (("EngineeringUnits", unit), ("EURange", span)):
                await node.add_property(_node(index, f"{machine.name}.{signal.name}.{name}"), f"0:{name}", value)
        return node


def _node(index: int, name: str) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(index))


def on_the_wire(value: Value, signal: Signal) -> Value:
    """The value that a client gets for it: whole numbers for integers, the nearest single for a Float."""
    match signal.wire:
        case "String":
            return value
        case "Double":
            return float(value)
        case "Float":
            return ctypes.c_float(float(value)).value
        case _:
            return float(int(value))


def engineering_units(unit: str) -> ua.EUInformation:
    """EUInformation with the UNECE code's bytes as UnitId (Part 8, 5.6.3)."""
    code = UNIT_CODES[unit]
    return ua.EUInformation(
        NamespaceUri=UNECE,
        UnitId=int.from_bytes(code.encode(), "big"),
        DisplayName=ua.LocalizedText(unit),
        Description=ua.LocalizedText(code),
    )
