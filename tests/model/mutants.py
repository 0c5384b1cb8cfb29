"""Planted bugs: each is one that a real store-and-forward system had, put into Raceway for as long as a test hunts it.

A guard that no mutant can pass is worth something; a mutant that survives shows what the storms do not look at. The
product knows nothing of this page: every bug is a patch from outside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from agent.backoff import Backoff
from agent.influx import lines, parcel
from agent.influx.answers import Answer, Verdict, judge
from agent.sink import Entry
from agent.store import append, journal, losses, record, recovery, room, segment, stream, timekeeper
from agent.store.append import SegmentWriter
from agent.store.cursor import Confirmed, CursorFile
from agent.store.files import Files
from agent.store.journal import Journal
from agent.store.lanes import Cursor
from agent.store.record import Damage, Frame, Header, Read
from agent.store.refusals import Held
from agent.store.segment import Segment
from agent.store.stream import Stream
from agent.store.timekeeper import Correction
from collectors.points import Batch

Hunt = Literal["storm", "cuts", "flips", "quota", "blocks", "network"]


class Mutant(NamedTuple):
    """A bug, and where it has to show itself."""

    name: str
    hunt: Hunt
    plant: Callable[[pytest.MonkeyPatch], None]


def no_payload_crc(patch: pytest.MonkeyPatch) -> None:
    """A record whose payload fails its CRC is taken as it is."""
    scan = record.scan

    def credulous(read: Read, *, start: int, end: int, epoch: int, payloads: bool = True) -> Iterator[Frame | Damage]:
        for item in scan(read, start=start, end=end, epoch=epoch, payloads=payloads):
            if isinstance(item, Damage) and item.header is not None and "CRC" in item.why:
                payload = read(item.offset + record.HEADER_BYTES, item.header.payload_len)
                yield Frame(item.offset, item.header, payload)
            else:
                yield item

    patch.setattr(segment, "scan", credulous)


def no_header_crc(patch: pytest.MonkeyPatch) -> None:
    """A header is believed if only its magic is right."""

    def unpack(raw: bytes) -> Header | None:
        if len(raw) < record.HEADER_BYTES or raw[:4] != record.RECORD_MAGIC:
            return None
        _, _, codec, kind, _, length, raw_len, points, batches, _, *rest = record._RECORD.unpack_from(raw)
        return Header(kind, codec, length, raw_len, points, batches, *rest)

    patch.setattr(Header, "unpack", staticmethod(unpack))


def ack_before_sync(patch: pytest.MonkeyPatch) -> None:
    """Segments are written and published, but not synced."""

    class Hasty:
        def __init__(self, files: Files) -> None:
            self._files = files

        def __getattr__(self, name: str) -> object:
            return getattr(self._files, name)

        def sync(self, handle: int) -> None:
            pass

    sync = SegmentWriter.sync

    def hasty(self: SegmentWriter) -> None:
        files, self._files = self._files, Hasty(self._files)  # type: ignore[assignment]
        sync(self)
        self._files = files

    patch.setattr(SegmentWriter, "sync", hasty)


def no_directory_sync(patch: pytest.MonkeyPatch) -> None:
    """A new segment's content is synced, its name is not."""
    create = SegmentWriter.create

    def nameless(files: Files, *rest: object, **inner: object) -> SegmentWriter:
        writer = create(files, *rest, **inner)  # type: ignore[arg-type]
        writer._is_named = True
        return writer

    patch.setattr(SegmentWriter, "create", staticmethod(nameless))


def cursor_before_confirm(patch: pytest.MonkeyPatch) -> None:
    """The place that is kept is one ahead of what the reader has confirmed."""
    flush = CursorFile.flush

    def ahead(self: CursorFile, confirmed: Confirmed, files: Files, *, store: bytes) -> int:
        return flush(self, confirmed._replace(seq=confirmed.seq + 1), files, store=store)

    patch.setattr(CursorFile, "flush", ahead)


def unlink_before_cursor(patch: pytest.MonkeyPatch) -> None:
    """Segments are deleted by what readers have confirmed in memory."""
    tend = Journal.tend

    def hasty(self: Journal) -> None:
        kept = {name: cursor.durable for name, cursor in self.cursors.items()}
        for cursor in self.cursors.values():
            cursor.durable = cursor.confirmed  # nothing looks as if it had to be saved
        tend(self)
        for name, durable in kept.items():
            self.cursors[name].durable = durable

    patch.setattr(Journal, "tend", hasty)


def no_epoch_check(patch: pytest.MonkeyPatch) -> None:
    """A record of an older file, left in blocks that were given to a new one, is taken."""
    patch.setattr(record, "_valid_header", lambda raw, epoch: Header.unpack(raw))


def stop_at_first_bad_record(patch: pytest.MonkeyPatch) -> None:
    """What follows a damaged record is not looked at, as a torn tail would justify."""
    scan = record.scan

    def curt(read: Read, *, start: int, end: int, epoch: int, payloads: bool = True) -> Iterator[Frame | Damage]:
        for item in scan(read, start=start, end=end, epoch=epoch, payloads=payloads):
            yield item
            if isinstance(item, Damage):
                return

    patch.setattr(segment, "scan", curt)


def wipe_on_bad_cursor(patch: pytest.MonkeyPatch) -> None:
    """A reader whose place cannot be read means a store that cannot be trusted: begin with an empty one."""
    recover = recovery.recover_places

    def wiping(place: stream.Place) -> dict[str, CursorFile]:
        cursors = recover(place)
        if any(cursor.trouble for cursor in cursors.values()):
            for name in place.files.list(place.directory / "telemetry"):
                place.files.unlink(place.directory / "telemetry" / name)
        return cursors

    patch.setattr(journal, "recover_places", wiping)


def retry_failed_sync(patch: pytest.MonkeyPatch) -> None:
    """A file whose sync failed is synced again, and believed the second time."""
    patch.setattr(Stream, "_abandon", lambda self: None)


def ignore_short_write(patch: pytest.MonkeyPatch) -> None:
    """How many bytes were taken is not looked at."""

    def careless(files: Files, handle: int, buffers: Sequence[bytes], offset: int) -> None:
        files.write(handle, buffers, offset)

    patch.setattr(append, "write_whole", careless)


def reader_past_durable(patch: pytest.MonkeyPatch) -> None:
    """Readers get what is staged, before it is on disk."""
    start = Journal.open

    def opened(self: Journal) -> None:
        start(self)
        stage = self.stage

        def eager(deliveries: Sequence[object]) -> object:
            accepted = stage(deliveries)  # type: ignore[arg-type]
            entries = [entry for staged in self._unpublished for entry in staged.entries]
            fresh = [entry for entry in entries if entry.seq > self.durable_seq]
            if fresh:
                self.ring.extend(fresh)
                self.durable_seq = fresh[-1].seq
            return accepted

        self.stage = eager  # type: ignore[method-assign, assignment]

    patch.setattr(Journal, "open", opened)


def wall_clock_retention(patch: pytest.MonkeyPatch) -> None:
    """What is old by the wall clock goes, read or not."""

    def over(
        segments: Sequence[Segment], closed: Sequence[Segment], *, keep_ns: int, now_ns: int, **rest: object
    ) -> list[Segment]:
        return [each for each in closed if now_ns - each.created_ns > keep_ns]

    patch.setattr(room, "is_over", over)


def unlink_before_gap(patch: pytest.MonkeyPatch) -> None:
    """A dropped segment goes at once; its gap is only staged."""

    def bury(files: Files, dropped: Segment, reason: str) -> Path:
        files.unlink(dropped.path)
        files.sync_directory(dropped.path.parent)
        return dropped.path.with_suffix(".drop")

    patch.setattr(losses, "bury", bury)


def silent_drop(patch: pytest.MonkeyPatch) -> None:
    """At the quota the oldest goes without a word."""
    patch.setattr(losses.Losses, "_tell_lost", lambda self, *rest: None)


def recovered_tail_not_synced(patch: pytest.MonkeyPatch) -> None:
    """What a start can read is published though it may only be in the page cache."""
    patch.setattr(recovery, "make_durable", lambda files, path: None)


def numbers_given_again(patch: pytest.MonkeyPatch) -> None:
    """Numbers of a torn tail, which may have been read, are given to other data."""
    patch.setattr(recovery, "NUMBERS_PER_TORN_BYTE", 0)


def ack_while_held(patch: pytest.MonkeyPatch) -> None:
    """What waits is answered although the disk refuses."""
    flush = Journal.flush

    def polite(self: Journal) -> None:
        with contextlib.suppress(Held):
            flush(self)

    patch.setattr(Journal, "flush", polite)


def values_forgotten_at_start(patch: pytest.MonkeyPatch) -> None:
    """The newest value of each series is not known after a restart, so a timestamp is given to two values."""
    patch.setattr(Journal, "_remember", lambda self, columns: None)


def one_cursor_file(patch: pytest.MonkeyPatch) -> None:
    """A reader's place is overwritten where it stands."""
    path = CursorFile._path
    patch.setattr(CursorFile, "_path", lambda self, turn: path(self, 0))


def damage_not_told(patch: pytest.MonkeyPatch) -> None:
    """A damaged record is skipped without a gap."""
    patch.setattr(losses.Losses, "_tell", lambda self, *rest: None)


def clock_corrected_for_all(patch: pytest.MonkeyPatch) -> None:
    """A reader that had values with the time of a clock that was not set gets them with another one when it resends."""
    patch.setattr(Correction, "applies", lambda self, reader, seq: self.first <= seq <= self.last)


def clock_correction_in_memory(patch: pytest.MonkeyPatch) -> None:
    """The correction of a clock is gone at the next start."""
    patch.setattr(timekeeper, "replace_checked", lambda files, path, value: None)


def _judging(patch: pytest.MonkeyPatch, verdict: Callable[[Answer], Verdict]) -> None:
    patch.setattr(parcel, "judge", verdict)


def any_2xx_delivers(patch: pytest.MonkeyPatch) -> None:
    """A captive portal's page counts as success."""
    _judging(patch, lambda answer: Verdict.DELIVERED if 200 <= answer.status < 300 else judge(answer))


def a_404_drops(patch: pytest.MonkeyPatch) -> None:
    """A bucket that is missing for a while costs everything written meanwhile."""
    _judging(patch, lambda answer: Verdict.DELIVERED if answer.status == 404 else judge(answer))


def a_429_drops(patch: pytest.MonkeyPatch) -> None:
    """Throttling is taken for a refusal."""
    _judging(patch, lambda answer: Verdict.DELIVERED if answer.status == 429 else judge(answer))


def partial_write_delivers(patch: pytest.MonkeyPatch) -> None:
    """What the server refused of a body is neither delivered nor kept."""
    _judging(patch, lambda answer: Verdict.DELIVERED if judge(answer) is Verdict.POISON else judge(answer))


def no_pause(patch: pytest.MonkeyPatch) -> None:
    """A server in trouble is asked without a break."""

    async def pause(self: Backoff, **rest: object) -> None:
        self.failures = getattr(self, "failures", 0) + 1

    patch.setattr(Backoff, "pause", pause)


def times_made_anew_on_resend(patch: pytest.MonkeyPatch) -> None:
    """A resend carries other timestamps than the first try."""
    encode, tries = lines.Encoder.encode, dict[int, int]()

    def anew(self: lines.Encoder, batches: Sequence[Batch]) -> lines.Encoded:
        late = []
        for batch in batches:
            tries[batch.received_ns] = tries.get(batch.received_ns, -1) + 1
            late.append(replace(batch, t_ns=batch.t_ns + tries[batch.received_ns]))
        return encode(self, late)

    patch.setattr(lines.Encoder, "encode", anew)


def read_is_confirmed(patch: pytest.MonkeyPatch) -> None:
    """A reader's place moves when it reads, not when the server has confirmed."""
    read = Cursor.read

    async def eager(self: Cursor, *, max_points: int, linger_s: float) -> list[Entry]:
        found = await read(self, max_points=max_points, linger_s=linger_s)
        if found:
            self.seq = found[-1].seq
            self._lanes.note()
        return found

    patch.setattr(Cursor, "read", eager)


MUTANTS: tuple[Mutant, ...] = (
    Mutant("no CRC of payloads", "flips", no_payload_crc),
    Mutant("no CRC of headers", "flips", no_header_crc),
    Mutant("acknowledged before the sync", "storm", ack_before_sync),
    Mutant("no sync of the directory", "storm", no_directory_sync),
    Mutant("place kept before it is confirmed", "storm", cursor_before_confirm),
    Mutant("unlinked before the place is durable", "storm", unlink_before_cursor),
    Mutant("no check of the epoch", "blocks", no_epoch_check),
    Mutant("reading stops at the first bad record", "flips", stop_at_first_bad_record),
    Mutant("wiped when a place is unreadable", "flips", wipe_on_bad_cursor),
    Mutant("a failed sync is tried again", "storm", retry_failed_sync),
    Mutant("a short write is not noticed", "storm", ignore_short_write),
    Mutant("readers get what is not durable", "storm", reader_past_durable),
    Mutant("deleted by the wall clock", "storm", wall_clock_retention),
    Mutant("dropped before the gap is durable", "quota", unlink_before_gap),
    Mutant("dropped without a gap", "quota", silent_drop),
    Mutant("a recovered tail is not synced", "storm", recovered_tail_not_synced),
    Mutant("numbers of a torn tail are given again", "flips", numbers_given_again),
    Mutant("acknowledged while the disk refuses", "storm", ack_while_held),
    Mutant("newest values forgotten at a start", "storm", values_forgotten_at_start),
    Mutant("one file for a place", "cuts", one_cursor_file),
    Mutant("damage is not told", "flips", damage_not_told),
    Mutant("a clock is corrected for who had the values", "cuts", clock_corrected_for_all),
    Mutant("the correction of a clock is not kept", "cuts", clock_correction_in_memory),
    Mutant("any 2xx is delivered", "network", any_2xx_delivers),
    Mutant("404 drops", "network", a_404_drops),
    Mutant("429 drops", "network", a_429_drops),
    Mutant("a partial write is delivered", "network", partial_write_delivers),
    Mutant("no pause between tries", "network", no_pause),
    Mutant("times made anew on a resend", "network", times_made_anew_on_resend),
    Mutant("what is read is confirmed", "network", read_is_confirmed),
)
