"""What meters and gateways of several makers really send, and the mapping or the profile that reads it.

Shapes: Acrel gateway protocol, Acrel platform v2, CET, USR, EMQX Neuron, a Modbus gateway with a CHINT DTSU666,
Tasmota, Shelly Gen2, Zigbee2MQTT, ChirpStack v4; as their makers document them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import pytest

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.decode import DEVICE_FAILURE, Decoder
from collectors.mqtt.packets import Messages
from collectors.mqtt.profiles import names
from collectors.simulator.meters import MEDIA
from tests.collectors.mqtt.test_mqtt_decode import messages

NOW = 1_800_000_000_000_000_000


class Dialect(NamedTuple):
    """A mapping, one real message, and the points that it holds: (machine, signal, value), at one time."""

    mapping: dict[str, Any]
    topic: str
    payload: bytes
    points: list[tuple[str, str, float | str]]
    t_ns: int


def local(text: str) -> int:
    """A moment of Shanghai time, ns."""
    from datetime import datetime, timedelta, timezone

    moment = datetime.fromisoformat(text).replace(tzinfo=timezone(timedelta(hours=8)))
    return int(moment.timestamp()) * 10**9


ACREL = Dialect(
    {
        "topic": "/gw/acrelHW/{product}/data/{sn}",
        "device": "meterSN",
        "time": {"path": "time", "format": "%Y%m%d%H%M%S"},
        "signals": [
            {"signal": "voltage_a", "path": "ua", "unit": "V"},
            {"signal": "active_power", "path": "p", "unit": "kW"},
            {"signal": "active_energy", "path": "wh", "unit": "kWh", "kind": "counter"},
            {"signal": "status", "path": "meterStatus", "kind": "text"},
        ],
        "ct": "ct",
        "pt": "pt",
        "side": "secondary",
    },
    "/gw/acrelHW/ADW300/data/21112403",
    b'{"type":"data","time":"20211124101800","gwSN":"21112403","meterSN":"adl-7","meterName":"adl400",'
    b'"meterStatus":"normal","ch":0,"ua":221,"p":1.25,"q":0.1,"pf":0.99,"pt":1,"ct":40,"wh":8.98,"wl":0.6}',
    [
        ("adl-7", "voltage_a", 221.0),
        ("adl-7", "active_power", 50.0),
        ("adl-7", "active_energy", 359.2),
        ("adl-7", "status", "normal"),
    ],
    local("2021-11-24 10:18:00"),
)

ACREL_PLATFORM = Dialect(
    {
        "topic": "acrel/+/notice",
        "device": "sn",
        "time": {"path": "timestamp", "format": "epoch_s"},
        "signals": [{"signal": "active_energy", "path": "payload.startEPI", "unit": "kWh", "kind": "counter"}],
        "ct": 1,
        "pt": 1,
        "side": "primary",
    },
    "acrel/1/notice",
    b'{"msgid":"1","method":"notice","timestamp":1638869890,"sn":"A1","payload":{"startEPI":"100.1"}}',
    [("A1", "active_energy", 100.1)],
    1_638_869_890 * 10**9,
)

CET = Dialect(
    {
        "topic": "cet/up/{line}",
        "device": "location_code",
        "time": {"path": '"ts "', "format": "epoch_s"},  # the key ends with a blank
        "signals": [
            {"signal": "current_a", "path": "properties[key=A相电流].value", "unit": "A"},
            {"signal": "current_b", "path": "properties[key=B相电流].value", "unit": "A"},
        ],
    },
    "cet/up/line-1",
    '{"version":"1","location_code":"P-03","ts ":1700000000,"properties":'
    '[{"type":"AI","key":"A相电流","value":0.25,"unit":"A"},{"type":"AI","key":"C相电流","value":1}]}'.encode(),
    [("P-03", "current_a", 0.25)],
    1_700_000_000 * 10**9,
)

USR = Dialect(
    {
        "topic": "usr/{machine}/up",
        "signals": [
            {"signal": "pressure", "path": "rw_prot.r_data[name=node0601].value", "unit": "bar", "scale": 0.1},
            {"signal": "temperature", "path": "rw_prot.r_data[name=node0602].value", "unit": "°C"},
        ],
    },
    "usr/compressor/up",
    b'{"rw_prot":{"Ver":"1.0.1","dir":"up","id":"12345","r_data":[{"name":"node0601","value":"71"},'
    b'{"name":"node0602","value":"63.5"}]}}',
    [("compressor", "pressure", 7.1), ("compressor", "temperature", 63.5)],
    NOW,
)

NEURON = Dialect(
    {
        "topic": "neuron/{line}/upload",
        "device": "node",
        "time": {"path": "timestamp", "format": "epoch_ms"},
        "signals": [
            {"signal": "spindle_speed", "path": "values.speed", "unit": "rpm"},
            {"signal": "temperature", "path": "values.temp", "unit": "°C"},
        ],
    },
    "neuron/line-1/upload",
    b'{"timestamp":1700000000123,"node":"cnc-1","group":"g","values":{"speed":1500},"errors":{"temp":2014},"metas":{}}',
    [("cnc-1", "spindle_speed", 1500.0)],
    1_700_000_000_123_000_000,
)

CHINT = Dialect(
    {
        "topic": "modbus/{machine}",
        "time": {"path": "t", "format": "iso"},
        "signals": [
            {"signal": "voltage_ab", "path": "regs.0x2000", "unit": "V", "scale": 0.1},
            {"signal": "active_power", "path": "regs.0x2012", "unit": "kW", "scale": 0.0001, "no_value": [-1]},
        ],
    },
    "modbus/dtsu666",
    b'{"t":"2023-11-14T22:13:20.5Z","regs":{"0x2000":2301.5,"0x2012":-1}}',
    [("dtsu666", "voltage_ab", 230.15)],
    1_700_000_000_500_000_000,
)

TASMOTA = Dialect(
    {
        "topic": "tele/{machine}/SENSOR",
        "time": {"path": "Time", "format": "iso"},  # local time, no zone
        "signals": [
            {"signal": "active_energy", "path": "ENERGY.Total", "unit": "kWh", "kind": "counter"},
            {"signal": "active_power", "path": "ENERGY.Power", "unit": "W"},
        ],
        "ct": 1,
        "pt": 1,
        "side": "primary",
    },
    "tele/plug-1/SENSOR",
    b'{"Time":"2024-01-15T10:00:00","ENERGY":{"TotalStartTime":"2023-01-01T00:00:00","Total":12.345,"Power":87}}',
    [("plug-1", "active_energy", 12.345), ("plug-1", "active_power", 87.0)],
    local("2024-01-15 10:00:00"),
)

SHELLY = Dialect(
    {
        "topic": "{machine}/events/rpc",
        "time": {"path": "params.ts", "format": "epoch_s"},
        "signals": [
            {"signal": "active_power", "path": '"params"."switch:0".apower', "unit": "W"},
            {"signal": "switch", "path": '"params"."switch:0".output', "kind": "state", "type": "bool"},
        ],
    },
    "shellyplus1pm/events/rpc",
    b'{"src":"shellyplus1pm","method":"NotifyStatus","params":{"ts":1700000000.25,"switch:0":'
    b'{"id":0,"apower":12.5,"output":true}}}',
    [("shellyplus1pm", "active_power", 12.5), ("shellyplus1pm", "switch", 1.0)],
    1_700_000_000_250_000_000,
)

ZIGBEE = Dialect(
    {
        "topic": "zigbee2mqtt/{machine}",
        "signals": [
            {"signal": "temperature", "path": "temperature", "unit": "°C"},
            {"signal": "door", "path": "state", "kind": "state", "map": {"ON": 1, "OFF": 0}},
        ],
    },
    "zigbee2mqtt/热处理炉",
    b'{"temperature":21.4,"state":"ON","linkquality":90}',
    [("热处理炉", "temperature", 21.4), ("热处理炉", "door", 1.0)],
    NOW,
)

CHIRPSTACK = Dialect(
    {
        "topic": "application/+/device/{sn}/event/up",
        "device": "deviceInfo.deviceName",
        "time": {"path": "time", "format": "iso"},
        "signals": [{"signal": "water", "path": "object.volume", "unit": "m³", "kind": "counter", "scale": 0.001}],
    },
    "application/1/device/0102/event/up",
    b'{"time":"2023-11-14T22:13:20.123456789+00:00","deviceInfo":{"deviceName":"water-1"},"object":{"volume":5000}}',
    [("water-1", "water", 5.0)],
    1_700_000_000_123_456_789,
)

PLAIN = Dialect(
    {"topic": "gas/{machine}/flow", "payload": "text", "signals": [{"signal": "flow", "unit": "m³/h"}]},
    "gas/g-1/flow",
    b"12.5\r\n",
    [("g-1", "flow", 12.5)],
    NOW,
)

ACREL_PROFILE = ACREL._replace(
    mapping={"profile": "acrel-adw300"},
    points=[
        ("adl-7", "voltage_a", 221.0),
        ("adl-7", "active_power", 50.0),
        ("adl-7", "reactive_power", 4.0),
        ("adl-7", "power_factor", 0.99),
        ("adl-7", "active_energy", 359.2),
        ("adl-7", "meter_status", "normal"),
    ],
)

ACREL_HISTORY = ACREL_PROFILE._replace(
    topic="/gw/acrelHW/ADW300/hstdata/21112403",
    payload=b'{"type":"hstdata","time":"20211124100300","gwSN":"21112403","meterSN":"adl-7","pt":10,"ct":40,"wh":8.9}',
    points=[("adl-7", "active_energy", 3560.0)],
    t_ns=local("2021-11-24 10:03:00"),
)

CET_PROFILE = CET._replace(mapping={"profile": "cet"}, points=[("P-03", "current_a", 0.25), ("P-03", "current_c", 1.0)])
USR_PROFILE = USR._replace(mapping={"profile": "usr", "signals": USR.mapping["signals"]})

NEURON_PROFILE = NEURON._replace(
    mapping={
        "profile": "neuron",
        "signals": [{"signal": "spindle_speed", "path": "values.speed", "error": "errors.speed", "unit": "rpm"}],
    }
)

CHINT_PROFILE = CHINT._replace(
    mapping={"profile": "chint-dtsu666", "ct": 40, "pt": 10},
    payload=b'{"t":"2023-11-14T22:13:20.5Z","regs":{"0x2000":2301.5,"0x200C":1250,"0x2012":12000,"0x101E":7.5}}',
    points=[
        ("dtsu666", "voltage_ab", 2301.5),
        ("dtsu666", "current_a", 50.0),
        ("dtsu666", "active_power", 480.0),
        ("dtsu666", "active_energy", 3000.0),
    ],
)

TASMOTA_PROFILE = TASMOTA._replace(
    mapping={"profile": "tasmota"},
    points=[("plug-1", "active_power", 87.0), ("plug-1", "active_energy", 12.345)],
)

SHELLY_PROFILE = SHELLY._replace(mapping={"profile": "shelly-plug"})

SHELLY_3EM = Dialect(
    {"profile": "shelly-3em"},
    "shellypro3em-1/events/rpc",
    b'{"src":"shellypro3em-1","method":"NotifyStatus","params":{"ts":1700000000.25,"emdata:0":{"id":0,'
    b'"total_act":12345.5,"total_act_ret":1.25}}}',
    [("shellypro3em-1", "active_energy", 12345.5), ("shellypro3em-1", "active_energy_export", 1.25)],
    1_700_000_000_250_000_000,
)

TELEGRAF = Dialect(
    {
        "profile": "line-protocol",
        "signals": [
            {"signal": "temperature", "path": "fields.temp", "unit": "°C"},
            {"signal": "mode", "path": "fields.mode", "kind": "text"},
        ],
    },
    "telegraf/edge/furnace",
    b'furnace,host=f\\ 1 temp=851.5,mode="heat, hold" 1700000000123456789\n',
    [("f 1", "temperature", 851.5), ("f 1", "mode", "heat, hold")],
    1_700_000_000_123_456_789,
)

DIALECTS = {name.lower(): value for name, value in list(globals().items()) if isinstance(value, Dialect)}


def decode(dialect: Dialect, *batch: tuple[str, bytes]) -> Any:
    config = MqttConfig.model_validate({"name": "m", "url": "mqtt://h", "mappings": [dialect.mapping]})
    received: Messages = messages(*(batch or [(dialect.topic, dialect.payload)]))
    return Decoder(config, plant="plant").decode(received, received_ns=NOW)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
def test_dialect(dialect: Dialect) -> None:
    """The message becomes these points at this time, with nothing refused."""
    decoded = decode(dialect)
    good = [point for point in decoded.batch.points() if point.quality == 0]
    assert [(point.series.machine, point.series.signal) for point in good] == [entry[:2] for entry in dialect.points]
    assert [point.value for point in good] == [
        pytest.approx(value) if isinstance(value, float) else value for _, _, value in dialect.points
    ]
    assert {point.t_ns for point in good} == {dialect.t_ns}
    assert decoded.letters == []


@pytest.mark.parametrize("medium", MEDIA)
def test_the_simulator_has_its_profiles(medium: str) -> None:
    """Each medium of the simulated plant is read whole by its profile, energy on the primary side."""
    payload = {key.path: number for number, key in enumerate(MEDIA[medium])} | {"ts": NOW // 10**6}
    dialect = Dialect({"profile": f"simulator-{medium}"}, f"plant/a/l/m/{medium}", orjson.dumps(payload), [], NOW)
    series = decode(dialect).batch.series
    assert {(one.signal, one.unit, one.kind) for one in series} == {
        (key.signal, key.unit, key.kind) for key in MEDIA[medium]
    }


def test_every_profile_has_a_fixture() -> None:
    """No profile is shipped that no recorded message was read with."""
    used = {dialect.mapping.get("profile") for dialect in DIALECTS.values()} | {f"simulator-{name}" for name in MEDIA}
    assert set(names()) == used - {None}


def test_acrel_is_answered_only_when_told_to() -> None:
    """The meter's login gets the answer that it waits for with answer: true; without it nothing is published."""
    login = ("/gw/acrelHW/ADW300/login/21112403", b'{"type":"login","gwSN":"21112403","time":"20221008105559"}')
    assert decode(ACREL_PROFILE, login).replies == []
    decoded = decode(Dialect({"profile": "acrel-adw300", "answer": True}, "", b"", [], 0), login)
    assert decoded.replies == [("/server/acrelHW/ADW300/login/21112403", b'{"type":"login","res":1}')]
    assert decoded.letters == []


def test_a_tag_that_neuron_could_not_read() -> None:
    """A tag in errors is Bad, and not simply absent."""
    payload = b'{"timestamp":1700000000123,"node":"cnc-1","group":"g","values":{},"errors":{"speed":2014}}'
    (point,) = decode(NEURON_PROFILE, (NEURON.topic, payload)).batch.points()
    assert (point.series.signal, point.quality) == ("spindle_speed", DEVICE_FAILURE)


def test_a_shelly_that_says_nothing_new() -> None:
    """A status change of something else holds none of the signals, and is no dead letter."""
    payload = b'{"src":"s","method":"NotifyStatus","params":{"ts":1700000000.25,"wifi":{"rssi":-60}}}'
    decoded = decode(SHELLY_PROFILE, (SHELLY.topic, payload))
    assert (decoded.batch, decoded.letters) == (None, [])


def test_two_shapes_on_one_topic() -> None:
    """A heartbeat beside the data on the same topic is a dead letter; the data are read."""
    login = orjson.dumps({"type": "login", "gwSN": "21112403", "meterSN": "adl-7"})
    decoded = decode(ACREL, (ACREL.topic, login), (ACREL.topic, ACREL.payload))
    assert len(decoded.batch) == len(ACREL.points)
    assert [letter.payload for letter in decoded.letters] == [login]
