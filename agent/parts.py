"""What each part of a configuration makes. A client library is imported when the first part that needs it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from collectors.ledger.config import LedgerConfig
from collectors.mqtt.config import MqttConfig
from collectors.opcua.config import OpcUaConfig

if TYPE_CHECKING:
    from agent.config import AnySink
    from agent.influx.sink import InfluxSink
    from agent.status import SinkStatus
    from collectors.catalog import AnySource
    from collectors.points import DeadLetter
    from collectors.source import LastTime, Recall, Source


def make_source(wanted: AnySource, plant: str, last_time: LastTime, recall: Recall) -> Source:
    """The source that this configures. `last_time` and `recall` say what is on disk already."""
    match wanted:
        case OpcUaConfig():
            from collectors.opcua.source import OpcUaSource

            return OpcUaSource(wanted, plant=plant, last_time=last_time, recall=recall)
        case MqttConfig():
            from collectors.mqtt.source import MqttSource

            return MqttSource(wanted, plant=plant, last_time=last_time)
        case LedgerConfig():
            from collectors.ledger.source import LedgerSource

            return LedgerSource(wanted, plant=plant)


def make_sink(
    wanted: AnySink, *, status: SinkStatus, dead_letter: Callable[[DeadLetter], Awaitable[object]]
) -> InfluxSink:
    """The sink that this configures."""
    from agent.influx.sink import InfluxSink

    return InfluxSink(wanted, status=status, dead_letter=dead_letter)
