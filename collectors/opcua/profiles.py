"""What servers of known makers can take, as data: chosen by BuildInfo, and only ever less than the server itself says.

Several tell limits that they cannot keep: an S7-1200 names 1,000 items a call and is fifty times slower above 200.
Sources: Siemens, "System limits of the OPC UA server", entry 109755846, 02/2024; Siemens, "Access MyMachine / OPC UA",
configuration manual 6FC5397-1DP41-0BA0, 04/2018, technical data; CODESYS online help, "OPC UA Server Configuration
Settings", from V3.5 SP17; Ipesoft D2000 documentation, "OPC UA", for what B&R's server revises; the server profiles of
benthos-umh, tested in 11/2025. A maker without a figure that somebody has published or measured is not in the list:
of Beckhoff's TwinCAT server none was found, and what it says of itself holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Profile(NamedTuple):
    """Limits of one kind of server; 0 where nothing is known."""

    name: str
    product: str  # a pattern for "manufacturer product version"
    items_per_call: int = 0
    nodes_per_read: int = 0
    most_items: int = 0  # on the whole server, for all clients together
    samples_per_s: int = 0  # of all items of all clients together
    shortest_ms: float = 0  # the shortest publishing interval
    filters: bool = True  # whether it can keep a deadband


PROFILES: tuple[Profile, ...] = (
    Profile("S7-1200", r"siemens.*1200", items_per_call=100, most_items=1000, filters=False),
    Profile("S7-1500", r"siemens.*1500", items_per_call=500, most_items=10_000),
    Profile("SINUMERIK 828D", r"sinumerik.*828", samples_per_s=500, shortest_ms=100),
    Profile("SINUMERIK 840D sl", r"sinumerik", samples_per_s=1000, shortest_ms=100),
    Profile("CODESYS", r"codesys|3s.{1,3}smart", nodes_per_read=100),
    Profile("B&R", r"b&r|bernecker", shortest_ms=50),
    Profile("KEPServerEX", r"kepware|kepserver|\bptc\b", items_per_call=1000),
    Profile("Ignition", r"inductive automation|ignition|eclipse milo", items_per_call=100),
    Profile("Prosys Simulation Server", r"prosys", items_per_call=800),
)
UNKNOWN = Profile("", "")


def profile_of(product: str) -> Profile:
    """The profile of a server that calls itself so; one without limits where none fits."""
    return next((one for one in PROFILES if re.search(one.product, product, re.IGNORECASE)), UNKNOWN)


def crowded(profile: Profile, sampling_ms: Sequence[float], *, most_items: int = 0) -> str:
    """Why these items are too many for such a server, for people; "" where they are not.

    sampling_ms: of each.  most_items: that it takes in one subscription, as it says itself.
    """
    if 0 < most_items < len(sampling_ms):
        return (
            f"the server takes {most_items} items in one subscription; name the others in a second source with the "
            "same url, which has a session and a subscription of its own"
        )
    if 0 < profile.most_items < len(sampling_ms):
        return f"{profile.name} takes {profile.most_items} items of all its clients together; ask for less"
    rate = sum(1000 / max(each, profile.shortest_ms, 1) for each in sampling_ms)
    if 0 < profile.samples_per_s < rate:
        return (
            f"{profile.name} takes {profile.samples_per_s} samples a second of all its clients together, these tags "
            f"make {rate:.0f}; raise sampling_ms or publishing_ms, or ask for less"
        )
    return ""
