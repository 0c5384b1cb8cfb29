"""Columns to line protocol, fast: prefixes remembered by series, one dump of the value column, one join. Pure.

Points of one machine and one timestamp share a line. All numbers are floats, for an InfluxDB field keeps its type for
ever. A Bad value is never written; `<signal>_quality` is, whenever the quality is not plain Good, and once when a
series returns to Good. The memory of qualities moves only by `keep`: the same points after it give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson

from agent.influx import names
from agent.influx.again import Told, latest_rows
from agent.influx.memory import Memory
from agent.influx.table import Flags, Objects, Rows, SeriesTable
from collectors.points import BAD, GOOD, Batch, Qualities, Times, Values


class Lines:
    """Encoded lines that can be cut anywhere.

    pieces: three for each field: what leads to the value, the value, what follows it.
    starts: (lines + 1,) number of each line's first field.     weights: (fields,) how many points a field stands for.
    leads: (fields,) what leads to the value where the field stands first in its line.
    """

    def __init__(self, pieces: list[bytes], *, starts: Rows, weights: Rows, leads: Objects) -> None:
        self._pieces = pieces
        self._starts = starts
        self._weights = weights
        self._leads = leads

    @classmethod
    def of(cls, told: Sequence[Told]) -> Lines:
        """Fields that were told before, each as a line of its own; they stand for no new points."""
        leads = _column([lead for lead, _, _ in told])
        starts, weights = np.arange(len(told) + 1), np.zeros(len(told), dtype=np.int64)
        return cls([piece for one in told for piece in one], starts=starts, weights=weights, leads=leads)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def body(self, numbers: Sequence[int]) -> bytes:
        """The bytes of these lines, each with its line end; quick for a range."""
        if isinstance(numbers, range) and numbers.step == 1:
            return b"".join(self._pieces[3 * self._first(numbers.start) : 3 * self._first(numbers.stop)])
        return b"".join(self.body(range(number, number + 1)) for number in numbers)

    def points(self, numbers: Sequence[int]) -> int:
        """How many points these lines stand for."""
        return sum(int(self._weights[self._first(number) : self._first(number + 1)].sum()) for number in numbers)

    def fields(self, number: int) -> int:
        """How many fields the line has."""
        return self._first(number + 1) - self._first(number)

    def keys(self, number: int) -> list[bytes]:
        """What leads to each value of the line, ending in the field's key and '='."""
        return self._pieces[3 * self._first(number) : 3 * self._first(number + 1) : 3]

    def t_ns(self, number: int) -> int:
        """The line's timestamp."""
        return int(self._pieces[3 * self._first(number + 1) - 1])

    def apart(self, numbers: Sequence[int]) -> Lines:
        """The fields of these lines, each as a line of its own."""
        fields = [field for number in numbers for field in range(self._first(number), self._first(number + 1))]
        tails = [
            self._pieces[3 * self._first(number + 1) - 1] for number in numbers for _ in range(self.fields(number))
        ]
        pieces: list[bytes] = []
        for field, tail in zip(fields, tails, strict=True):
            pieces += (self._leads[field], self._pieces[3 * field + 1], tail)
        starts = np.arange(len(fields) + 1)
        return Lines(pieces, starts=starts, weights=self._weights[fields], leads=self._leads[fields])

    def _first(self, number: int) -> int:
        return int(self._starts[number])


class Unfit(NamedTuple):
    """Points that no line can hold, written as near to line protocol as can be, and why."""

    reason: str
    payload: bytes
    points: int


class Encoded(NamedTuple):
    """Lines, the points that no line can hold, and what to `keep` when both are dealt with.

    good: by row of the table, whether its last quality is plain Good.     rows: the rows that were seen.
    told: the fields of which the latest counts.
    """

    lines: Lines
    unfit: list[Unfit]
    good: Flags
    rows: Rows
    told: tuple[Told, ...]


class _Fields(NamedTuple):
    """Columns of equal length, one row for each field to be written."""

    machine: Rows
    t_ns: Times
    leads: Objects
    follows: Objects
    values: list[bytes]
    weights: Rows

    def told(self, rows: Rows) -> tuple[Told, ...]:
        """These rows, each as a line of its own."""
        return tuple((self.leads[row], self.values[row], b" %d\n" % self.t_ns[row]) for row in rows.tolist())

    def sorted(self, order: Rows) -> _Fields:
        """The rows in another order."""
        values = _column(self.values)[order].tolist()
        return _Fields(
            self.machine[order], self.t_ns[order], self.leads[order], self.follows[order], values, self.weights[order]
        )


class Encoder:
    """Batches to lines. `restored` is an earlier encoder's `state()`."""

    def __init__(self, measurement: str, restored: bytes = b"") -> None:
        self._table = SeriesTable(measurement)
        self._restored = Memory.unpack(restored)
        self._good: Flags = np.zeros(0, dtype=bool)  # by row of the table: no quality is told while it stays Good
        self._seen: Flags = np.zeros(0, dtype=bool)  # by row of the table: `_good` is not from `_restored`

    def encode(self, batches: Sequence[Batch]) -> Encoded:
        """The batches as lines; nothing is remembered but what the series are called."""
        rows, t_ns, value, quality, texts = self._gather(batches)
        replaced = self._table.is_replaced[rows]
        if replaced.any():
            keep = latest_rows(rows, t_ns, replaced)
            rows, t_ns, value, quality, replaced = rows[keep], t_ns[keep], value[keep], quality[keep], replaced[keep]
        bad = quality >= BAD
        unfit = ~(np.isfinite(value) | bad)
        told, good = _told(rows, quality, self._good)
        if self._table.troubles:
            troubled = self._table.troubled[rows]
            unfit |= troubled
            told = told[~troubled[told]]
        if replaced.any():  # what stood there may have been of another quality
            told = np.union1d(told, (replaced & ~unfit).nonzero()[0])
        shown = (~(bad | unfit)).nonzero()[0]
        fields = self._value_fields(rows[shown], t_ns[shown], value[shown], texts)
        if len(told):
            alone = (bad & ~unfit)[told]
            fields = _joined(fields, self._quality_fields(rows[told], t_ns[told], quality[told], alone))
        refused = unfit.nonzero()[0]
        unfits = self._unfit(rows[refused], t_ns[refused], value[refused], texts)
        again = fields.told(np.concatenate((replaced[shown], replaced[told])).nonzero()[0])
        return Encoded(_lines(fields), unfits, good, rows, again)

    def due(self) -> Lines:
        """What was told out of turn and comes before all else, now that it is our turn."""
        return Lines.of(self._restored.again if self._restored.good is None else ())

    def keep(self, encoded: Encoded) -> None:
        """Remember the qualities after these lines."""
        self._good = np.append(encoded.good, self._good[len(encoded.good) :])
        self._seen[encoded.rows] = True
        self._restored = self._restored.having_told(encoded.told)

    def state(self) -> bytes:
        """The memory of the last qualities; empty when all is well."""
        digest, good, seen = self._table.digest, self._good, self._seen
        return self._restored.after(good=digest[seen & good], bad=digest[seen & ~good]).pack()

    def _gather(self, batches: Sequence[Batch]) -> tuple[Rows, Times, Values, Qualities, list[str]]:
        """All batches as columns; a text's value indexes the list of all texts."""
        texts: list[str] = []
        rows, values = [], []
        for batch in batches:
            row = self._table.rows(batch.series)[batch.which]
            value = batch.value
            if texts and batch.texts:
                value = np.where(self._table.is_text[row], value + len(texts), value)
            texts.extend(batch.texts)
            rows.append(row)
            values.append(value)
        new = self._table.digest[len(self._good) :]
        if len(new):
            self._good = np.append(self._good, self._restored.is_good(new))
            self._seen = np.append(self._seen, np.zeros(len(new), dtype=bool))
        t_ns = np.concatenate([batch.t_ns for batch in batches])
        return np.concatenate(rows), t_ns, np.concatenate(values), np.concatenate([b.quality for b in batches]), texts

    def _value_fields(self, rows: Rows, t_ns: Times, value: Values, texts: list[str]) -> _Fields:
        values = _numbers(value)
        if texts:
            for at in self._table.is_text[rows].nonzero()[0].tolist():
                values[at] = names.string(texts[int(value[at])])
        leads, follows = self._table.leads.take(rows), self._table.follows.take(rows)
        return _Fields(self._table.machine[rows], t_ns, leads, follows, values, np.ones(len(rows), dtype=np.int64))

    def _quality_fields(self, rows: Rows, t_ns: Times, quality: Qualities, alone: Flags) -> _Fields:
        """`alone`: rows that have no value field, so that this one stands for the point."""
        leads, follows = (
            _column([name[:-1] + b"_quality=" for name in column.take(rows)])
            for column in (self._table.leads, self._table.follows)
        )
        values = _numbers(quality.astype(np.float64))
        return _Fields(self._table.machine[rows], t_ns, leads, follows, values, alone.astype(np.int64))

    def _unfit(self, rows: Rows, t_ns: Times, value: Values, texts: list[str]) -> list[Unfit]:
        found: dict[str, list[bytes]] = {}
        for row, t, number in zip(rows.tolist(), t_ns.tolist(), value.tolist(), strict=True):
            is_text = self._table.is_text[row] and np.isfinite(number)
            shown = names.string(texts[int(number)]) if is_text else repr(number).encode()
            reason = self._table.troubles.get(row, "InfluxDB cannot hold a number that is not finite")
            found.setdefault(reason, []).append(b"%b%b %d\n" % (self._table.leads[row], shown, t))
        return [Unfit(reason, b"".join(lines), len(lines)) for reason, lines in found.items()]


def _told(rows: Rows, quality: Qualities, good: Flags) -> tuple[Rows, Flags]:
    """Points whose quality is written: those not plain Good, and the first Good one after; and `good` afterwards."""
    if not quality.any() and good.all():
        return rows[:0], good
    touched = ~good
    touched[rows[quality != GOOD]] = True
    points = touched[rows].nonzero()[0]
    points = points[np.argsort(rows[points], kind="stable")]
    row, is_good = rows[points], quality[points] == GOOD
    first = np.append(True, row[1:] != row[:-1])[: len(row)]
    before = np.where(first, good[row], np.append(True, is_good[:-1])[: len(row)])
    last = np.append(first[1:], True)[: len(row)]
    after = good.copy()
    after[row[last]] = is_good[last]
    return np.sort(points[~(is_good & before)]), after


def _lines(fields: _Fields) -> Lines:
    """Fields to lines; those of one machine and one timestamp together, wherever they stand."""
    if not len(fields.t_ns):
        return Lines([], starts=np.zeros(1, dtype=np.int64), weights=fields.weights, leads=fields.leads)
    order = _order(fields.machine, fields.t_ns)
    if order is not None:
        fields = fields.sorted(order)
    turns = np.append(True, np.diff(fields.t_ns) != 0)
    first = turns | np.append(True, np.diff(fields.machine) != 0)
    leads, tails = fields.leads, _tails(fields.t_ns, turns)
    if not first.all():
        leads = np.where(first, leads, fields.follows)
        tails = np.where(np.append(first[1:], True), tails, b"")
    pieces = [b""] * (3 * len(leads))
    pieces[0::3], pieces[1::3], pieces[2::3] = leads.tolist(), fields.values, tails.tolist()
    starts = np.append(first.nonzero()[0], len(leads))
    return Lines(pieces, starts=starts, weights=fields.weights, leads=fields.leads)


def _order(machine: Rows, t_ns: Times) -> Rows | None:
    """An order that brings points of one machine and one timestamp together; None where they already are.

    Two cheap looks come first, since most batches need no sorting: times and machines that only rise, and times of
    which no two are equal.
    """
    step, turn = np.diff(t_ns), np.diff(machine)
    if ((step > 0) | ((step == 0) & (turn >= 0))).all() or np.diff(np.sort(t_ns)).all():
        return None
    return np.lexsort((machine, t_ns))


def _joined(one: _Fields, other: _Fields) -> _Fields:
    return _Fields(
        np.concatenate((one.machine, other.machine)),
        np.concatenate((one.t_ns, other.t_ns)),
        np.concatenate((one.leads, other.leads)),
        np.concatenate((one.follows, other.follows)),
        one.values + other.values,
        np.concatenate((one.weights, other.weights)),
    )


def _numbers(value: Values) -> list[bytes]:
    """(n,) finite numbers as shortest decimals that read back equal."""
    dump = orjson.dumps(np.ascontiguousarray(value), option=orjson.OPT_SERIALIZE_NUMPY)
    return dump[1:-1].split(b",") if len(value) else []


def _tails(t_ns: Times, turns: Flags) -> Objects:
    """(n,) what ends a line: the timestamp between a space and a line end. `turns`: where another timestamp begins."""
    dump = orjson.dumps(t_ns[turns], option=orjson.OPT_SERIALIZE_NUMPY)
    tails = _column((b" %b\n" % dump[1:-1].replace(b",", b"\n, ")).split(b","))
    return tails if turns.all() else tails[np.cumsum(turns) - 1]


def _column(items: list[bytes]) -> Objects:
    column = np.empty(len(items), dtype=object)
    column[:] = items
    return column
