"""What an earlier agent said of a source's alarms: read once from the log, in a thread, while values flow already."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from functools import partial

import orjson

from collectors.opcua.alarm_config import ALARM
from collectors.opcua.conditions import EARLIER, MOST_RETAINED, Conditions, Key, Place, Retained
from collectors.points import Batch
from collectors.source import Recall
from collectors.threads import in_daemon_thread

OF_THE_POINT = ("said_ns", "server_ns")  # in a record, but nothing of how the alarm stands


class Past:
    """Of one source. It outlives a connection: a long log is read to its end even if the first one is short."""

    def __init__(self, source: str, conditions: Conditions, recall: Recall) -> None:
        self._conditions = conditions
        places = {*conditions.places, *conditions.place_of.values()}
        self._read = partial(_read, recall, source, places)
        self._reading: asyncio.Task[dict[Key, Retained]] | None = None

    async def restore(self) -> None:
        """Put it into the conditions, once. Raises OSError where the log cannot be read; the next call tries again."""
        if self._conditions.is_restored:
            return
        if self._reading is None:
            self._reading = asyncio.create_task(in_daemon_thread(self._read), name="earlier alarms")
        try:
            standing = await asyncio.shield(self._reading)
        except OSError:
            self._reading = None
            raise
        self._conditions.restore(standing)


def _read(recall: Recall, source: str, places: Collection[Place]) -> dict[Key, Retained]:
    return still_standing(recall(), source=source, places=places)


def still_standing(batches: Iterable[Batch], *, source: str, places: Collection[Place]) -> dict[Key, Retained]:
    """The alarms of a source that were retained when it was heard last, of the machines that it still has."""
    standing: dict[Key, Retained] = {}
    for batch in batches:
        for point in batch.points() if batch.source == source else ():
            series = point.series
            place = Place(series.plant, series.area, series.line, series.machine)
            if series.signal != ALARM or place not in places:
                continue
            record = {name: value for name, value in orjson.loads(str(point.value)).items() if name not in OF_THE_POINT}
            key = (record.get("condition", ""), record.get("branch", ""))
            if record.get("retain") and (key in standing or len(standing) < MOST_RETAINED):
                standing[key] = Retained(place, EARLIER, 0, record)
            elif not record.get("retain"):
                standing.pop(key, None)
    return standing
