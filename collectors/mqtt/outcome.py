"""What a block of messages held, whoever decoded it, and the limits that all of them keep."""

from __future__ import annotations

from dataclasses import dataclass, field

from collectors.mqtt.plans import Publication
from collectors.points import Batch, DeadLetter, Gap

KEPT_PAYLOAD_BYTES = 64 * 1024
EARLIEST_NS = 946_684_800 * 10**9  # 2000-01-01: a clock that says less was never set
AHEAD_NS = 24 * 3600 * 10**9  # a clock may be ahead by a time zone, not by a day


@dataclass(slots=True)
class Decoded:
    """What a block of messages held, and what is to be published once it is durable.

    `troubles`: topic -> what is wrong, empty where it has become well again.
    """

    batch: Batch | None
    letters: list[DeadLetter]
    troubles: dict[str, str]
    replies: list[Publication] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
