"""The configured tags of a source as columns: names, factors, widths. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.opcua.config import OpcUaConfig, signal_names
from collectors.opcua.fieldpath import Path, steps
from collectors.points import Kind, Series, Values


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The configured tags as columns. A tag's client handle is its position; arrays and structures have several series.

    first: (tags,) u4, its first series.  width: (tags,) i8, how many.  is_text, scale, offset: per series.
    is_many: (tags,), whether its value is an array or a structure.  paths: tag -> the ways to its members.
    """

    series: tuple[Series, ...]
    first: NDArray[np.uint32]
    width: NDArray[np.int64]
    is_text: NDArray[np.bool_]
    scale: Values
    offset: Values
    is_many: NDArray[np.bool_]
    paths: Mapping[int, tuple[Path, ...]]
    has_text: bool
    has_many: bool
    is_scaled: bool
    ahead_ns: int
    replaces_times: bool

    @classmethod
    def of(cls, config: OpcUaConfig, *, plant: str) -> Table:
        """The table of a configuration; made once, so that its series tuple stays the same object."""
        series: list[Series] = []
        first: list[int] = []
        scale: list[float] = []
        offset: list[float] = []
        for tag in config.tags:
            first.append(len(series))
            for signal in signal_names(tag):
                area, line = tag.area or config.area, tag.line or config.line
                series.append(Series(plant, area, line, tag.machine, signal, tag.unit, Kind(tag.kind)))
                scale.append(tag.scale)
                offset.append(tag.offset)
        is_many = np.array([bool(tag.elements or tag.fields) for tag in config.tags], dtype=np.bool_)
        is_text = np.array([one.kind.is_text for one in series], dtype=np.bool_)
        scales, offsets = np.array(scale, dtype=np.float64), np.array(offset, dtype=np.float64)
        return cls(
            series=tuple(series),
            first=np.array(first, dtype=np.uint32),
            width=np.array([len(signal_names(tag)) for tag in config.tags], dtype=np.int64),
            is_text=is_text,
            scale=scales,
            offset=offsets,
            is_many=is_many,
            paths={tag: tuple(map(steps, one.fields)) for tag, one in enumerate(config.tags) if one.fields},
            has_text=bool(is_text.any()),
            has_many=bool(is_many.any()),
            is_scaled=bool((scales != 1).any() or (offsets != 0).any()),
            ahead_ns=int(config.clock_ahead_s * 1e9),
            replaces_times=config.wrong_clock == "replace",
        )
