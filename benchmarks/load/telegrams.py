"""The MQTT load's rule: one JSON telegram of five fields a meter and round, and when each was measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.rule import noise

FIELDS = ("p", "e", "u", "i", "pf")
DECIMALS = 3
_MESSAGE_STEP, _FIELD_STEP = 7919, 104_729

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Telegrams:
    """Each of `meters` sends one telegram every `period_us`, `rounds` times; meter m is m / meters of a period late.

    Timestamps are whole milliseconds and different for every telegram of a meter: period_us is at least 1000.
    """

    meters: int
    rounds: int
    period_us: int
    start_ms: int

    def __len__(self) -> int:
        return self.meters * self.rounds

    def time_ms(self, meter: Ints, number: Ints) -> Ints:
        """When these telegrams were measured."""
        return self.start_ms + (number * self.period_us + meter * self.period_us // self.meters) // 1000

    def rounds_at(self, meter: Ints, t_ns: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """The rounds that these times belong to, and whether they are exactly the rule's."""
        ms, rest = np.divmod(t_ns, 1_000_000)
        offset_us = meter * self.period_us // self.meters
        number = -((offset_us - (ms - self.start_ms) * 1000) // self.period_us)  # ceiling
        return number, (rest == 0) & (number >= 0) & (self.time_ms(meter, number) == ms)

    def expected(self, meter: Ints, field: Ints, number: Ints) -> NDArray[np.float64]:
        """The values of these fields."""
        table = noise(DECIMALS)
        found: NDArray[np.float64] = table[
            ((number * self.meters + meter) * _MESSAGE_STEP + field * _FIELD_STEP) % len(table)
        ]
        return found

    def payloads(self, first: int, last: int) -> Iterator[tuple[str, bytes]]:
        """Topic and payload of the telegrams numbered so, in the order in which they were measured."""
        number, meter = np.divmod(np.arange(first, last), self.meters)
        columns = [self.expected(meter, np.full(len(meter), field), number).tolist() for field in range(len(FIELDS))]
        times = self.time_ms(meter, number).tolist()
        for m, ts, p, e, u, i, pf in zip(meter.tolist(), times, *columns, strict=True):
            topic = f"plant/line-{m % 3}/meter-{m}/energy"
            yield topic, f'{{"ts":{ts},"p":{p!r},"e":{e!r},"u":{u!r},"i":{i!r},"pf":{pf!r}}}'.encode()
