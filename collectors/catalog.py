"""Every kind of source there is. A new collector is one folder, one line here and one case in `agent/parts.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from collectors.ledger.config import LedgerConfig
from collectors.mqtt.config import MqttConfig
from collectors.opcua.config import OpcUaConfig

AnySource = Annotated[
    OpcUaConfig  # OPC UA servers, subscribed to
    | MqttConfig  # MQTT brokers
    | LedgerConfig,  # tables that people drop into a folder
    Field(discriminator="kind"),
]
"""The settings of one source; `kind` says which."""
