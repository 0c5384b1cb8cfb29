"""Losses: told by a gap record, and only once that is durable the bytes go."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import structlog

from agent.store.codec import Columns, Undecodable, decode_columns, unpack
from agent.store.cursor import Interval
from agent.store.intake import gap_of, told_places
from agent.store.quarantine import Quarantine
from agent.store.record import Damage, Frame, Header, RecordType, Seal
from agent.store.recovery import Found, mend
from agent.store.retention import TOMBSTONES, bury, unlink_all
from agent.store.segment import Segment, frames, missing_points, points_in
from agent.store.stream import Place, Stream
from collectors.points import Delivery, Gap

logger = structlog.get_logger(__name__)


class Losses:
    """What is lost, from the moment it is found until it is told durably and its bytes are put away.

    `stage` puts gaps among what the next flush makes durable. `found` is filled by readers, in other threads.
    """

    def __init__(
        self, place: Place, streams: Mapping[str, Stream], *, stage: Callable[[Sequence[Delivery]], object]
    ) -> None:
        self.found: deque[tuple[str, Segment, Damage]] = deque()
        self.lost: Counter[str] = Counter()  # points, by reason
        self.damaged = 0
        self.torn_bytes = 0
        self._place = place
        self._streams = streams
        self._stage = stage
        self._quarantine = Quarantine(place.files, place.directory / "quarantine")
        self._buried: list[Path] = []  # tombstones that wait for their gap
        self._to_mend: list[tuple[Segment, Damage]] = []  # told, their bytes not yet in quarantine
        self._told: set[str] = set()  # places of damage that a gap names
        self._told_again: set[Path] = set()  # segments whose own gaps were told again

    @property
    def is_to_mend(self) -> bool:
        """Whether `mend` has something to do."""
        return bool(self._to_mend)

    def remember(self, columns: Columns) -> None:
        """Damage that these gaps name is not told a second time."""
        self._told.update(told_places(columns.texts))

    def report(self, found: Mapping[str, Found], *, needed_seq: int) -> None:
        """Stage gaps for what a start found."""
        for name, each in found.items():
            for path, seal in each.tombstones:
                self._tell_buried(name, path, seal, needed_seq)
            for segment, damage in each.damages:  # in files without a seal that could say how much they held
                self._tell_damage(name, segment, damage, has_seal=False)
            self.torn_bytes += each.torn_bytes

    def tell_found(self) -> None:
        """Stage gaps for the damage that readers met."""
        while self.found:
            self._tell_damage(*self.found.popleft(), has_seal=True)

    def drop(self, stream: Stream, segment: Segment, reason: str, *, undone: Sequence[Interval]) -> int | None:
        """Turn a segment that somebody still needs into a tombstone and stage its gap; the points that are lost.

        None if nothing was dropped yet, because the gaps that lie in it have to become durable elsewhere first.
        """
        files = self._place.files
        again = [] if segment.path in self._told_again else list(self._gaps_in(segment, undone[0][0]))
        if stream.name == "records" and again:
            self._told_again.add(segment.path)
            self._stage(merged(again))
            return None
        lost = points_in(files, segment, undone)
        self._buried.append(bury(files, segment, reason))
        stream.remove(segment)
        self._told_again.discard(segment.path)
        self._tell_lost(stream.name, segment.seal, lost, reason)
        return lost

    def let_go(self) -> None:
        """The gaps are durable: the tombstones are not needed any more."""
        buried, self._buried = self._buried, []
        unlink_all(self._place.files, buried)

    def mend(self) -> None:
        """With every damage told durably: keep its bytes for people, and make files that were torn whole again."""
        damaged, self._to_mend = self._to_mend, []
        harmed = [segment for segment, _ in damaged]
        for segment, damage in damaged:
            self._quarantine.keep(segment.path, damage)
        with contextlib.suppress(OSError):
            for stream in self._streams.values():
                previous = bytes(32)
                for segment in stream.closed:
                    if segment.seal.records == 0 and segment not in harmed:
                        self._place.files.unlink(segment.path)
                        stream.remove(segment)
                        continue
                    if not segment.sealed:
                        mend(self._place, segment, previous=previous, series=len(self._place.catalogue))
                    previous = segment.seal.sha256

    def _tell_buried(self, name: str, path: Path, seal: Seal | None, needed_seq: int) -> None:
        """A tombstone found at start: its gap may never have become durable."""
        self._buried.append(path)
        if seal is None or name == "dlq" or seal.last_seq > needed_seq:
            self._tell_lost(name, seal or Seal(), seal.points if seal else None, TOMBSTONES[path.suffix])

    def _tell_lost(self, name: str, seal: Seal, points: int | None, reason: str) -> None:
        detail = f"{name}: numbers {seal.first_seq} to {seal.last_seq} were dropped before every reader had them"
        self._tell(reason, seal.from_ns, seal.to_ns, points, detail)

    def _tell_damage(self, name: str, segment: Segment, damage: Damage, *, has_seal: bool) -> None:
        """Stage the gap for a damaged place, unless it is told already; its bytes go to quarantine after that."""
        place = f"{name}/{segment.path.name}@{damage.offset}"
        if place in self._told:
            return
        self._told.add(place)
        self._to_mend.append((segment, damage))
        self.damaged += 1
        logger.error("record.skipped", segment=segment.path.name, offset=damage.offset, why=damage.why)
        detail = f"{place} {damage.length} bytes: {damage.why}"
        match damage.header:
            case Header(type=RecordType.DATA | RecordType.DEAD_LETTER) as header:
                self._tell("corrupt", header.wall_ns, header.wall_ns, header.points, detail)
            case Header():
                pass  # a declaration or a seal: no point is lost with it
            case None:
                points = missing_points(self._place.files, segment) if has_seal else None
                self._tell("corrupt", segment.seal.from_ns, segment.seal.to_ns, points, detail)

    def _tell(self, reason: str, from_ns: int, to_ns: int, points: int | None, detail: str) -> None:
        self.lost[reason] += points or 0
        self._stage([Gap("store", from_ns, to_ns, reason, points, detail=detail)])

    def _gaps_in(self, segment: Segment, needed_seq: int) -> Iterator[Gap]:
        """The gap records of a segment that somebody still needs."""
        series = self._place.catalogue.series
        is_gap = np.array([each.signal == "gap" for each in series], np.bool_)
        for item in frames(self._place.files, segment):
            if (
                isinstance(item, Frame)
                and item.header.type == RecordType.DATA
                and item.header.next_seq > needed_seq + 1
            ):
                with contextlib.suppress(Undecodable):
                    columns = decode_columns(unpack(item.header, item.payload))
                    if self._place.catalogue.holds(columns.ids):
                        for row in np.flatnonzero(is_gap[columns.ids]).tolist():
                            yield from gap_of(series[columns.ids[row]].machine, columns.texts[int(columns.value[row])])


def merged(gaps: Iterable[Gap]) -> list[Gap]:
    """One gap for each source and reason: from the first to the last, with the points of all."""
    groups: dict[tuple[str, str], list[Gap]] = defaultdict(list)
    for gap in gaps:
        groups[gap.source, gap.reason].append(gap)
    return [
        Gap(
            source,
            min(gap.from_ns for gap in group),
            max(gap.to_ns for gap in group),
            reason,
            None if any(gap.points is None for gap in group) else sum(gap.points or 0 for gap in group),
            detail=f"again, for {len(group)} records that no reader had before they were dropped",
        )
        for (source, reason), group in groups.items()
    ]
