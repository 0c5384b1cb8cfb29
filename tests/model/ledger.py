"""What a storm knows to be true: what was produced, acknowledged, delivered and said to be lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import orjson

from agent.sink import Entry
from collectors.points import Batch, Kind, Point, Series

PLANT = "p"
SERIES = tuple(
    Series(PLANT, "", "", f"machine-{number}", "signal", kind=Kind.TEXT if number == 7 else Kind.GAUGE)
    for number in range(8)
)
EXCUSES = ("quota", "disk_full")  # reasons of gaps that may hide what was acknowledged, on a disk that is not harmed
Key = tuple[str, int]  # machine, value: every value is used once


class Violation(AssertionError):
    """An invariant of the store does not hold."""


@dataclass(slots=True)
class Ledger:
    """What was produced, acknowledged, delivered and said to be lost."""

    produced: dict[Key, int] = field(default_factory=dict)  # to the time it was given
    true: dict[Key, int] = field(default_factory=dict)  # what the gateway stamped, by a clock that is right
    overdue: set[Key] = field(default_factory=set)  # nobody had read them when the clock was set
    acked: set[Key] = field(default_factory=set)
    delivered: dict[Key, int] = field(default_factory=dict)  # to the time it was read with
    times: dict[tuple[str, int], Key] = field(default_factory=dict)  # I6
    digests: dict[int, bytes] = field(default_factory=dict)  # I7: of every number that was ever read
    lost: Counter[str] = field(default_factory=Counter)
    lost_unknown: Counter[str] = field(default_factory=Counter)  # gaps that do not know how many
    confirmed: int = 0
    is_harmed: bool = False  # a flipped bit may hide that a time is taken: then I6 cannot hold

    def copy(self) -> Ledger:
        """One that learns more without this one knowing."""
        lost, unknown = Counter(self.lost), Counter(self.lost_unknown)
        return replace(
            self, delivered=dict(self.delivered), times=dict(self.times), digests=dict(self.digests), lost=lost,
            lost_unknown=unknown,
        )  # fmt: skip

    def read(self, entries: list[Entry], after: int) -> None:
        """Check what a reader got."""
        for seq, batch in entries:
            if seq <= after:
                raise Violation(f"I3: {seq} comes after {after}")
            after = seq
            if self._is_again(seq, batch):
                continue
            if batch.source == "store":
                self._gap(batch)
                continue
            for point in batch.points():
                value = _number(point)
                key = (point.series.machine, value)
                given = self.produced.get(key)
                true = self.true.get(key, point.t_ns)
                is_true = true <= point.t_ns <= true + 90
                if given is None or not (given <= point.t_ns <= given + 90 or is_true):
                    raise Violation(f"I2: {point} was never produced")
                if key in self.overdue and not is_true:
                    raise Violation(f"I7: {point} has the time of a clock that was not set; it is {true}")
                if self.times.setdefault((key[0], point.t_ns), key) != key and not self.is_harmed:
                    raise Violation(f"I6: {point} beside {self.times[key[0], point.t_ns]}")
                self.delivered[key] = point.t_ns

    def _is_again(self, seq: int, batch: Batch) -> bool:
        """Whether it was read before; raises Violation where it was something else then."""
        columns = (batch.which, batch.t_ns, batch.value, batch.quality, batch.clock)
        told = f"{batch.source} {batch.received_ns} {batch.texts}".encode()
        digest = hashlib.sha256(b"".join([told, *(column.tobytes() for column in columns)])).digest()
        known = self.digests.setdefault(seq, digest)
        if known != digest:
            raise Violation(f"I7: {seq} is not what it was")
        return known is not digest

    def _gap(self, batch: Batch) -> None:
        for point in batch.points():
            if point.series.signal != "gap":
                continue
            said = orjson.loads(str(point.value))
            if ("gap", point.t_ns) in self.delivered:
                continue
            self.delivered["gap", point.t_ns] = point.t_ns
            if said["points"] is None:
                self.lost_unknown[said["reason"]] += 1
            else:
                self.lost[said["reason"]] += said["points"]

    def settle(self, *, excuses: Sequence[str]) -> None:
        """At the end: what was acknowledged was delivered, or a gap says so, for one of these reasons."""
        missing = self.acked - self.delivered.keys()
        is_unknown = any(self.lost_unknown[reason] for reason in excuses)
        if len(missing) > sum(self.lost[reason] for reason in excuses) and not is_unknown:
            raise Violation(
                f"I1: {len(missing)} acknowledged points are nowhere, gaps say {dict(self.lost)}: {sorted(missing)[:3]}"
            )


def _number(point: Point) -> int:
    try:
        return int(point.value)
    except ValueError as error:
        raise Violation(f"I2: {point} was never produced") from error
