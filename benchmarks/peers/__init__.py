"""Who is compared: each peer turns a job into a command that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

BATCH = 5_000  # lines in one request, for everyone


@dataclass(frozen=True, slots=True)
class Job:
    """What a peer has to do: read a source, write to the sink."""

    source: Literal["opcua", "mqtt"]
    url: str
    sink_url: str
    nodes: int = 0
    period_ms: float = 1000.0
    pace: Literal["fresh", "usual"] = "usual"  # whether latency or CPU matters more; only Raceway trades them
    is_durable: bool = False  # for those who can choose: a buffer on disk
    certificates: Path | None = None  # SignAndEncrypt with these
    token: str = "bench"
    timeout_s: int = 10  # of a request to the sink


class Peer(Protocol):
    """One competitor."""

    buffer: str
    """The files that hold what is not delivered yet, as a pattern below its folder; empty where there are none."""

    @property
    def name(self) -> str:
        """In tables."""
        ...

    def version(self) -> str:
        """What was measured."""
        ...

    def command(self, job: Job, folder: Path) -> Sequence[str]:
        """Write what is needed into the folder and return what to run."""
        ...

    def environment(self) -> Mapping[str, str]:
        """More environment variables."""
        ...
