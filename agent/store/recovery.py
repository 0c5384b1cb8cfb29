"""What a start finds: every file that may be torn is scanned, made whole and sealed before anyone reads it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4
from zlib import crc32

from agent.store.append import write_seal
from agent.store.codec import Columns, Packed, Undecodable, decode_columns, decode_series, encode_series, pack, unpack
from agent.store.cursor import Confirmed, CursorFile, load_cursors
from agent.store.files import Files, read_file, replace_file
from agent.store.quarantine import written_length
from agent.store.record import (
    HEADER_BYTES,
    Damage,
    Frame,
    RecordType,
    Seal,
    SegmentHeader,
    StreamId,
)
from agent.store.retention import read_tombstone
from agent.store.segment import Blocks, Segment, frames, hash_of, parse_name, read_sealed
from agent.store.stream import Place, SeriesLog, record_header

NUMBERS_PER_TORN_BYTE = 16  # more batches than that cannot be squeezed into a byte
_FOREVER = 2**63


@dataclass(slots=True)
class Found:
    """What the recovery of one stream found."""

    segments: list[Segment] = field(default_factory=list)
    tombstones: list[tuple[Path, Seal | None]] = field(default_factory=list)
    damages: list[tuple[Segment, Damage]] = field(default_factory=list)
    series_known: int = 0
    next_seq: int = 1
    epoch: int = 0
    torn_bytes: int = 0


def recover_identity(place: Place) -> bool:
    """Read the store's UUID, from the segments if its file is lost, and write it if it is new; returns whether it
    could be written or was there.
    """
    files, path = place.files, place.directory / "store.id"
    known = read_identity(files, path)
    if known is None:
        place.store = next(_identities(place), None) or uuid4().bytes
        name = UUID(bytes=place.store).hex.encode()
        line = name + b" %08x\n" % crc32(name)
        with contextlib.suppress(OSError):
            replace_file(files, path, line)
            return True
        return False
    place.store = known
    return True


def read_identity(files: Files, path: Path) -> bytes | None:
    """The UUID in store.id; None unless whole and unharmed."""
    raw = read_file(files, path)
    name, _, check = raw.strip().partition(b" ")
    with contextlib.suppress(ValueError):
        if len(name) == 32 and int(check, 16) == crc32(name):
            return UUID(name.decode()).bytes
    return None


def _identities(place: Place) -> Iterator[bytes]:
    for stream in ("telemetry", "records", "dlq"):
        for name in reversed(place.files.list(place.directory / stream)):
            head = SegmentHeader.unpack(read_file(place.files, place.directory / stream / name, HEADER_BYTES))
            if head is not None:
                yield head.store


def recover_stream(place: Place, name: str) -> Found:
    """Know every segment of a stream: sealed ones are taken at their word, others are scanned."""
    directory, found = place.directory / name, Found()
    names = [(*parsed, file) for file in place.files.list(directory) if (parsed := parse_name(file))]
    for base_seq, epoch, file in sorted(names):
        found.epoch = max(found.epoch, epoch)
        found.next_seq = max(found.next_seq, base_seq)
        if not file.endswith(".seg"):
            found.tombstones.append((directory / file, read_tombstone(place.files, directory / file)))
    segments = sorted((base, epoch, file) for base, epoch, file in names if file.endswith(".seg"))
    bases = [base for base, _, _ in segments[1:]] + [_FOREVER]
    for (_, _, file), limit in zip(segments, bases, strict=False):
        _recover_segment(place.files, directory / file, limit, found)
    return found


def _recover_segment(files: Files, path: Path, limit: int, found: Found) -> None:
    try:
        segment = read_sealed(files, path) or _scan(files, path, limit, found)
    except OSError as error:
        unread = Segment(path, *parse_name(path.name) or (0, 0))
        found.damages.append((unread, Damage(0, 0, f"the file cannot be read: {error}")))
        return
    found.segments.append(segment)
    found.series_known = max(found.series_known, segment.series)
    found.next_seq = max(found.next_seq, segment.last_seq + 1)


def _scan(files: Files, path: Path, limit: int, found: Found) -> Segment:
    """Read a segment that has no good seal, and make durable what can be read. Nothing in it is changed yet."""
    segment, size = _look_at(files, path)
    end, waiting = HEADER_BYTES, []
    for item in frames(files, segment):
        if isinstance(item, Damage):
            waiting.append(item)
            continue
        if item.header.seq >= limit and item.header.type != RecordType.SEAL:
            size = end  # a later segment says it again; nothing is lost
            break
        found.damages += [(segment, damage) for damage in waiting]
        waiting.clear()
        if item.header.type == RecordType.SEAL:
            size = end = item.offset
            break
        end = item.end
        found.series_known = max(found.series_known, item.header.series)
        _note(segment, item)
    segment.end = end
    if torn := written_length(files, path, end, size):
        found.damages += [(segment, cut) for damage in waiting if (cut := _cut_off(files, path, damage)).length]
        found.torn_bytes += torn
        # What was cut off may have been read before it was harmed: its numbers must not come to mean something else.
        found.next_seq = max(found.next_seq, segment.last_seq + 1) + torn * NUMBERS_PER_TORN_BYTE
    return segment


def _cut_off(files: Files, path: Path, damage: Damage) -> Damage:
    """Damage at the end of a file, without the zeros that were never written."""
    length = written_length(files, path, damage.offset, damage.offset + damage.length)
    return replace(damage, length=length, why=f"the end was cut off: {damage.why}")


def _look_at(files: Files, path: Path) -> tuple[Segment, int]:
    base_seq, epoch = parse_name(path.name) or (0, 0)
    handle = files.open(path)
    try:
        size = files.size(handle)
        head = SegmentHeader.unpack(files.read(handle, HEADER_BYTES, 0))
    finally:
        files.close(handle)
    with contextlib.suppress(OSError):
        make_durable(files, path)
    created_ns = head.created_ns if head else 0
    return Segment(path, base_seq, epoch, created_ns, end=max(size, HEADER_BYTES), bytes_on_disk=size), size


def make_durable(files: Files, path: Path) -> None:
    """Sync a file and its name: what can be read after a kill may still be lost in a power cut. Raises OSError."""
    handle = files.open(path, write=True)
    try:
        files.sync(handle)
    finally:
        files.close(handle)
    files.sync_directory(path.parent)


def recover_places(place: Place) -> dict[str, CursorFile]:
    """Where every reader stands; what could be read after a kill is written again before it counts as durable."""
    cursors = load_cursors(place.files, place.directory / "cursors", store=place.store)
    for cursor in cursors.values():
        cursor.durable = Confirmed()
        if cursor.confirmed != cursor.durable:
            with contextlib.suppress(OSError):  # the next time that places are saved
                cursor.write_again(place.files, store=place.store)
    return cursors


def _note(segment: Segment, frame: Frame) -> None:
    if frame.header.type == RecordType.DATA:
        with contextlib.suppress(Undecodable):
            t_ns = decode_columns(unpack(frame.header, frame.payload)).t_ns
            segment.note(frame.header, int(t_ns.min()), int(t_ns.max()))
            return
    if frame.header.type in (RecordType.DATA, RecordType.DEAD_LETTER):
        segment.note(frame.header, frame.header.wall_ns, frame.header.wall_ns)


def mend(place: Place, segment: Segment, *, previous: bytes, series: int) -> None:
    """Cut a scanned segment behind its last good record and seal it. Raises OSError; the next start tries again.

    To be called once every damage in it is told durably.
    """
    files = place.files
    handle = files.open(segment.path, write=True)
    try:
        files.truncate(handle, segment.end)
        digest = hash_of(Blocks(files, handle), segment.end)
        segment.seal = segment.seal._replace(sha256=digest, previous=previous)
        header = record_header(RecordType.SEAL, Packed(0, b"", 0, 0), place.clocks, seq=0, epoch=0, series=series)
        write_seal(files, handle, segment, header)
    finally:
        files.close(handle)


def recover_series(place: Place, log: SeriesLog, segments: list[Segment], known: int) -> int:
    """Fill the catalogue from series.log, and from the segments where that is harmed; returns damaged records."""
    files, path, catalogue = place.files, place.directory / SeriesLog.NAME, place.catalogue
    raw_size = len(read_file(files, path))
    is_durable = True
    try:
        make_durable(files, path)  # a kill may have come before its sync, and ids are used once they are declared
    except OSError:
        is_durable = False
    sidecar = Segment(path, 0, 0, end=raw_size)
    end, harmed = HEADER_BYTES, 0
    waiting = 0
    for item in frames(files, sidecar) if raw_size > HEADER_BYTES else ():
        if isinstance(item, Damage):
            waiting += 1
            continue
        harmed, waiting, end = harmed + waiting, 0, item.end
        known = max(known, item.header.series)
        harmed += not _learn(place, item)
    if harmed or waiting or len(catalogue) < known or not catalogue.is_known.all() or raw_size < HEADER_BYTES:
        for segment in segments:
            for item in frames(files, segment):
                if isinstance(item, Frame):
                    known = max(known, item.header.series)
                    _learn(place, item)
        catalogue.skip_to(known)
        with contextlib.suppress(OSError):
            end, is_durable = _rewrite_series(place, path), True
        harmed += waiting
    log.adopt(*(end, len(catalogue)) if is_durable else (HEADER_BYTES, 0))
    return harmed


def _learn(place: Place, frame: Frame) -> bool:
    if frame.header.type == RecordType.SERIES:
        try:
            place.catalogue.learn(decode_series(unpack(frame.header, frame.payload)))
        except Undecodable:
            return False
    return True


def _rewrite_series(place: Place, path: Path) -> int:
    catalogue = place.catalogue
    head = SegmentHeader(StreamId.SERIES, 0, place.clocks.wall_ns(), place.store, 0, place.clocks.boot_id).pack()
    raw = head
    if len(catalogue):
        known = [number for number, is_known in enumerate(catalogue.is_known.tolist()) if is_known]
        packed = pack(encode_series(catalogue.declared(known)))
        raw += record_header(
            RecordType.SERIES, packed, place.clocks, seq=0, epoch=0, series=len(catalogue)
        ).pack() + packed.payload  # fmt: skip
    replace_file(place.files, path, raw)
    return len(raw)


def newest_columns(files: Files, segments: list[Segment], *, budget_bytes: int) -> Iterator[tuple[int, Columns]]:
    """The newest data of a stream in its order, with its numbers, about `budget_bytes` of it."""
    chosen: list[Segment] = []
    for segment in reversed(segments):
        if budget_bytes <= 0:
            break
        chosen.append(segment)
        budget_bytes -= segment.end
    for segment in reversed(chosen):
        for item in frames(files, segment):
            if isinstance(item, Frame) and item.header.type == RecordType.DATA:
                with contextlib.suppress(Undecodable):
                    yield item.header.seq, decode_columns(unpack(item.header, item.payload))
