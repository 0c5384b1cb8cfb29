"""What is measured: each case runs one peer once and returns its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol

from benchmarks.cases.fault import FAULTS, Fault
from benchmarks.cases.micro import Micro
from benchmarks.cases.mqtt import MqttDrain, MqttSteady
from benchmarks.cases.opcua import OpcUaCase
from benchmarks.cases.standing import Idle, Start
from benchmarks.figures import Figures
from benchmarks.peers import Peer


class Case(Protocol):
    """One row of the table; its fields are its settings."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    compares: ClassVar[bool]
    """Whether peers can do it, too."""

    @property
    def name(self) -> str:
        """On the command line."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    def run(self, peer: Peer, folder: Path, *, seconds: float) -> Figures:
        """One peer once, its files in `folder`; `seconds` are measured."""
        ...


_REFUSED, _MISSING, _KILLED, _TORN, _EDITED, _CUT, _FROZEN, _RESTARTED = FAULTS

CASES: tuple[Case, ...] = (  # the most telling first: a run of bounded time may not come to the last
    OpcUaCase("opcua-10k-1hz", 10_000, 1, pace="fresh"),
    OpcUaCase("opcua-50k-1hz", 50_000, 1),
    OpcUaCase("opcua-1k-1hz", 1_000, 1, pace="fresh"),
    OpcUaCase("opcua-50k-10hz", 50_000, 10),
    MqttDrain("mqtt-drain", 1_000_000),
    MqttSteady("mqtt-5k", 5_000),
    MqttSteady("mqtt-20k", 20_000),
    OpcUaCase("durable-5k-1hz", 5_000, 1, is_durable=True),
    OpcUaCase("durable-50k-10hz", 50_000, 10, is_durable=True),
    Start("start-10k", 10_000),
    Idle("idle-1k", 1_000),
    Micro("micro-decode", "opcua_decode", "OPC UA: bytes to columns"),
    Micro("micro-append", "store_append", "The log: append until durable, and read back"),
    Micro("micro-encode", "influx_lines", "Columns to line protocol, and gzip"),
    Micro("replay", "replay", "A backlog of 5,000,000 points into the counting sink", ("--points", "5000000")),
    Micro("replay-small", "replay", "A backlog of 1,000,000 points into the counting sink", ("--points", "1000000")),
    Micro(
        "replay-influxdb", "replay", "A backlog of 5,000,000 points into InfluxDB", ("--real", "--points", "5000000")
    ),
    Fault("fault-kill", _KILLED),
    Fault("fault-cut", _CUT),
    Fault("fault-503", _REFUSED, lasts=3),
    Fault("fault-404", _MISSING),
    Fault("fault-restart", _RESTARTED, lasts=0.5),
    Fault("fault-torn", _TORN),
    Fault("fault-edited", _EDITED),
    Fault("fault-freeze", _FROZEN, lasts=3),
    OpcUaCase("opcua-1k-10hz", 1_000, 10),
    OpcUaCase("opcua-10k-10hz", 10_000, 10),
    OpcUaCase("opcua-10k-1hz-usual", 10_000, 1),
    OpcUaCase("opcua-10k-1hz-mixed", 10_000, 1, kinds="mixed", pace="fresh"),
    OpcUaCase("opcua-10k-1hz-secure", 10_000, 1, pace="fresh", is_secure=True),
    OpcUaCase("ceiling", 50_000, 20),
    Micro("micro-history", "history_take", "The local history"),
    Micro("micro-mqtt", "mqtt_drain", "The MQTT collector alone"),
    Micro("micro-opcua", "opcua_source", "The OPC UA collector alone, against node-opcua"),
)
