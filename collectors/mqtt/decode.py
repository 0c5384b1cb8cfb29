"""Topics and payloads as the columns of a batch, pure.

The hot loop does nothing but parse JSON and gather raw values; numbers are checked and converted for a whole block at
once. Only where a block holds something other than plain numbers is each value looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.packets import Messages
from collectors.mqtt.plans import Plan, Plans
from collectors.points import GOOD, Batch, Clock, DeadLetter

KEPT_PAYLOAD_BYTES = 64 * 1024
NO_DATA = 0x809B_0000  # BadNoData: the device itself says that it has no value (null)
LAST_USABLE = 0x4090_0000  # UncertainLastUsableValue: a retained message without a timestamp, of unknown age
EARLIEST_NS = 946_684_800 * 10**9  # 2000-01-01: a clock that says less was never set
AHEAD_NS = 24 * 3600 * 10**9  # a clock may be ahead by a time zone, not by a day

_NUMBERS = frozenset((int, float))


@dataclass(slots=True)
class Decoded:
    """What a block of messages held. `troubles`: topic -> what is wrong, empty where it has become well again."""

    batch: Batch | None
    letters: list[DeadLetter]
    troubles: dict[str, str]


@dataclass(slots=True)
class _Rows:
    """The raw values of a block, and for each message where they came from."""

    raw: list[object] = field(default_factory=list)
    which: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)  # number of the message, one entry a group of values
    count: list[int] = field(default_factory=list)  # how many values the group has
    t_ns: list[int] = field(default_factory=list)
    clock: list[int] = field(default_factory=list)


class Decoder:
    """Messages -> batch and dead letters. Keeps the table of series, which grows as machines appear."""

    def __init__(self, config: MqttConfig, *, plant: str) -> None:
        self._source = config.name
        self._plans = Plans(config, plant=plant)
        self._gateway_ns = 0  # the last timestamp of ours: no two messages share one
        self._troubled: set[str] = set()

    def decode(self, messages: Messages, *, received_ns: int) -> Decoded:
        """Every message ends in the batch, in a dead letter, or, where some of its values are refused, in both."""
        first_ns = max(received_ns, self._gateway_ns + 1)
        self._gateway_ns = first_ns + len(messages)
        reasons: dict[int, list[str]] = {}  # message number -> why it, or a part of it, is refused
        notes: dict[int, str] = {}  # message number -> what is odd about it, though it is kept
        rows = self._gather(messages, first_ns, received_ns, reasons, notes)
        batch = self._columns(rows, messages, received_ns, reasons)
        letters = [self._letter(messages, number, reasons[number], received_ns) for number in sorted(reasons)]
        return Decoded(batch, letters, self._edges(messages, reasons, notes))

    def _gather(
        self, messages: Messages, first_ns: int, received_ns: int, reasons: dict[int, list[str]], notes: dict[int, str]
    ) -> _Rows:
        rows = _Rows()
        find_plans = self._plans.find
        latest_ns = received_ns + AHEAD_NS
        truncated = set(np.flatnonzero(~messages.whole).tolist())
        for number, (topic, payload) in enumerate(zip(messages.topics, messages.payloads, strict=True)):
            try:
                if number in truncated:
                    raise ValueError("the message is too large to be read; only its beginning is kept")
                plans = find_plans(topic)
                size = len(rows.raw)
                for plan in plans:
                    _gather_one(rows, plan, number, payload, first_ns + number, latest_ns, notes)
                if len(rows.raw) == size:
                    raise ValueError("none of the mapping's paths is in the payload")
            except ValueError as error:
                reasons[number] = [str(error)]
        return rows

    def _columns(
        self, rows: _Rows, messages: Messages, received_ns: int, reasons: dict[int, list[str]]
    ) -> Batch | None:
        if not rows.raw:
            return None
        fields = self._plans.fields
        which = np.array(rows.which, dtype=np.uint32)
        count = np.array(rows.count)
        message = np.repeat(np.array(rows.message), count)
        clock = np.repeat(np.array(rows.clock, dtype=np.uint8), count)
        quality = np.where(messages.retained[message] & (clock == Clock.GATEWAY), LAST_USABLE, GOOD).astype(np.uint32)
        texts: list[str] = []
        refused: dict[int, str] = {}
        value = _plain(rows.raw) if fields.is_plain(which) else None
        if value is None:
            value = self._careful(rows, quality, texts, refused)
        value = fields.scaled(value, which)
        for row in np.flatnonzero(~np.isfinite(value) & (quality != NO_DATA)).tolist():
            refused.setdefault(row, "the value is not a finite number")
        kept = np.ones(len(value), dtype=np.bool_)
        for row, reason in refused.items():
            kept[row] = False
            reasons.setdefault(int(message[row]), []).append(f"{fields.series[which[row]].signal}: {reason}")
        t_ns = np.repeat(np.array(rows.t_ns, dtype=np.int64), count)
        if refused:
            which, t_ns, value, quality, clock = which[kept], t_ns[kept], value[kept], quality[kept], clock[kept]
        if not len(value):
            return None
        return Batch(self._source, received_ns, fields.series, which, t_ns, value, quality, clock, tuple(texts))

    def _careful(
        self, rows: _Rows, quality: NDArray[np.uint32], texts: list[str], refused: dict[int, str]
    ) -> NDArray[np.float64]:
        """Look at each value: texts, switches, words, numbers as text, null."""
        value = np.full(len(rows.raw), np.nan)
        converters = self._plans.fields.converters
        for row, (raw, series) in enumerate(zip(rows.raw, rows.which, strict=True)):
            if raw is None:
                quality[row] = NO_DATA
                continue
            try:
                converted = converters[series](raw)
            except ValueError as error:
                refused[row] = str(error)
                continue
            if isinstance(converted, str):
                value[row] = len(texts)
                texts.append(converted)
            else:
                value[row] = converted
        return value

    def _letter(self, messages: Messages, number: int, reasons: Sequence[str], received_ns: int) -> DeadLetter:
        payload = messages.payloads[number]
        reason = "; ".join(reasons)
        if len(payload) > KEPT_PAYLOAD_BYTES:
            reason += f" (of {len(payload)} bytes the first {KEPT_PAYLOAD_BYTES} are kept)"
        where = messages.topics[number].decode("utf-8", "backslashreplace")
        return DeadLetter(self._source, received_ns, where, reason, payload[:KEPT_PAYLOAD_BYTES])

    def _edges(self, messages: Messages, reasons: dict[int, list[str]], notes: dict[int, str]) -> dict[str, str]:
        """Troubles that begin, and those that have ended."""
        if not (reasons or notes or self._troubled):
            return {}
        said = {number: "; ".join(reasons[number]) for number in reasons} | notes
        troubles: dict[str, str] = {}
        for number, topic in enumerate(messages.topics):
            name = topic.decode("utf-8", "backslashreplace")
            if number in said:
                troubles[name] = said[number]
                self._troubled.add(name)
            elif name in self._troubled:
                troubles[name] = ""
                self._troubled.discard(name)
        return troubles


def _gather_one(
    rows: _Rows, plan: Plan, number: int, payload: bytes, gateway_ns: int, latest_ns: int, notes: dict[int, str]
) -> None:
    """Append the raw values of one message, as one mapping reads it; raises ValueError where it cannot."""
    document = plan.load(payload)
    values, which = plan.pick(document)
    if not values:
        return
    t_ns, clock = gateway_ns, 2
    if plan.time is not None:
        try:
            t_ns = plan.time(document)
            clock = 0
            if not EARLIEST_NS <= t_ns <= latest_ns:
                raise ValueError("the timestamp is before 2000 or more than a day ahead; check clock and time format")
        except ValueError as error:
            t_ns, clock = gateway_ns, 2
            notes[number] = f"{error}; the gateway's time is used"
    rows.raw.extend(values)
    rows.which.extend(which)
    rows.message.append(number)
    rows.count.append(len(values))
    rows.t_ns.append(t_ns)
    rows.clock.append(clock)


def _plain(raw: list[object]) -> NDArray[np.float64] | None:
    """All values at once, where all are numbers; else None."""
    if not _NUMBERS.issuperset(map(type, raw)):
        return None
    try:
        return np.array(raw, dtype=np.float64)
    except OverflowError:
        return None
