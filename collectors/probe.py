"""What one try of a connection found: the rows of `raceway test`, whatever the protocol.

A probe connects once, reads each tag once, and says what it saw. It never raises for a peer that is unreachable or
refuses: that is its result.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TagProbe:
    """One signal, read once."""

    tag: str  # str(Series), or the topic where nothing came
    address: str  # node id, or topic and path
    value: float | str | None = None  # None where there is none
    unit: str = ""
    type: str = ""  # the server's own: Double, Int32, String, JSON number
    quality: int = 0  # OPC UA status code, 0 is Good
    t_ns: int = 0  # source timestamp, ns since 1970 UTC; 0 where there is none
    trouble: str = ""  # what is wrong and what to check, for people; empty when all is well


@dataclass(frozen=True, slots=True)
class Probe:
    """One source or sink, tried once."""

    name: str
    kind: str
    address: str
    trouble: str = ""  # why it cannot be used, for people; empty when it can
    facts: dict[str, str] | None = None  # product, version, security policy, session: what the peer says of itself
    tags: tuple[TagProbe, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether the peer and every tag answered as they should."""
        return not self.trouble and not any(tag.trouble for tag in self.tags)
