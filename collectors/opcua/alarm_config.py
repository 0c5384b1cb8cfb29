"""Where a source's alarms come from. Imports neither asyncua nor numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from collectors.opcua.address import Address
from collectors.settings import Declared, Settings

SERVER = "i=2253"  # the Server object: every event of the server passes it (OPC 10000-5 §8.3.2)
ALARM, EVENT, ACTIVE, RETAINED = "alarm", "event", "alarms_active", "alarms_retained"
"""The signals of a machine that reports alarms."""


def node_id(text: str) -> str:
    """The text, if it is a node id; raises ValueError."""
    Address.parse(text)
    return text.strip()


class Notifier(Settings):
    """One object of the server that reports alarms, and the machine that they belong to."""

    machine: str = Field(min_length=1)
    """The machine of alarms whose source is none of the configured variables."""
    node: Annotated[str, AfterValidator(node_id)] = SERVER
    """The object that reports them; the Server object, which reports everything, where not set."""
    area: str = ""
    """The area of the plant; the source's own where empty."""
    line: str = ""
    """The production line; the source's own where empty."""
    min_severity: int = Field(default=0, ge=0, le=1000)
    """Alarms and events below this severity (1 to 1000) are left out."""
    events: bool = False
    """Also take events that are no alarms: messages of the machine as the signal `event`."""


def alarm_signals(notifiers: tuple[Notifier, ...], *, area: str, line: str) -> Iterator[Declared]:
    """The signals that these notifiers bring, each once."""
    said: set[tuple[str, ...]] = set()
    for position, one in enumerate(notifiers):
        where = (one.area or area, one.line or line, one.machine)
        for signal, kind in ((ALARM, "event"), (RETAINED, "event"), (ACTIVE, "gauge"), (EVENT, "event")):
            if (signal != EVENT or one.events) and (*where, signal) not in said:
                said.add((*where, signal))
                unit = "1" if signal == ACTIVE else ""
                yield Declared(("alarms", position), *where, signal, unit, kind)
