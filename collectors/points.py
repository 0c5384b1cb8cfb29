"""The vocabulary: what is measured (`Series`), and many measurements at once (`Batch`).

A batch is the unit of order, of durability and of acknowledgement. It is columns, not objects: one point costs
nanoseconds, and a hundred points cost hardly more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]
Qualities = NDArray[np.uint32]
Indexes = NDArray[np.uint32]
Clocks = NDArray[np.uint8]

GOOD = 0
BAD = 0x8000_0000
UNCERTAIN = 0x4000_0000
OVERFLOW = (
    0x0000_0480  # InfoType DataValue + Overflow: the value is good, others before it were lost in the server's queue
)


class Kind(StrEnum):
    """How a signal behaves, which decides how it may be summed, averaged and shown."""

    GAUGE = "gauge"  # a level: power, temperature
    COUNTER = "counter"  # only rises, until it wraps or its meter is changed: energy, pieces
    STATE = "state"  # one of a few numbers: running, idle, fault
    EVENT = "event"  # something happened; the value is a text
    TEXT = "text"  # a text that holds until the next one: order number, program name
    WINDOW = "window"  # a figure of the span that begins at its timestamp; a later one at the same time replaces it
    STATEMENT = "statement"  # the same as a text

    @property
    def is_text(self) -> bool:
        """Whether the value column holds indexes into `Batch.texts`."""
        return self in (Kind.EVENT, Kind.TEXT, Kind.STATEMENT)

    @property
    def is_replaced(self) -> bool:
        """Whether a figure may come again, corrected, at the same time; of any other kind a value stands for ever."""
        return self in (Kind.WINDOW, Kind.STATEMENT)


class Clock(IntEnum):
    """Whose clock made a timestamp."""

    SOURCE = 0  # the machine or the meter
    SERVER = 1  # the OPC UA server
    GATEWAY = 2  # ours, on receipt


class Urgency(IntEnum):
    """How long a batch may wait for others before it is committed."""

    IDLE = 0  # until other data comes, ten seconds at most: heartbeats
    NORMAL = 1  # the configured linger
    NOW = 2  # not at all: alarms, a half-full window of unacknowledged messages


class Stream(StrEnum):
    """Which of the log's two streams keeps a batch, and so for how long."""

    TELEMETRY = "telemetry"  # dropped oldest first, with a GAP record, when its quota is full
    RECORDS = "records"  # alarms, states, gaps, window-edge readings: small, kept long, never dropped for telemetry


@dataclass(frozen=True, slots=True)
class Series:
    """Who: the identity of one measured quantity, whatever protocol brings it.

    `machine` is the machine or the meter. `unit` is written as plants write it (kW, kWh, °C, 1). Names are free text,
    Chinese included; empty `area` and `line` are allowed.
    """

    plant: str
    area: str
    line: str
    machine: str
    signal: str
    unit: str = ""
    kind: Kind = Kind.GAUGE

    def __str__(self) -> str:
        return "/".join(part for part in (self.plant, self.area, self.line, self.machine, self.signal) if part)


class Point(NamedTuple):
    """One value, for the edges of the program where speed does not matter: tables, tests, pages."""

    series: Series
    t_ns: int
    value: float | str
    quality: int = GOOD
    clock: Clock = Clock.SOURCE


@dataclass(slots=True, eq=False)
class Batch:
    """Columns of equal length n, in the order in which the source gave them.

    source: the name of the configured source.          received_ns: gateway wall clock, ns since 1970 UTC.
    series: the table that `which` indexes; keep the same tuple object from batch to batch, caches are keyed by it.
    which: (n,) u4.     t_ns: (n,) i8, ns since 1970 UTC.     quality: (n,) u4, the OPC UA status code, 0 is Good.
    value: (n,) f8. NaN only where the quality is Bad. Where the series is a text (`Kind.is_text`), the value is an
    index into `texts`, or NaN for a Bad one.           clock: (n,) u1, see `Clock`.
    """

    source: str
    received_ns: int
    series: Sequence[Series]
    which: Indexes
    t_ns: Times
    value: Values
    quality: Qualities
    clock: Clocks
    texts: Sequence[str] = ()
    urgency: Urgency = field(default=Urgency.NORMAL)
    stream: Stream = field(default=Stream.TELEMETRY)

    def __len__(self) -> int:
        return len(self.t_ns)

    def __repr__(self) -> str:
        return f"<Batch {self.source} {len(self)} points of {len(self.series)} series>"

    def points(self) -> Iterable[Point]:
        """The rows as objects; slow, for people and tests."""
        for which, t_ns, value, quality, clock in zip(
            self.which.tolist(),
            self.t_ns.tolist(),
            self.value.tolist(),
            self.quality.tolist(),
            self.clock.tolist(),
            strict=True,
        ):
            series = self.series[which]
            shown: float | str = value
            if series.kind.is_text and value == value:  # not NaN
                shown = self.texts[int(value)]
            yield Point(series, t_ns, shown, quality, Clock(clock))

    @classmethod
    def of(
        cls,
        source: str,
        points: Iterable[Point],
        *,
        received_ns: int,
        urgency: Urgency = Urgency.NORMAL,
        stream: Stream = Stream.TELEMETRY,
    ) -> Batch:
        """A batch from single points; slow, for rare records and tests."""
        rows = list(points)
        table: dict[Series, int] = {}
        texts: list[str] = []
        values: list[float] = []
        for point in rows:
            table.setdefault(point.series, len(table))
            if isinstance(point.value, str):
                values.append(len(texts))
                texts.append(point.value)
            else:
                values.append(point.value)
        return cls(
            source=source,
            received_ns=received_ns,
            series=tuple(table),
            which=np.array([table[point.series] for point in rows], dtype=np.uint32),
            t_ns=np.array([point.t_ns for point in rows], dtype=np.int64),
            value=np.array(values, dtype=np.float64),
            quality=np.array([point.quality for point in rows], dtype=np.uint32),
            clock=np.array([point.clock for point in rows], dtype=np.uint8),
            texts=tuple(texts),
            urgency=urgency,
            stream=stream,
        )


def is_bad(quality: Qualities) -> NDArray[np.bool_]:
    """Rows whose severity bits say Bad (10 or 11): no value may be shown for them."""
    return quality >= BAD


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole in the data, said aloud: values between two times that never arrived, or were dropped, and why.

    `reason` is one of a small set of words: link_lost, server_restarted, sequence_gap, queue_overflow, agent_down,
    quota, disk_full, corrupt, session_lost. `points` is how many are known to be missing, None where nobody can know.
    """

    source: str
    from_ns: int
    to_ns: int
    reason: str
    points: int | None = None
    series: tuple[Series, ...] = ()  # empty: every series of the source
    detail: str = ""
    recovered: int | None = None  # points that came back, from the source's own history; None where nobody asked it


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that came or should have gone, and could not: kept whole, with the reason, for people to look at."""

    origin: str  # the source or sink that refused it
    received_ns: int
    where: str  # the topic, or the server's address
    reason: str
    payload: bytes
    points: int = 0  # how many points it holds, 0 where it cannot be told


Delivery = Batch | Gap | DeadLetter
