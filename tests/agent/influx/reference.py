"""Line protocol written the slow and obvious way: what the fast encoder is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterable

from collectors.points import BAD, GOOD, Point, Series
from tests.fakes.influx_database import FieldValue, Key


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
        if point.quality != GOOD or not good.get(point.series, True):
            held[Key(series, f"{point.series.signal}_quality", point.t_ns)] = float(point.quality)
        good[point.series] = point.quality == GOOD
    return held
