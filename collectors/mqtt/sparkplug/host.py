"""The host of Sparkplug B: messages of all edge nodes -> batch, gaps, dead letters, and requests for births, pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np

from collectors.mqtt.fields import MOST_SERIES
from collectors.mqtt.outcome import AHEAD_NS, EARLIEST_NS, KEPT_PAYLOAD_BYTES, Decoded
from collectors.mqtt.packets import Messages
from collectors.mqtt.plans import Publication
from collectors.mqtt.signals import ELECTRIC_ENERGY
from collectors.mqtt.sparkplug.edge import NO_COMMUNICATION, Edge, Outcome, Reading
from collectors.mqtt.sparkplug.payload import open_payload, rebirth_request
from collectors.mqtt.sparkplug.settings import NAMESPACE, MetricSettings, SparkplugSettings
from collectors.mqtt.topics import fill
from collectors.points import BAD, GOOD, UNCERTAIN, Batch, Clock, DeadLetter, Gap, Kind, Series
from collectors.units import canonical

MOST_EDGES = 10_000
SERIES_OF_A_GAP = 200
"""A gap that concerns more series names none, only the edge node."""

SIDELESS = (
    "this energy does not say ct, pt and side, so its values are Uncertain; write them for its metric under "
    "sparkplug.metrics (without transformers: ct: 1, pt: 1, side: primary)"
)

_NODE_KINDS = ("NBIRTH", "NDATA", "NDEATH")
_DEVICE_KINDS = ("DBIRTH", "DDATA", "DDEATH")


class _Columns:
    """A batch on its way."""

    def __init__(self) -> None:
        self.which: list[int] = []
        self.t_ns: list[int] = []
        self.value: list[float] = []
        self.quality: list[int] = []
        self.clock: list[int] = []
        self.texts: list[str] = []

    def add(self, which: int, t_ns: int, value: float | str | None, quality: int, clock: Clock) -> None:
        if isinstance(value, str):
            self.texts.append(value)
            value = float(len(self.texts) - 1)
        self.which.append(which)
        self.t_ns.append(t_ns)
        self.value.append(np.nan if value is None or quality >= BAD else value)
        self.quality.append(quality)
        self.clock.append(clock)


class Host:
    """Keeps what is known of every edge node, over all connections."""

    def __init__(self, settings: SparkplugSettings, *, source: str, plant: str) -> None:
        self._settings = settings
        self._source = source
        self._plant = plant
        self._edges: dict[tuple[str, str], Edge] = {}
        self._index: dict[Series, int] = {}
        self._series: tuple[Series, ...] = ()
        self._live: dict[tuple[str, str, str], set[int]] = {}  # group, edge, device -> series with a value
        self._last_ns: dict[Edge, int] = {}  # when the last message came
        self._sideless: set[int] = set()  # series of energy that may be of either side of a transformer
        self._new_troubles: dict[str, str] = {}

    def reconnected(self) -> None:
        """The connection is new: what was not acknowledged comes again."""
        for edge in self._edges.values():
            edge.reconnected()

    def decode(self, messages: Messages, *, received_ns: int) -> Decoded:
        """Every message ends in the batch, in a dead letter, or in both; what is missing ends in a gap."""
        columns, decoded = _Columns(), Decoded(None, [], {})
        last = len(messages) - 1 if messages.is_last_cut else -1
        for number, (octets, payload) in enumerate(zip(messages.topics, messages.payloads, strict=True)):
            topic = octets.decode("utf-8", "backslashreplace")
            try:
                if number == last:
                    raise ValueError("the message is too large; only its beginning is kept")
                refused = self._take(topic, payload, received_ns, columns, decoded)
            except (ValueError, RecursionError) as error:
                refused = [str(error)]
            if refused:
                reason = "; ".join(refused[:10])
                decoded.letters.append(
                    DeadLetter(self._source, received_ns, topic, reason, payload[:KEPT_PAYLOAD_BYTES])
                )
                decoded.troubles[topic] = reason
            else:
                decoded.troubles[topic] = ""
        decoded.troubles |= self._new_troubles
        self._new_troubles.clear()
        if columns.which:
            decoded.batch = self._batch(columns, received_ns)
        return decoded

    def _take(self, topic: str, octets: bytes, now_ns: int, columns: _Columns, decoded: Decoded) -> list[str]:
        """One message; returns why parts of it are refused. Raises ValueError, for people."""
        match topic.split("/"):
            case [_, group, kind, name] if kind in _NODE_KINDS:
                device = ""
            case [_, group, kind, name, device] if kind in _DEVICE_KINDS and device:
                pass
            case _:
                raise ValueError("the topic is none of Sparkplug B's")
        edge = self._edge(group, name)
        outcome = edge.take(kind, device, open_payload(octets))
        if outcome.gap:
            decoded.gaps.append(self._gap(group, edge, outcome.gap, now_ns))
        self._last_ns[edge] = now_ns
        if outcome.wants_birth and self._may_ask(edge, now_ns):
            decoded.replies.append(Publication(f"{NAMESPACE}/{group}/NCMD/{name}", rebirth_request(now_ns)))
        self._keep(group, edge, outcome, now_ns, columns)
        return outcome.refused

    def _edge(self, group: str, name: str) -> Edge:
        edge = self._edges.get((group, name))
        if edge is None:
            if len(self._edges) >= MOST_EDGES:
                raise ValueError(f"more than {MOST_EDGES} edge nodes; name the groups to listen to")
            edge = self._edges[group, name] = Edge(name)
        return edge

    def _may_ask(self, edge: Edge, now_ns: int) -> bool:
        """Only the primary host asks for births, and each node only now and then."""
        if self._settings.host_id is None or now_ns - edge.asked_ns < self._settings.rebirth_s * 1e9:
            return False
        edge.asked_ns = now_ns
        return True

    def _keep(self, group: str, edge: Edge, outcome: Outcome, now_ns: int, columns: _Columns) -> None:
        for reading in outcome.readings:
            own = self._own(reading)
            which = self._which(group, edge, reading, own)
            is_usable = EARLIEST_NS <= reading.t_ns <= now_ns + AHEAD_NS
            if reading.is_historical and not is_usable:
                outcome.refused.append(f"{reading.metric} is historical, and its time cannot be")
                continue
            t_ns, clock = (reading.t_ns, Clock.SOURCE) if is_usable else (now_ns, Clock.GATEWAY)
            value, quality = reading.element.value, reading.quality
            if isinstance(value, float) and own is not None and own.side == "secondary":
                value *= own.factor
            if which in self._sideless and quality == GOOD:
                quality = UNCERTAIN
            columns.add(which, t_ns, value, quality, clock)
            if quality < BAD:
                self._live.setdefault((group, edge.name, reading.device), set()).add(which)
        for device in outcome.dead:
            for which in sorted(self._live.pop((group, edge.name, device), ())):
                columns.add(which, now_ns, None, NO_COMMUNICATION, Clock.GATEWAY)

    def _own(self, reading: Reading) -> MetricSettings | None:
        """What is configured for its metric; the first that fits counts."""
        return next((one for one in self._settings.metrics if fnmatchcase(reading.metric, one.metric)), None)

    def _which(self, group: str, edge: Edge, reading: Reading, own: MetricSettings | None) -> int:
        """The series of a reading. Raises ValueError, for people, where there are too many."""
        unit, kind = _unit_and_kind(reading, own)
        words = {"group": group, "edge": edge.name, "device": reading.device or edge.name}
        area, line, machine = (
            fill(text, words) for text in (self._settings.area, self._settings.line, self._settings.machine)
        )
        series = Series(self._plant, area, line, machine, reading.element.name, unit, kind)
        which = self._index.get(series)
        if which is None:
            if len(self._index) >= MOST_SERIES:
                raise ValueError(f"more than {MOST_SERIES} series; name the groups to listen to")
            which = self._index[series] = len(self._index)
            if unit in ELECTRIC_ENERGY and (own is None or own.side is None):
                self._sideless.add(which)
                self._new_troubles[str(series)] = SIDELESS
        return which

    def _gap(self, group: str, edge: Edge, detail: str, now_ns: int) -> Gap:
        lost = [
            which for (of, name, _), live in self._live.items() if (of, name) == (group, edge.name) for which in live
        ]
        table = list(self._index)
        series = tuple(table[which] for which in sorted(lost)) if len(lost) <= SERIES_OF_A_GAP else ()
        since_ns = self._last_ns.get(edge, now_ns)
        return Gap(self._source, since_ns, now_ns, "sequence_gap", series=series, detail=f"{group}: {detail}")

    def _batch(self, columns: _Columns, received_ns: int) -> Batch:
        if len(self._series) < len(self._index):
            self._series = tuple(self._index)
        return Batch(
            self._source,
            received_ns,
            self._series,
            np.array(columns.which, np.uint32),
            np.array(columns.t_ns, np.int64),
            np.array(columns.value, np.float64),
            np.array(columns.quality, np.uint32),
            np.array(columns.clock, np.uint8),
            tuple(columns.texts),
        )


def _unit_and_kind(reading: Reading, own: MetricSettings | None) -> tuple[str, Kind]:
    """As configured, else as the birth says."""
    kind = reading.element.kind
    if own is not None and own.kind is not None and kind.is_text == Kind(own.kind).is_text:
        kind = Kind(own.kind)
    if kind.is_text:
        return "", kind
    return (own.unit if own is not None and own.unit is not None else _known_unit(reading.unit)), kind


def _known_unit(text: str) -> str:
    """A birth's unit as Raceway writes it; one that is not known goes in braces."""
    if not text or (text.startswith("{") and text.endswith("}")):
        return text
    try:
        return canonical(text)
    except ValueError:
        return f"{{{text}}}"
