"""Topics and payloads as the columns of a batch, pure.

Messages that are like earlier ones but for their numbers are read many at a time (`alike`, `skeletons`). The others are
parsed one by one; their numbers are checked and converted for a whole block at once, and only where there is something
other than plain numbers is each value looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectors.mqtt.alike import Alike, Columns
from collectors.mqtt.config import MqttConfig
from collectors.mqtt.fields import Faulty, Sided
from collectors.mqtt.outcome import AHEAD_NS, EARLIEST_NS, KEPT_PAYLOAD_BYTES, Decoded
from collectors.mqtt.packets import Messages
from collectors.mqtt.plans import UNTIMED, Plan, Plans, Publication, Reading
from collectors.mqtt.values import shown
from collectors.points import BAD, GOOD, Batch, Clock, DeadLetter

NO_DATA = 0x809B_0000  # BadNoData: the device itself says that it has no value (null)
DEVICE_FAILURE = 0x808B_0000  # BadDeviceFailure: the device says that the value is wrong
LAST_USABLE = 0x4090_0000  # UncertainLastUsableValue: a retained message without a timestamp, of unknown age

MOST_REASONS = 10  # of the values of one message, in its dead letter
MOST_TROUBLED = 1000  # topics whose trouble is remembered until it ends
_NUMBERS = frozenset((int, float))


@dataclass(slots=True)
class _Rows:
    """A block on its way: raw values, the groups of them that share a timestamp, and what is wrong."""

    raw: list[object] = field(default_factory=list)
    which: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)  # for each group: the number of its message,
    count: list[int] = field(default_factory=list)  # how many values,
    t_ns: list[int] = field(default_factory=list)  # and when, or UNTIMED
    reasons: dict[int, list[str]] = field(default_factory=dict)  # message -> why it, or a part of it, is refused
    notes: dict[int, str] = field(default_factory=dict)  # message -> what is odd about it, though it is kept
    replies: list[Publication] = field(default_factory=list)


class Decoder:
    """Messages -> batch and dead letters. Keeps the table of series, which grows as machines appear."""

    def __init__(self, config: MqttConfig, *, plant: str) -> None:
        self._source = config.name
        self._plans = Plans(config, plant=plant)
        self._alike = Alike(self._plans.fields)
        self._gateway_ns = 0  # the newest timestamp of ours: no two messages share one
        self._troubled: set[str] = set()

    def decode(self, messages: Messages, *, received_ns: int) -> Decoded:
        """Every message ends in the batch, in a dead letter, or, where some of its values are refused, in both."""
        columns, left = self._alike.read(messages, received_ns=received_ns)
        rows = _Rows()
        self._gather(rows, messages, left, received_ns + AHEAD_NS)
        texts: list[str] = []
        if rows.raw:
            columns.append(self._looked_at(rows, texts))
        batch = self._batch(columns, texts, messages, received_ns)
        letters = [self._letter(messages, number, rows.reasons[number], received_ns) for number in sorted(rows.reasons)]
        return Decoded(batch, letters, self._edges(messages, rows), rows.replies)

    def _gather(self, rows: _Rows, messages: Messages, left: Sequence[int], latest_ns: int) -> None:
        """Parse the payloads of these messages and append what the mappings find in them."""
        known, find = self._plans.known.get, self._plans.find
        last = len(messages) - 1 if messages.is_last_cut else -1
        for number in left:
            topic, payload = messages.topics[number], messages.payloads[number]
            try:
                if number == last:
                    raise ValueError("the message is too large; only its beginning is kept")
                plans, groups, is_mine = known(topic) or find(topic), len(rows.count), False
                for plan in plans:
                    document = plan.load(payload)
                    if plan.replies:
                        rows.replies += plan.answers(document)
                    readings = plan.read(document)
                    if readings is None:
                        continue
                    is_mine = True
                    for reading in readings:
                        self._add(rows, number, plan, reading, latest_ns)
                    if not readings:
                        groups = -1  # nothing to keep, and said so
                if not is_mine:
                    raise ValueError("no mapping is for a payload of this shape; name the shape in only or in ignore")
                if number not in rows.reasons:
                    if len(rows.count) == groups:
                        raise ValueError("none of the mapping's paths is in the payload")
                    self._alike.missed(topic, payload, plans)
            except (ValueError, RecursionError) as error:  # so deep that even its text cannot be made
                rows.reasons[number] = [str(error)]

    def _add(self, rows: _Rows, number: int, plan: Plan, reading: Reading, latest_ns: int) -> None:
        """Append a reading of a message, at its own time where that can be."""
        values, which, stamp = reading
        if not values:
            return
        try:
            t_ns = plan.to_ns(stamp)
            if not EARLIEST_NS <= t_ns <= latest_ns and t_ns != UNTIMED:
                raise ValueError("the timestamp is before 2000 or more than a day ahead")
        except ValueError as error:
            t_ns = UNTIMED
            if not _may_be_untimed(rows, number, plan, error):
                return
        rows.raw.extend(values)
        rows.which.extend(which)
        rows.message.append(number)
        rows.count.append(len(values))
        rows.t_ns.append(t_ns)

    def _looked_at(self, rows: _Rows, texts: list[str]) -> Columns:
        """What was gathered as columns; values that are refused are left out, and their messages get a reason."""
        fields = self._plans.fields
        fields.settle()
        which = np.array(rows.which, dtype=np.uint32)
        count = np.array(rows.count)
        message = np.repeat(np.array(rows.message), count)
        t_ns = np.repeat(np.array(rows.t_ns, dtype=np.int64), count)
        quality = np.full(len(which), GOOD, dtype=np.uint32)
        refused: dict[int, str] = {}
        plain = _plain(rows.raw) if fields.are_plain(which) else None
        value = self._careful(rows, which, quality, texts, refused) if plain is None else fields.measured(plain, which)
        for row, reason in fields.impossible(value, which).items():
            if quality[row] < BAD:
                refused.setdefault(row, f"{reason} ({shown(rows.raw[row])} in the payload)")
        columns = Columns(message, which, t_ns, value, quality)
        if not refused:
            return columns
        for row, reason in refused.items():
            signal = fields.series[which[row]].signal
            rows.reasons.setdefault(int(message[row]), []).append(f"{signal}: {reason}")
        kept = np.ones(len(value), dtype=np.bool_)
        kept[list(refused)] = False
        return columns.at(kept)

    def _batch(
        self, columns: Sequence[Columns], texts: Sequence[str], messages: Messages, received_ns: int
    ) -> Batch | None:
        """One batch, in the order of the messages; values without a time of their own get the gateway's."""
        if not sum(len(one.message) for one in columns):
            return None
        whole = columns[0]
        if len(columns) > 1:
            whole = Columns(*map(np.concatenate, zip(*columns, strict=True)))
            whole = whole.at(whole.message.argsort(kind="stable"))
        message, which, t_ns, value, quality = whole
        clock = np.full(len(value), Clock.SOURCE, dtype=np.uint8)
        is_untimed = t_ns == UNTIMED
        if is_untimed.any():
            t_ns[is_untimed] = self._gateway_times(len(messages), received_ns)[message[is_untimed]]
            clock[is_untimed] = Clock.GATEWAY
            quality[is_untimed & messages.retained[message] & (quality == GOOD)] = LAST_USABLE
        series = self._plans.fields.series
        return Batch(self._source, received_ns, series, which, t_ns, value, quality, clock, tuple(texts))

    def _gateway_times(self, count: int, received_ns: int) -> NDArray[np.int64]:
        """A time of our own for each message, later than any before, a nanosecond apart."""
        first_ns = max(received_ns, self._gateway_ns + 1)
        self._gateway_ns = first_ns + count - 1
        return np.arange(first_ns, first_ns + count, dtype=np.int64)

    def _careful(
        self,
        rows: _Rows,
        which: NDArray[np.uint32],
        quality: NDArray[np.uint32],
        texts: list[str],
        refused: dict[int, str],
    ) -> NDArray[np.float64]:
        """Look at each value: texts, switches, words, numbers as text, null, ratios beside it in the payload."""
        value = np.full(len(rows.raw), np.nan)
        factor = np.ones(len(rows.raw))
        converters = self._plans.fields.converters
        for row, (raw, series) in enumerate(zip(rows.raw, rows.which, strict=True)):
            if isinstance(raw, Faulty):
                quality[row] = DEVICE_FAILURE
                continue
            try:
                if isinstance(raw, Sided):
                    converted = None if raw.raw is None else converters[series](raw.raw)
                    factor[row] = 1.0 if converted is None else raw.factor()
                else:
                    converted = None if raw is None else converters[series](raw)
            except (ValueError, RecursionError) as error:
                refused[row] = str(error)
                continue
            if converted is None:
                quality[row] = NO_DATA
            elif isinstance(converted, str):
                value[row] = len(texts)
                texts.append(converted)
            else:
                value[row] = converted
        return self._plans.fields.measured(value, which) * factor

    def _letter(self, messages: Messages, number: int, reasons: Sequence[str], received_ns: int) -> DeadLetter:
        payload = messages.payloads[number]
        reason = "; ".join(reasons[:MOST_REASONS])
        if len(reasons) > MOST_REASONS:
            reason += f"; and {len(reasons) - MOST_REASONS} more"
        if len(payload) > KEPT_PAYLOAD_BYTES:
            reason += f" (of {len(payload)} bytes the first {KEPT_PAYLOAD_BYTES} are kept)"
        where = messages.topics[number].decode("utf-8", "backslashreplace")
        return DeadLetter(self._source, received_ns, where, reason, payload[:KEPT_PAYLOAD_BYTES])

    def _edges(self, messages: Messages, rows: _Rows) -> dict[str, str]:
        """Troubles that begin, and those that have ended."""
        if not (rows.reasons or rows.notes or self._troubled):
            return {}
        said = {number: "; ".join(reasons[:MOST_REASONS]) for number, reasons in rows.reasons.items()} | rows.notes
        troubles: dict[str, str] = {}
        newest = {topic: number for number, topic in enumerate(messages.topics)}
        for topic, number in newest.items():
            name = topic.decode("utf-8", "backslashreplace")
            if number in said and (name in self._troubled or len(self._troubled) < MOST_TROUBLED):
                troubles[name] = said[number]
                self._troubled.add(name)
            elif number not in said and name in self._troubled:
                troubles[name] = ""
                self._troubled.discard(name)
        return troubles


def _may_be_untimed(rows: _Rows, number: int, plan: Plan, error: ValueError) -> bool:
    """Whether a reading is kept although its time cannot be used; the reason is noted either way."""
    if plan.needs_time:
        rows.reasons.setdefault(number, []).append(f"{error}; this mapping takes no value without its time")
        return False
    rows.notes[number] = f"{error}; the gateway's time is used: check clock, path and format"
    return True


def _plain(raw: list[object]) -> NDArray[np.float64] | None:
    """All values at once, where all are numbers; else None."""
    if not _NUMBERS.issuperset(map(type, raw)):
        return None
    try:
        return np.array(raw, dtype=np.float64)
    except OverflowError:
        return None
