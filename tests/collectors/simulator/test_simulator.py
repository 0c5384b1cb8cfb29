"""The simulator as a process: real servers that answer, and a ledger that equals what plain subscribers got."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho
import pytest
from asyncua import Client, ua

from collectors.simulator.ledger import Emission, Emitted, Value
from collectors.simulator.meters import MEDIA
from collectors.simulator.opcua_server import NAMESPACE
from collectors.simulator.plant import Plant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SIGNALS = {(m.name, s.name): s for m in Plant(1).machines for s in m.signals}


async def until(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Wait for another process; the assertion that follows says what is wrong if it never comes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.02)


class Process:
    """A running simulator: its addresses, its ledger, and a way to say `run` and `pause`."""

    def __init__(self, process: asyncio.subprocess.Process, addresses: dict[str, Any]) -> None:
        self.process, self.addresses = process, addresses

    async def say(self, command: str) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(command.encode() + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        async with asyncio.timeout(20):
            return orjson.loads(await self.process.stdout.readline())


@contextlib.asynccontextmanager
async def running(ledger: Path, *options: str) -> AsyncIterator[Process]:
    """A simulator that waits for `run`; ended by SIGTERM, and its exit checked."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "collectors.simulator", "--ledger", str(ledger), "--paused", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    simulator = Process(process, {})
    try:
        simulator.addresses = await simulator.answer()
        yield simulator
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            code = await process.wait()
    assert 0 == code


def _value(data: ua.DataValue) -> Value:
    assert data.Value is not None
    return data.Value.Value if isinstance(data.Value.Value, str) else float(data.Value.Value)


def _t_ns(data: ua.DataValue) -> int:
    assert data.SourceTimestamp is not None
    return (data.SourceTimestamp.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1000


class Collected:
    """A plain subscriber: every value it was sent."""

    def __init__(self) -> None:
        self.values: dict[Emission, Value] = {}

    def datachange_notification(self, node: Any, _value_: Any, data: Any) -> None:
        machine, name = node.nodeid.Identifier.split(".")
        self.values[Emission(machine, name, _t_ns(data.monitored_item.Value))] = _value(data.monitored_item.Value)


async def _nodes(client: Client) -> list[Any]:
    index = await client.get_namespace_index(NAMESPACE)
    return [client.get_node(ua.NodeId(f"{machine}.{name}", index)) for machine, name in SIGNALS]


async def test_a_plain_subscriber_gets_what_the_ledger_says(tmp_path: Path) -> None:
    """Every value in the ledger reached an OPC UA subscriber, value and source timestamp equal, and no other did."""
    got = Collected()
    async with (
        running(tmp_path / "ledger", "--opcua-port", "0", "--rate", "5") as simulator,
        Client(simulator.addresses["opcua"]) as client,
    ):
        subscription = await client.create_subscription(50, got)
        await subscription.subscribe_data_change(await _nodes(client), queuesize=100)
        await simulator.say("run")
        await until(lambda: len(got.values) >= 1000)
        paused = await simulator.say("pause")
        emitted = Emitted.read(tmp_path / "ledger")
        assert paused["opcua_values"] + len(SIGNALS) == len(emitted.opcua)
        await until(lambda: len(got.values) >= len(emitted.opcua))
    assert emitted.opcua == got.values


async def test_a_plain_mqtt_client_gets_what_the_ledger_says(tmp_path: Path) -> None:
    """Every accepted message reached an MQTT subscriber, with the values and the time that the ledger has."""
    got: dict[Emission, Value] = {}
    async with running(tmp_path / "ledger", "--mqtt-port", "0", "--rate", "5") as simulator:
        with subscribed(simulator.addresses["mqtt"], got) as ready:
            await ready()
            await simulator.say("run")
            await until(lambda: len(got) >= 500)
            assert (await simulator.say("pause"))["settled"]
            emitted = Emitted.read(tmp_path / "ledger")
            await until(lambda: len(got) >= len(emitted.mqtt))
    assert {} == emitted.unsure
    assert emitted.mqtt == got


@contextlib.contextmanager
def subscribed(url: str, got: dict[Emission, Value]) -> Any:
    """A plain subscriber of all meters that files each message under its values."""

    def on_message(_client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        _, _, _, machine, medium = message.topic.split("/")
        payload = orjson.loads(message.payload)
        for key in MEDIA[medium]:
            got[Emission(machine, key.signal, payload["ts"] * 1_000_000)] = payload[key.path]

    loop, subscribed_ = asyncio.get_running_loop(), asyncio.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="looker-on")
    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe("plant/#", qos=1)
    client.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed_.set)
    client.connect("127.0.0.1", int(url.rsplit(":", 1)[1]))
    client.loop_start()

    async def ready() -> None:
        async with asyncio.timeout(5):
            await subscribed_.wait()

    try:
        yield ready
    finally:
        client.disconnect()
        client.loop_stop()


async def test_the_server_describes_its_variables(tmp_path: Path) -> None:
    """A unit and a range are properties of the variable, the machine has its Chinese name, history is announced."""
    async with (
        running(tmp_path / "ledger", "--opcua-port", "0") as simulator,
        Client(simulator.addresses["opcua"]) as client,
    ):
        index = await client.get_namespace_index(NAMESPACE)
        node = client.get_node(ua.NodeId("furnace-1.zone_1_temperature", index))
        unit = await (await node.get_child("0:EngineeringUnits")).read_value()
        span = await (await node.get_child("0:EURange")).read_value()
        path = ["0:Objects", *(f"{index}:{name}" for name in ("Plant", "heat-treatment", "belt-1", "furnace-1"))]
        machine = await client.nodes.root.get_child(path)
        assert ("°C", 4408652) == (unit.DisplayName.Text, unit.UnitId)
        assert (0.0, 1000.0) == (span.Low, span.High)
        assert "网带炉 1 号" == (await machine.read_display_name()).Text
        assert ua.AccessLevel.HistoryRead in await node.get_access_level()
        assert 800.0 < await node.read_value() < 880.0


async def test_a_restarted_server_remembers_its_history(tmp_path: Path) -> None:
    """After SIGKILL and a start on the same ledger, HistoryRead gives every value of the first run, page by page."""
    ledger = tmp_path / "ledger"
    with contextlib.suppress(AssertionError):  # a killed process does not end with 0
        async with running(ledger, "--opcua-port", "0", "--rate", "10") as first:
            await first.say("run")
            await until(lambda: ledger.stat().st_size > 60_000)
            first.process.kill()
    name = ("cnc-1", "spindle_load")
    async with running(ledger, "--opcua-port", "0") as second, Client(second.addresses["opcua"]) as client:
        emitted = {at.t_ns: value for at, value in Emitted.read(ledger).opcua.items() if at[:2] == name}
        index = await client.get_namespace_index(NAMESPACE)
        node = client.get_node(ua.NodeId(".".join(name), index))
        got: list[ua.DataValue] = []
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False, StartTime=EPOCH, EndTime=datetime.now(UTC) + timedelta(seconds=1), NumValuesPerNode=7
        )
        point = None
        while True:
            value_id = ua.HistoryReadValueId(NodeId=node.nodeid, ContinuationPoint=point)
            (result,) = await client.uaclient.history_read(
                ua.HistoryReadParameters(HistoryReadDetails=details, NodesToRead=[value_id])
            )
            got += result.HistoryData.DataValues
            if not (point := result.ContinuationPoint):
                break
    assert len(emitted) > 14
    assert emitted == {_t_ns(data): _value(data) for data in got}


async def test_republish_says_when_a_message_is_gone(tmp_path: Path) -> None:
    """Unlike asyncua's own server, this one does not answer Good with an empty message for ever."""
    async with (
        running(tmp_path / "ledger", "--opcua-port", "0") as simulator,
        Client(simulator.addresses["opcua"]) as client,
    ):
        subscription = await client.create_subscription(100, Collected())
        with pytest.raises(ua.uaerrors.BadMessageNotAvailable):
            await client.uaclient.session.republish(subscription.subscription_id, 4711)


async def test_an_unknown_command_is_answered(tmp_path: Path) -> None:
    """The simulator says which commands it knows and goes on."""
    async with running(tmp_path / "ledger") as simulator:
        assert "say run or pause" in (await simulator.say("dance"))["error"]
        assert (await simulator.say("run"))["running"]
