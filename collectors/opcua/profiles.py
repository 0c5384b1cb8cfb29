"""What servers of known makers can take, as data: chosen by BuildInfo, and only ever less than the server itself says.

Several tell limits that they cannot keep: an S7-1200 names 1,000 items a call and is fifty times slower above 200.
Sources: Siemens, "System limits of the OPC UA server", entry 109755846, 02/2024; the server profiles of benthos-umh,
tested in 11/2025. A maker without a figure that somebody has measured is not in the list.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Profile(NamedTuple):
    """Limits of one kind of server; 0 where nothing is known."""

    name: str
    product: str  # a pattern for "manufacturer product version"
    items_per_call: int = 0
    most_items: int = 0  # on the whole server, for all clients together
    filters: bool = True  # whether it can keep a deadband


PROFILES: tuple[Profile, ...] = (
    Profile("S7-1200", r"siemens.*1200", items_per_call=100, most_items=1000, filters=False),
    Profile("S7-1500", r"siemens.*1500", items_per_call=500, most_items=10_000),
    Profile("KEPServerEX", r"kepware|kepserver|\bptc\b", items_per_call=1000),
    Profile("Ignition", r"inductive automation|ignition|eclipse milo", items_per_call=100),
    Profile("Prosys Simulation Server", r"prosys", items_per_call=800),
)
UNKNOWN = Profile("", "")


def profile_of(product: str) -> Profile:
    """The profile of a server that calls itself so; one without limits where none fits."""
    return next((one for one in PROFILES if re.search(one.product, product, re.IGNORECASE)), UNKNOWN)
