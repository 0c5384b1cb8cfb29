"""What a database should hold, the slow and obvious way: what the fast encoder and whole runs are compared with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from collectors.points import BAD, GOOD, DeadLetter, Point, Series
from tests.fakes.influx_database import Database, FieldValue, Key


def expected(points: Iterable[Point], good: dict[Series, bool] | None = None) -> dict[Key, FieldValue]:
    """What a database holds after these points, by the rules of the data model. `good` is carried on."""
    good = {} if good is None else good
    held: dict[Key, FieldValue] = {}
    for point in points:
        tags = {tag: getattr(point.series, tag) for tag in ("area", "line", "machine", "plant")}
        series = ",".join(("raceway", *(f"{tag}={name}" for tag, name in tags.items() if name)))
        is_number = not isinstance(point.value, str)
        if point.quality < BAD and (not is_number or math.isfinite(point.value)):
            held[Key(series, point.series.signal, point.t_ns)] = point.value
        if point.quality != GOOD or not good.get(point.series, True) or point.series.kind.is_replaced:
            held[Key(series, f"{point.series.signal}_quality", point.t_ns)] = float(point.quality)
        good[point.series] = point.quality == GOOD
    return held


class Compared(NamedTuple):
    """What became of everything that was produced."""

    lost: int  # points that gaps account for
    missing: int  # neither there nor dead-lettered, beyond what gaps account for
    invented: set[Key]  # also those with another value than produced
    buried_wrongly: set[Key]


def compared(produced: Iterable[Point], database: Database, letters: Iterable[DeadLetter]) -> Compared:
    """The database and the dead letters against what was produced; the field `bad` is poison, and what is too old."""
    refused = _points(b"".join(letter.payload for letter in letters))
    held, buried = _of_the_plant(database.points), set(_of_the_plant(refused))
    told = {key: text for key, text in (database.points | refused).items() if key.field == "gap"}
    lost = sum(json.loads(str(text))["points"] for text in told.values())
    whole = expected(produced)
    tame = {key for key in whole if not key.field.endswith("_quality")}
    may = whole | {Key(key.series, f"{key.field}_quality", key.t_ns): 0.0 for key in tame} | whole
    poison = {key for key in may if key.field == "bad" or key.t_ns < database.keep_from_ns}
    due = {key for key, value in whole.items() if not (lost and key.field.endswith("_quality") and value == 0)}
    gone = len({_point(key) for key in (due - poison - held.keys()) | ((due & poison) - buried)})
    invented = {key for key, value in held.items() if key in poison or may.get(key) != value}
    return Compared(lost, max(0, gone - lost), invented, buried - poison)


def _point(key: Key) -> Key:
    """The point that a value or its quality belongs to."""
    return key._replace(field=key.field.removesuffix("_quality"))


def _of_the_plant(points: Mapping[Key, FieldValue]) -> dict[Key, FieldValue]:
    """Without what the log says of itself."""
    return {key: value for key, value in points.items() if "machine=store" not in key.series}


def _points(payload: bytes) -> dict[Key, FieldValue]:
    """The points of dead letters."""
    database = Database()
    assert database.write(payload)[0] == 204, payload
    return database.points
