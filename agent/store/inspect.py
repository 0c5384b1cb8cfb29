"""Looking at a store from outside, while the agent runs or not. Nothing here writes, nothing here takes the lock."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agent.sink import Entry
from agent.store.catalogue import Catalogue
from agent.store.codec import Undecodable, decode_columns, decode_letter, decode_series, unpack
from agent.store.cursor import load_cursors
from agent.store.dead_letters import read_letters
from agent.store.files import Files, OsFiles, read_file
from agent.store.record import Damage, Frame, RecordType, SegmentHeader
from agent.store.recovery import read_identity
from agent.store.segment import Blocks, Segment, frames, hash_of, list_segments
from collectors.points import DeadLetter, Series, Stream

STREAMS = ("telemetry", "records", "dlq")


@dataclass(slots=True)
class Flaw:
    """Something in a store that is not as it was written."""

    segment: str
    offset: int
    length: int
    why: str
    points: int | None = None  # that are lost with it, None where it cannot be told


@dataclass(slots=True)
class Report:
    """What `verify` saw. An unsealed segment may end in an unfinished record; the next start cuts it off."""

    segments: int = 0
    sealed: int = 0
    records: int = 0
    points: int = 0
    bytes_read: int = 0
    unfinished_bytes: int = 0
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether everything is as it was written."""
        return not self.flaws

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {"ok": self.is_well, **asdict(self)}


def is_held(directory: Path) -> bool:
    """Whether an agent runs on this store; True where the kernel does not say, or not to this account.

    /proc/locks tells without taking the lock, which could keep an agent from starting.
    """
    try:
        inode = (directory / "LOCK").stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    # a line: "1: FLOCK ADVISORY WRITE 812 fe:00:10739740 0 EOF"; one that waits has "->" after its number
    return any(fields[1] == "FLOCK" and fields[5].endswith(f":{inode}") for fields in map(str.split, locks))


def verify(
    directory: Path, *, files: Files | None = None, progress: Callable[[int, int], object] | None = None
) -> Report:
    """Read every byte and check it: CRCs, seals, their chain of SHA-256, numbers that rise, series that are declared.

    progress: called with (bytes done, bytes in all) after every segment.
    """
    files = files or OsFiles()
    report = Report()
    segments = [(name, segment) for name in STREAMS for segment in list_segments(files, directory / name)]
    total = sum(segment.end for _, segment in segments)
    before: dict[str, Segment] = {}
    for name, segment in segments:
        _verify_segment(files, name, segment, before.get(name), report)
        before[name] = segment
        if progress:
            progress(report.bytes_read, total)
    return report


def entries(directory: Path, *, files: Files | None = None) -> Iterator[Entry]:
    """Everything that can be read of telemetry and records, in the order of its numbers."""
    files = files or OsFiles()
    catalogue = _catalogue(files, directory)
    streams = (
        _entries(files, list_segments(files, directory / stream.value), stream, catalogue)
        for stream in (Stream.TELEMETRY, Stream.RECORDS)
    )
    last = 0
    for entry in heapq.merge(*streams, key=lambda each: each.seq):
        if entry.seq > last:  # an abandoned segment may say again what the next one says
            last = entry.seq
            yield entry


def records(directory: Path, since_ns: int = 0, *, files: Files | None = None) -> Iterator[Entry]:
    """What the records stream holds, without closed segments whose points are all older than a time."""
    files = files or OsFiles()
    recent = [
        segment
        for segment in list_segments(files, directory / Stream.RECORDS.value)
        if not segment.sealed or segment.seal.to_ns >= since_ns
    ]
    return _entries(files, recent, Stream.RECORDS, _catalogue(files, directory))


def series(directory: Path, *, files: Files | None = None) -> tuple[Series, ...]:
    """Every series that the store has ever seen."""
    return _catalogue(files or OsFiles(), directory).series


def dead_letters(directory: Path, *, files: Files | None = None) -> Iterator[DeadLetter]:
    """All dead letters, oldest first."""
    return (kept.letter for kept in read_letters(directory, files=files))


def cursors(directory: Path, *, files: Files | None = None) -> dict[str, int]:
    """Up to which number every reader has durably confirmed."""
    files = files or OsFiles()
    store = read_identity(files, directory / "store.id") or bytes(16)
    found = load_cursors(files, directory / "cursors", store=store)
    return {name: cursor.durable.seq for name, cursor in found.items()}


def status(directory: Path, *, files: Files | None = None) -> dict[str, object]:
    """What the files say: streams, readers, sizes. Ready for JSON; reads no payload."""
    files = files or OsFiles()
    store = read_identity(files, directory / "store.id")
    streams = {name: _stream_status(list_segments(files, directory / name)) for name in STREAMS}
    return {
        "store": store.hex() if store else "",
        "streams": streams,
        "cursors": cursors(directory, files=files),
        "series": len(_catalogue(files, directory)),
        "quarantined": len(files.list(directory / "quarantine")),
    }


def _stream_status(segments: list[Segment]) -> dict[str, object]:
    sealed = [segment for segment in segments if segment.sealed and segment.seal.records]
    return {
        "segments": len(segments),
        "sealed": len(sealed),
        "bytes": sum(segment.bytes_on_disk or segment.end for segment in segments),
        "sealed_points": sum(segment.seal.points for segment in sealed),
        "first_seq": segments[0].base_seq if segments else 0,
        "oldest_ns": min((segment.seal.from_ns for segment in sealed), default=0),
    }


def _catalogue(files: Files, directory: Path) -> Catalogue:
    catalogue = Catalogue()
    path = directory / "series.log"
    sidecar = Segment(path, 0, 0, end=len(read_file(files, path)))
    for item in frames(files, sidecar):
        if isinstance(item, Frame):
            _learn(catalogue, item)
    return catalogue


def _learn(catalogue: Catalogue, frame: Frame) -> None:
    with contextlib.suppress(Undecodable):
        catalogue.learn(decode_series(unpack(frame.header, frame.payload)))


def _entries(files: Files, segments: list[Segment], stream: Stream, catalogue: Catalogue) -> Iterator[Entry]:
    for segment in segments:
        for item in frames(files, segment):
            if not isinstance(item, Frame):
                continue
            if item.header.type == RecordType.SERIES:
                _learn(catalogue, item)
            elif item.header.type == RecordType.DATA:
                with contextlib.suppress(Undecodable):
                    columns = decode_columns(unpack(item.header, item.payload))
                    if catalogue.holds(columns.ids):
                        batches = columns.batches(catalogue.series, stream)
                        yield from map(Entry, range(item.header.seq, item.header.next_seq), batches)


def _verify_segment(files: Files, name: str, segment: Segment, before: Segment | None, report: Report) -> None:
    where = f"{name}/{segment.path.name}"

    def flaw(offset: int, length: int, why: str, points: int | None = None) -> None:
        report.flaws.append(Flaw(where, offset, length, why, points))

    report.segments += 1
    report.sealed += segment.sealed
    report.bytes_read += segment.end
    records, found, seq = report.records, report.points, segment.base_seq
    for item in frames(files, segment):
        match item:
            case Damage() if not segment.sealed and item.offset + item.length >= segment.end:
                report.unfinished_bytes += len(read_file_part(files, segment, item).rstrip(b"\0"))
            case Damage(header=header):
                flaw(item.offset, item.length, item.why, header.points if header else None)
            case Frame(header=header) if header.seq < seq:
                flaw(item.offset, item.end - item.offset, f"number {header.seq} comes after {seq - 1}", header.points)
            case Frame(header=header):
                seq = header.next_seq
                if why := _undecodable(item):
                    flaw(item.offset, item.end - item.offset, why, header.points)
                elif header.type in (RecordType.DATA, RecordType.DEAD_LETTER):
                    report.records += 1
                    report.points += header.points
    is_begun = segment.sealed or report.records > records  # else a power cut came before its first commit
    if is_begun and SegmentHeader.unpack(read_file(files, segment.path, 64)) is None:
        flaw(0, 64, "the segment's header is damaged; its records are read by their own headers")
    if segment.sealed:
        for why in _seal_flaws(files, segment, before, report.records - records, report.points - found):
            flaw(segment.end, 0, why)


def _undecodable(frame: Frame) -> str:
    """Why a record that passed its CRC makes no sense; empty if it does."""
    try:
        raw = unpack(frame.header, frame.payload)
        match frame.header.type:
            case RecordType.DATA:
                decode_columns(raw)
            case RecordType.SERIES:
                decode_series(raw)
            case RecordType.DEAD_LETTER:
                decode_letter(raw)
    except Undecodable as error:
        return str(error)
    return ""


def _seal_flaws(files: Files, segment: Segment, before: Segment | None, records: int, points: int) -> Iterator[str]:
    seal = segment.seal
    if (records, points) != (seal.records, seal.points):
        yield f"the seal says {seal.records} records, {seal.points} points; found {records}, {points}"
    handle = files.open(segment.path)
    try:
        if hash_of(Blocks(files, handle), segment.end) != seal.sha256:
            yield "the SHA-256 in the seal does not fit the bytes before it"
    finally:
        files.close(handle)
    if before is not None and before.sealed and seal.previous != before.seal.sha256:
        yield f"the chain is broken: the seal does not follow {before.path.name}"


def read_file_part(files: Files, segment: Segment, damage: Damage) -> bytes:
    """The damaged bytes themselves."""
    return read_file(files, segment.path)[damage.offset : damage.offset + damage.length]
