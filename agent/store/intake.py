"""From what collectors hand over to what goes on disk: numbered, settled, encoded. No file is touched here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import orjson

from agent.sink import Entry
from agent.store.catalogue import Catalogue
from agent.store.codec import Columns, Packed, Part, encode_columns, encode_letter, pack
from agent.store.record import RecordType
from agent.store.settle import Settler, comparable
from agent.store.stream import Staged
from collectors.points import Batch, DeadLetter, Delivery, Gap, Kind, Point, Series, Stream
from collectors.texts import legible

MAX_POINTS = 32_768  # in one record: bounds what a reader needs in memory at once
MAX_BATCHES = 0xFFFF


class Refused(ValueError):
    """A delivery that is none: its owner alone hears of it, and nothing of it is kept."""


class Letter(NamedTuple):
    """A dead letter and its bytes."""

    letter: DeadLetter
    raw: Packed


class Accepted(NamedTuple):
    """What became of a delivery: its last sequence number, the points that were kept, the equal ones that were not."""

    seq: int
    points: int
    duplicates: int


@dataclass(slots=True)
class _Piece:
    """A batch, or a slice of a large one, and which delivery it came from."""

    batch: Batch
    owner: int


class Intake:
    """Gives sequence numbers. `next_seq` is shared by telemetry and records, dead letters have their own."""

    def __init__(self, catalogue: Catalogue, plant: str) -> None:
        self.settler = Settler()
        self.next_seq = 1
        self.next_letter = 1
        self.duplicates = 0
        self._catalogue = catalogue
        self.plant = plant

    def stage(self, deliveries: Sequence[Delivery]) -> tuple[list[tuple[str, Staged]], list[Accepted]]:
        """Records with the names of their streams, and what to answer to each delivery once they are durable.

        Neighbours of one stream share records. Raises Refused for a delivery that is no delivery, before anything of
        the others is settled: what was settled and is not written would be taken for a duplicate when it comes again.
        """
        told = [self._told(delivery) for delivery in deliveries]
        staged: list[tuple[str, Staged]] = []
        accepted = [Accepted(0, 0, 0)] * len(deliveries)
        run: list[_Piece] = []
        points = 0
        for owner, batch in enumerate(told):
            if isinstance(batch, Letter):
                staged.append(("dlq", self._stage_letter(batch)))
                accepted[owner] = Accepted(self.next_letter - 1, batch.letter.points, 0)
                continue
            for piece in _slices(batch, owner):
                points += len(piece.batch)
                if run and not (
                    piece.batch.stream == run[0].batch.stream and points <= MAX_POINTS and len(run) < MAX_BATCHES
                ):
                    staged += self._stage_run(run, accepted)
                    run, points = [], len(piece.batch)
                run.append(piece)
            accepted[owner] = Accepted(self.next_seq - 1, 0, 0)
        if run:
            staged += self._stage_run(run, accepted)
        return staged, accepted

    def _stage_run(self, run: list[_Piece], accepted: list[Accepted]) -> Iterator[tuple[str, Staged]]:
        columns, kept = self._settle(_concatenate(run, self._catalogue))
        first = self.next_seq
        for piece, points in zip(run, kept, strict=True):
            self.next_seq += points > 0
            before, dropped = accepted[piece.owner], len(piece.batch) - points
            self.duplicates += dropped
            accepted[piece.owner] = Accepted(self.next_seq - 1, before.points + points, before.duplicates + dropped)
        if self.next_seq == first:
            return
        stream = run[0].batch.stream
        batches = columns.batches(self._catalogue.series, stream)
        yield (
            stream.value,
            Staged(
                RecordType.DATA,
                first,
                len(batches),
                len(columns.t_ns),
                pack(encode_columns(columns)),
                int(columns.t_ns.min()),
                int(columns.t_ns.max()),
                columns.ids,
                [Entry(first + i, batch) for i, batch in enumerate(batches)],
            ),
        )

    def _settle(self, columns: Columns) -> tuple[Columns, list[int]]:
        """The columns without equal duplicates, and how many points each part kept."""
        bits = comparable(columns.value, columns.ids, is_text=self._catalogue.is_text, texts=columns.texts)
        keep, columns.t_ns = self.settler.settle(
            columns.ids, columns.t_ns, bits=bits, quality=columns.quality, is_replaced=self._catalogue.is_replaced
        )
        if keep is None:
            return columns, [part.points for part in columns.parts]
        starts = np.cumsum([0, *(part.points for part in columns.parts[:-1])])
        kept: list[int] = np.add.reduceat(keep, starts, dtype=np.int64).tolist()
        return columns.keep(keep, kept), kept

    def _told(self, delivery: Delivery) -> Batch | Letter:
        """A delivery as it is staged; everything that can be wrong with it is found here."""
        try:
            match delivery:
                case DeadLetter():
                    return Letter(delivery, pack(encode_letter(delivery)))
                case Gap():
                    return gap_batch(delivery, self.plant)
                case Batch():
                    self._catalogue.ids(delivery.series)
                    return delivery
        except Exception as error:
            raise Refused(f"{delivery!r} cannot be written: {error!r}") from error
        raise Refused(f"{delivery!r} is neither a batch nor a gap nor a dead letter")

    def _stage_letter(self, told: Letter) -> Staged:
        seq, self.next_letter = self.next_letter, self.next_letter + 1
        letter, raw = told
        return Staged(RecordType.DEAD_LETTER, seq, 1, letter.points, raw, letter.received_ns, letter.received_ns)


def gap_batch(gap: Gap, plant: str) -> Batch:
    """A gap as the event that readers see: one text point in the records stream."""
    said = {
        "from_ns": gap.from_ns,
        "to_ns": gap.to_ns,
        "reason": legible(gap.reason),
        "points": gap.points,
        "series": [legible(str(series)) for series in gap.series],
        "detail": legible(gap.detail),
        "recovered": gap.recovered,
    }
    series = Series(plant, "", "", legible(gap.source), "gap", kind=Kind.EVENT)
    point = Point(series, gap.from_ns, orjson.dumps(said).decode())
    return Batch.of(series.machine, [point], received_ns=gap.to_ns, stream=Stream.RECORDS)


def gap_of(source: str, text: str) -> Iterator[Gap]:
    """The gap that such a text says, without its series; nothing if it says none."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        said = orjson.loads(text)
        yield Gap(
            source, int(said["from_ns"]), int(said["to_ns"]), str(said["reason"]), said["points"], detail=said["detail"]
        )


def told_places(texts: Sequence[str]) -> Iterator[str]:
    """The places of damage that these gaps name: the first word of their details."""
    for text in texts:
        if '"reason":"corrupt"' in text:
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                yield orjson.loads(text)["detail"].partition(" ")[0]


def _slices(batch: Batch, owner: int) -> Iterable[_Piece]:
    n = len(batch)
    if 0 < n <= MAX_POINTS:
        yield _Piece(batch, owner)
        return
    for start in range(0, n, MAX_POINTS):
        rows = slice(start, start + MAX_POINTS)
        part = replace(
            batch,
            which=batch.which[rows],
            t_ns=batch.t_ns[rows],
            value=batch.value[rows],
            quality=batch.quality[rows],
            clock=batch.clock[rows],
        )
        yield _Piece(part, owner)


def _concatenate(run: list[_Piece], catalogue: Catalogue) -> Columns:
    """One set of columns for several batches, with the store's ids; texts are renumbered."""
    found = [_columns(piece.batch, catalogue) for piece in run]
    if len(found) == 1:
        return found[0]
    texts: list[str] = []
    for columns in found:
        if texts and columns.texts:
            columns.value = columns.value.copy()
            columns.value[catalogue.is_text[columns.ids]] += len(texts)
        texts += columns.texts
    return Columns(
        np.concatenate([columns.ids for columns in found]),
        np.concatenate([columns.t_ns for columns in found]),
        np.concatenate([columns.value for columns in found]),
        np.concatenate([columns.quality for columns in found]),
        np.concatenate([columns.clock for columns in found]),
        tuple(texts),
        [columns.parts[0] for columns in found],
    )


def _columns(batch: Batch, catalogue: Catalogue) -> Columns:
    return Columns(
        catalogue.ids(batch.series)[batch.which],
        np.ascontiguousarray(batch.t_ns, np.int64),
        np.ascontiguousarray(batch.value, np.float64),
        np.ascontiguousarray(batch.quality, np.uint32),
        np.ascontiguousarray(batch.clock, np.uint8),
        tuple(batch.texts),
        [Part(batch.source, batch.received_ns, len(batch))],
    )
