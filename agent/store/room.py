"""Space on the disk: what is given up when it runs out, and what goes because nobody needs it any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from agent.store.config import StoreConfig
from agent.store.cursor import ENDLESS, Confirmed, CursorFile, Interval, united
from agent.store.losses import Losses
from agent.store.retention import HOUR_NS, Reserve, is_over, unlink_all
from agent.store.ring import Ring
from agent.store.segment import Segment, points_in
from agent.store.stream import Place, Stream

LEAST_SEGMENT = 1 << 16
LEAST_SEGMENTS = 4  # of the small streams: with fewer, closing one would drop what was written a moment ago


class Shares(NamedTuple):
    """How the quota is divided, and the sizes of segments that suit it, in bytes."""

    telemetry: int
    records: int
    letters: int
    reserve: int
    segment: int
    small_segment: int

    @classmethod
    def of(cls, config: StoreConfig) -> Shares:
        """As the configuration says; where the quota is tiny, records and letters keep a floor that telemetry pays."""
        letters = config.quota_bytes(0.05)
        small = max(LEAST_SEGMENT, min(config.segment_bytes // 4, letters // LEAST_SEGMENTS))
        records = max(config.quota_bytes(0.12), LEAST_SEGMENTS * small)
        letters = max(letters, 2 * small)
        reserve = min(2 * config.segment_bytes, config.quota_bytes(0.03))
        telemetry = config.quota_bytes(1.0) - records - letters - reserve
        return cls(telemetry, records, letters, reserve, min(config.segment_bytes, max(small, telemetry // 8)), small)


class Room:
    """Keeps the streams within their quotas. `save` makes the readers' places durable."""

    def __init__(
        self, place: Place, config: StoreConfig, *, streams: Mapping[str, Stream], losses: Losses, ring: Ring,
        cursors: Mapping[str, CursorFile], save: Callable[[], None],
    ) -> None:  # fmt: skip
        self.reserve = Reserve(place.files, place.directory / "reserve", Shares.of(config).reserve)
        self._files = place.files
        self._config = config
        self._streams = streams
        self._losses = losses
        self._ring = ring
        self._cursors = cursors
        self._save = save

    def undone(self) -> list[Interval]:
        """What the readers that are in use have not confirmed durably."""
        cursors = [cursor for cursor in self._cursors.values() if cursor.is_wanted] or list(self._cursors.values())
        return [interval for cursor in cursors for interval in cursor.durable.undone] or Confirmed().undone

    def relieve(self) -> bool:
        """Free some space on a full disk: the reserve, then the oldest telemetry; returns whether there was any.

        The newest segment that holds anything stays: giving it up would lose what readers still can have, for little.
        """
        telemetry = self._streams["telemetry"]
        with contextlib.suppress(OSError):
            if self.reserve.give_up():
                return True
            filled = [segment for segment in telemetry.closed if segment.seal.points]
            if len(filled) > 1:
                self._drop(telemetry, filled[0], "disk_full")
                return True
        return False

    def keep_quota(self) -> None:
        """Drop the oldest of each stream that has outgrown its share; what fails is tried again the next time."""
        with contextlib.suppress(OSError):
            for stream in self._streams.values():
                while stream.bytes_on_disk > stream.quota_bytes and stream.closed:
                    if not self._drop(stream, stream.closed[0], "quota"):
                        break

    def tend(self, now_ns: int) -> None:
        """Take the reserve again, and delete what every reader has done and nobody may want to rewind to."""
        self.reserve.take()
        done = min((cursor.durable.seq for cursor in self._cursors.values()), default=0)
        telemetry, records = self._streams["telemetry"], self._streams["records"]
        rules = (
            (telemetry, telemetry.quota_bytes // 10, int(self._config.rewind_hours * HOUR_NS)),
            (records, records.quota_bytes, int(self._config.records_days * 24 * HOUR_NS)),
        )
        for stream, keep_bytes, keep_ns in rules:
            over = is_over(
                stream.segments, stream.closed, done_seq=done, keep_bytes=keep_bytes, keep_ns=keep_ns, now_ns=now_ns
            )
            for segment in over:
                stream.remove(segment)
            unlink_all(self._files, [segment.path for segment in over])

    def _drop(self, stream: Stream, segment: Segment, reason: str) -> bool:
        """Give up a segment: silently if every reader has done it, else with a gap that says what is lost.

        False where gaps that lie in it have to become durable elsewhere first.
        """
        if not self._losses.found:
            with contextlib.suppress(OSError):
                self._save()  # so that what is delivered is not called lost
        is_letters = stream.name == "dlq"
        undone = [(0, ENDLESS)] if is_letters else united(self.undone())
        if not is_among(undone, segment.base_seq, segment.last_seq):
            self._files.unlink(segment.path)
            stream.remove(segment)
            return True
        dropped = [(each, points_in(self._files, segment, each.confirmed.undone)) for each in self._cursors.values()]
        lost = self._losses.drop(stream, segment, reason, undone=undone)
        if lost is None:
            return False
        if not is_letters:
            self._ring.forget(segment.last_seq)
            for cursor, points in dropped:
                cursor.give_up(stream.name, segment.base_seq, segment.last_seq, points=points)
        return True


def is_among(undone: Sequence[Interval], first: int, last: int) -> bool:
    """Whether any of the numbers from first to last is left to do."""
    return any(after < last and upto >= first for after, upto in undone)
