"""The messages of a block that are like earlier ones but for their numbers, as columns, pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.mqtt.fields import Fields
from collectors.mqtt.outcome import AHEAD_NS, EARLIEST_NS
from collectors.mqtt.packets import Messages
from collectors.mqtt.plans import MOST_TOPICS, UNTIMED, Plan
from collectors.mqtt.skeletons import Payloads, Read, Skeleton, learn

MOST_SKELETONS = 4  # of one mapping: live and back-filled messages, two firmwares
LEARN_EVERY = 64
"""Of the messages without a known skeleton, so many are parsed for one that is learnt from: learning costs more."""

FEW = 16
"""So few messages are parsed sooner than columns of them are made."""
LATEST_NS = 2**62  # of what a column of times can hold

Rows = NDArray[np.int64]


class Columns(NamedTuple):
    """Values on their way, as columns of equal length; `message` is the place in the block, `t_ns` may be UNTIMED."""

    message: Rows
    which: NDArray[np.uint32]
    t_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]

    def at(self, rows: NDArray[Any]) -> Columns:
        """These rows; in this order, or where they are true."""
        return Columns(self.message[rows], self.which[rows], self.t_ns[rows], self.value[rows], self.quality[rows])


class _Known(NamedTuple):
    """A skeleton, and which of the mapping's signals its first numbers are."""

    skeleton: Skeleton
    signals: list[int]


class _Family:
    """The skeletons of one mapping, the one that was used last first."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan  # of any of its topics: their times are read alike
        self.known: list[_Known] = []
        self._misses = -1

    def missed(self, payload: bytes, plan: Plan) -> None:
        """A message was parsed; now and then its skeleton is learnt."""
        self._misses += 1
        if self._misses % LEARN_EVERY:
            return
        learnt = learn(payload, partial(_read, plan))
        if learnt is not None and all(known.skeleton.key != learnt[0].key for known in self.known):
            self.known = [_Known(*learnt), *self.known[: MOST_SKELETONS - 1]]

    def used(self, known: _Known) -> None:
        """It fitted."""
        if self.known[0] is not known:
            self.known.remove(known)
            self.known.insert(0, known)


class Alike:
    """Reads what has a known skeleton; learns from the rest, which its user parses."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._codes: dict[bytes, int] = {}  # topic -> place in the two lists, -1 where it is read by parsing alone
        self._places: list[int] = []  # of the topic's mapping
        self._series: list[Sequence[int]] = []  # of its signals
        self._families: dict[int, _Family] = {}
        self._place_of: Rows = np.array([-1])
        self._series_of: NDArray[np.uint32] = np.zeros((1, 0), dtype=np.uint32)

    def missed(self, topic: bytes, payload: bytes, plans: Sequence[Plan]) -> None:
        """A message was parsed and is sound."""
        code = self._codes.get(topic)
        if code is None:
            code = self._code(topic, plans)
        if code >= 0:
            self._families[self._places[code]].missed(payload, plans[0])

    def read(self, messages: Messages, *, received_ns: int) -> tuple[list[Columns], Sequence[int]]:
        """What could be read, and the numbers of the messages that have to be parsed."""
        if len(messages) < FEW or not any(family.known for family in self._families.values()):
            return [], range(len(messages))
        self._settle()
        get = self._codes.get
        codes = np.array([get(topic, -1) for topic in messages.topics], dtype=np.int64)
        if messages.is_last_cut:
            codes[-1] = -1
        places = self._place_of[codes]
        is_left = np.ones(len(messages), dtype=np.bool_)
        found: list[Columns] = []
        for place, family in self._families.items():
            rows = np.flatnonzero(places == place)
            for known in tuple(family.known):
                if not len(rows):
                    break
                columns, is_read = self._read(rows, known, family, messages, codes, received_ns + AHEAD_NS)
                if len(columns.message):
                    family.used(known)
                    found.append(columns)
                    is_left[rows[is_read]] = False
                    rows = rows[~is_read]
        return found, np.flatnonzero(is_left).tolist()

    def _read(
        self, rows: Rows, known: _Known, family: _Family, messages: Messages, codes: Rows, latest_ns: int
    ) -> tuple[Columns, NDArray[np.bool_]]:
        """What these messages of a family hold, and which of them could be read."""
        own = messages.payloads
        numbers = known.skeleton.read(Payloads([own[row] for row in rows.tolist()]))
        width, values = known.skeleton.width, len(known.signals)
        which = self._series_of[codes[rows[numbers.rows]]][:, known.signals]
        raw = np.array(numbers.flat, dtype=np.float64).reshape(-1, width)[:, :values]
        value = self._fields.measured(raw.ravel(), which.ravel())
        if family.plan.is_timed:
            t_ns = _times(family.plan, numbers.flat[values::width])
            fits = (t_ns >= EARLIEST_NS) & (t_ns <= latest_ns)
        else:
            t_ns = np.full(len(numbers.rows), UNTIMED)
            fits = np.ones(len(t_ns), dtype=np.bool_)
        fits &= self._fields.possible(value, which.ravel()).reshape(-1, values).all(axis=1)
        is_read = np.zeros(len(rows), dtype=np.bool_)
        is_read[numbers.rows[fits]] = True
        value, quality = value.reshape(-1, values)[fits].ravel(), np.zeros(values * int(fits.sum()), dtype=np.uint32)
        message = np.repeat(rows[is_read], values)
        return Columns(message, which[fits].ravel(), np.repeat(t_ns[fits], values), value, quality), is_read

    def _code(self, topic: bytes, plans: Sequence[Plan]) -> int:
        """A number for a new topic."""
        if len(self._codes) >= MOST_TOPICS:
            self._codes.clear()
            self._places.clear()
            self._series.clear()
            self._place_of = np.empty(0, dtype=np.int64)
        series = plans[0].series if len(plans) == 1 else None
        if series is None:
            self._codes[topic] = -1
            return -1
        self._families.setdefault(plans[0].place, _Family(plans[0]))
        self._places.append(plans[0].place)
        self._series.append(series)
        self._codes[topic] = len(self._places) - 1
        return self._codes[topic]

    def _settle(self) -> None:
        """Arrays of what the lists hold; the last row is that of -1."""
        if len(self._place_of) == len(self._places) + 1:
            return
        self._place_of = np.array([*self._places, -1], dtype=np.int64)
        self._series_of = np.zeros((len(self._place_of), max(map(len, self._series), default=0)), dtype=np.uint32)
        for row, series in enumerate(self._series):
            self._series_of[row, : len(series)] = series


def _read(plan: Plan, document: object) -> Read | None:
    """The one reading of a message, its timestamp last."""
    readings = plan.read(document)
    if not readings or plan.series is None:
        return None
    ((values, which, stamp),) = readings
    return Read(list(map(plan.series.index, which)), [*values, stamp] if plan.is_timed else [*values])


def _times(plan: Plan, raw: Sequence[object]) -> Rows:
    """The times that are written so; an impossible one where it cannot be read."""
    numbers = np.array(raw)
    if plan.unit_ns and numbers.dtype == np.int64:
        return np.where(np.abs(numbers) <= LATEST_NS // plan.unit_ns, numbers, 0) * plan.unit_ns
    try:
        return np.array(list(map(plan.to_ns, raw)), dtype=np.int64)
    except (ValueError, OverflowError):
        return np.zeros(len(raw), dtype=np.int64)
