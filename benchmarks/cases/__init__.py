"""What is measured: each case runs one peer once and returns its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol

from benchmarks.cases.mqtt import MqttDrain, MqttSteady
from benchmarks.cases.opcua import OpcUaCase
from benchmarks.cases.outage import Idle, Outage, Start
from benchmarks.figures import Figures
from benchmarks.peers import Peer


class Case(Protocol):
    """One row of the issue; its fields are its settings."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

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


CASES: tuple[Case, ...] = (
    OpcUaCase("opcua-1k-1hz", 1_000, 1, pace="fresh"),
    OpcUaCase("opcua-1k-10hz", 1_000, 10),
    OpcUaCase("opcua-10k-1hz", 10_000, 1, pace="fresh"),
    OpcUaCase("opcua-10k-1hz-usual", 10_000, 1),
    OpcUaCase("opcua-10k-1hz-mixed", 10_000, 1, kinds="mixed", pace="fresh"),
    OpcUaCase("opcua-10k-1hz-secure", 10_000, 1, pace="fresh", is_secure=True),
    OpcUaCase("opcua-10k-10hz", 10_000, 10),
    OpcUaCase("opcua-50k-1hz", 50_000, 1),
    OpcUaCase("opcua-50k-10hz", 50_000, 10),
    OpcUaCase("opcua-10k-1hz-durable", 10_000, 1, is_durable=True),
    MqttDrain("mqtt-drain", 1_000_000),
    MqttSteady("mqtt-5k", 5_000),
    MqttSteady("mqtt-20k", 20_000),
    Outage("outage", 5_000, is_killed=False),
    Outage("outage-kill", 5_000, is_killed=True),
    Idle("idle-1k", 1_000),
    Start("start-10k", 10_000),
)
