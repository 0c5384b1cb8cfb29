"""Every point that arrived against the load's rule: missing, wrong, double, foreign; and how late they came. Pure.

Line protocol is read as the clients of this benchmark write it: no spaces and no commas inside names or values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.load.rule import MACHINE_SIGNALS, Rule
from benchmarks.load.telegrams import FIELDS, Telegrams

Ints = NDArray[np.int64]

_GAP = re.compile(rb'gap="((?:[^"\\]|\\.)*)"')
_LATENCY_STEP_MS, _LATENCY_STEPS = 1.0, 120_000
_SKIPPED = -1
_NEVER = np.iinfo(np.int64).max


class Gap(NamedTuple):
    """A record that says between which times values are missing, of which series; of all where it names none."""

    from_ns: int
    to_ns: int
    reason: str
    series: tuple[str, ...]


def gaps_in(lines: Iterable[bytes]) -> Iterator[Gap]:
    """The records of gaps among lines of line protocol."""
    for line in lines:
        if found := _GAP.search(line):
            said = orjson.loads(re.sub(rb'\\(["\\])', rb"\1", found[1]))
            yield Gap(said["from_ns"], said["to_ns"], said["reason"], tuple(said["series"]))


class Check(Protocol):
    """What the sink asks."""

    def take(self, body: bytes, arrived_ns: int) -> None:
        """Check the lines of one request."""
        ...

    def verdict(self, from_ns: int, to_ns: int) -> dict[str, object]:
        """What is known so far; the times bound the window in which arrivals are counted."""
        ...

    def told(self, since_ns: int) -> dict[str, object]:
        """What the records of gaps say about what is missing, and when values that are newer than this came first."""
        ...


def check_for(wanted: Mapping[str, Any]) -> Check:
    """The check of a rule that came as JSON: {"load": "opcua" | "mqtt", "ticks" | "count": n, …the rule's own}."""
    rule = dict(wanted)
    if rule.pop("load") == "mqtt":
        return Points(_MqttGrid(Telegrams(**rule)))
    ticks = rule.pop("ticks")
    return Points(_OpcUaGrid(Rule(**rule), ticks))


class _OpcUaGrid:
    """Points are (node, tick)."""

    def __init__(self, rule: Rule, ticks: int) -> None:
        self.columns, self.rows = rule.nodes, ticks
        self._rule = rule

    def column(self, lead: bytes) -> int:
        if found := re.search(rb"machine=m(\d+).* s(\d+)$", lead):
            return int(found[1]) * MACHINE_SIGNALS + int(found[2])
        if found := re.search(rb"id=ns\\=2;s\\=n(\d+)", lead):
            return int(found[1])
        return _SKIPPED

    def named(self, series: str) -> int:
        machine, signal = series.split("/")[-2:]
        return int(machine[1:]) * MACHINE_SIGNALS + int(signal[1:])

    def times(self, rows: Ints) -> Ints:
        return self._rule.start_ns + rows * self._rule.period_ns

    def place(self, _column: Ints, t_ns: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        return self._rule.ticks(t_ns)

    def expected(self, column: Ints, row: Ints) -> NDArray[np.float64]:
        return self._rule.expected(column, row)


class _MqttGrid:
    """Points are (field, message)."""

    def __init__(self, telegrams: Telegrams) -> None:
        self.columns, self.rows = telegrams.meters * len(FIELDS), telegrams.rounds
        self._telegrams = telegrams

    def column(self, lead: bytes) -> int:
        if found := re.search(rb"machine=meter-(\d+).* (\w+)$", lead):
            name = found[2].decode()
            return int(found[1]) * len(FIELDS) + FIELDS.index(name) if name in FIELDS else _SKIPPED
        return _SKIPPED

    def named(self, series: str) -> int:
        meter, field = series.split("/")[-2:]
        return int(meter.removeprefix("meter-")) * len(FIELDS) + FIELDS.index(field)

    def times(self, rows: Ints) -> Ints:
        return self._telegrams.time_ms(np.zeros_like(rows), rows) * 1_000_000

    def place(self, column: Ints, t_ns: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        return self._telegrams.rounds_at(column // len(FIELDS), t_ns)

    def expected(self, column: Ints, row: Ints) -> NDArray[np.float64]:
        return self._telegrams.expected(column // len(FIELDS), column % len(FIELDS), row)


class Points:
    """A grid of what has to arrive: columns are series, rows are times."""

    def __init__(self, grid: _OpcUaGrid | _MqttGrid) -> None:
        self._grid = grid
        self._seen = np.zeros((grid.rows, grid.columns), dtype=np.uint8)
        self._columns: dict[bytes, int] = {}
        self._latency = np.zeros(_LATENCY_STEPS, dtype=np.int64)
        self._arrivals: list[tuple[int, int]] = []
        self._came_ns = np.full(grid.rows, _NEVER)
        self._gaps: list[Gap] = []
        self.wrong = self.foreign = self.double = self.other = 0

    def take(self, body: bytes, arrived_ns: int) -> None:
        """Check the lines of one request; of the texts only the records of gaps are read."""
        if b'"' in body:
            lines = body.splitlines()
            numbers = [line for line in lines if b'"' not in line]
            self.other += len(lines) - len(numbers)
            self._gaps += gaps_in(line for line in lines if b'"' in line)
            body = b"\n".join(numbers)
            if not body:
                return
        leads, values, t_ns = split(body)
        known = self._columns
        try:
            column = np.array([known[lead] for lead in leads], dtype=np.int64)
        except KeyError:
            for lead in leads:
                if lead not in known:
                    known[lead] = self._grid.column(lead)
            column = np.array([known[lead] for lead in leads], dtype=np.int64)
        ours = column != _SKIPPED
        if not ours.all():
            self.other += int((~ours).sum())
            values = [value for value, is_ours in zip(values, ours.tolist(), strict=True) if is_ours]
            column, t_ns = column[ours], t_ns[ours]
        self._count(column, _numbers(values), t_ns, arrived_ns)

    def _count(self, column: Ints, value: NDArray[np.float64], t_ns: Ints, arrived_ns: int) -> None:
        row, exact = self._grid.place(column, t_ns)
        fits = exact & (row < self._grid.rows) & (column < self._grid.columns)
        if not fits.all():
            self.foreign += int((~fits).sum())
            column, row, value, t_ns = column[fits], row[fits], value[fits], t_ns[fits]
        right = self._grid.expected(column, row) == value
        self.wrong += int((~right).sum())
        at = np.unique(row[right] * self._grid.columns + column[right])
        new = at[self._seen.ravel()[at] == 0]
        self._seen.ravel()[new] = 1
        self.double += int(right.sum()) - len(new)
        self._arrivals.append((arrived_ns, len(new)))
        rows = np.unique(new // self._grid.columns)
        self._came_ns[rows] = np.minimum(self._came_ns[rows], arrived_ns)
        late = np.clip((arrived_ns - t_ns[right]) / 1e6 / _LATENCY_STEP_MS, 0, _LATENCY_STEPS - 1)
        self._latency += np.bincount(late.astype(np.int64), minlength=_LATENCY_STEPS)

    def verdict(self, from_ns: int, to_ns: int) -> dict[str, object]:
        """What is known so far; the times bound the window in which arrivals are counted."""
        got = int(self._seen.sum(dtype=np.int64))
        p50, p99 = (self._percentile(share) for share in (0.5, 0.99))
        return {
            "expected": self._seen.size,
            "missing": self._seen.size - got,
            "wrong": self.wrong,
            "foreign": self.foreign,
            "double": self.double,
            "other": self.other,
            "arrived_in_window": sum(n for t, n in self._arrivals if from_ns <= t < to_ns),
            "first_ns": min((t for t, n in self._arrivals if n), default=0),
            "last_ns": max((t for t, n in self._arrivals if n), default=0),
            "latency_p50_ms": p50,
            "latency_p99_ms": p99,
        }

    def told(self, since_ns: int) -> dict[str, object]:
        """What the records of gaps say about what is missing, and when values that are newer than this came first."""
        unnamed, times = self._seen == 0, self._grid.times(np.arange(self._grid.rows))
        for gap in self._gaps:
            rows = (times >= gap.from_ns) & (times <= gap.to_ns)
            if gap.series:
                columns = np.array([self._grid.named(each) for each in gap.series])
                unnamed[np.ix_(np.flatnonzero(rows), columns)] = False
            else:
                unnamed[rows] = False
        came_ns = self._came_ns[times >= since_ns]
        return {
            "gaps": len(self._gaps),
            "reasons": sorted({gap.reason for gap in self._gaps}),
            "missing_ticks": np.flatnonzero((self._seen == 0).any(axis=1)).tolist(),
            "unnamed": int(unnamed.sum()),
            "flows_ns": int(came_ns.min(initial=_NEVER)) if len(came_ns) else _NEVER,
        }

    def _percentile(self, share: float) -> float:
        total = self._latency.cumsum()
        return float(np.searchsorted(total, share * total[-1])) * _LATENCY_STEP_MS


def split(body: bytes) -> tuple[list[bytes], list[bytes], Ints]:
    """The fields of all lines: what leads to the value (series, space, key), the value, the time."""
    parts = body.rstrip(b"\n").replace(b"\n", b" ").split(b" ")
    series, fields, t_ns = parts[0::3], parts[1::3], np.array(_loaded(parts[2::3]), dtype=np.int64)
    if len(parts) % 3:
        raise ValueError("a line that is not series, fields and time")
    pairs = b"=".join(fields).replace(b",", b"=").split(b"=")
    keys, values = pairs[0::2], pairs[1::2]
    if len(keys) == len(series):
        return [b"%b %b" % pair for pair in zip(series, keys, strict=True)], values, t_ns
    counts = np.array([field.count(b",") + 1 for field in fields])
    leads = [one for one, n in zip(series, counts.tolist(), strict=True) for _ in range(n)]
    return [b"%b %b" % pair for pair in zip(leads, keys, strict=True)], values, np.repeat(t_ns, counts)


def _numbers(values: list[bytes]) -> NDArray[np.float64]:
    try:
        return np.array(_loaded(values), dtype=np.float64)
    except orjson.JSONDecodeError:  # 5i and t are no JSON
        return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: bytes) -> float:
    match value:
        case b"true" | b"t" | b"True":
            return 1.0
        case b"false" | b"f" | b"False":
            return 0.0
        case _:
            return float(value.rstrip(b"iu")) if not value.startswith(b'"') else float("nan")


def _loaded(values: list[bytes]) -> list[Any]:
    loaded: list[Any] = orjson.loads(b"[%b]" % b",".join(values))
    return loaded
