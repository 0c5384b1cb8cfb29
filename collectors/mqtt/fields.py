"""The table of series, and what is true of each: how to read it, scale, sign, transformer ratios, limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.mqtt.signals import SignalSettings
from collectors.mqtt.values import shown, to_number, to_switch, to_text
from collectors.points import Series

MOST_SERIES = 200_000
"""More would be a broker that sends nonsense, or a wildcard that is too wide."""

Converter = Callable[[object], float | str | None]
"""A raw value -> number or text; None where the device says that it has none. Raises ValueError, for people."""


class Sided(NamedTuple):
    """A raw value from the secondary side, and the transformer ratios that the payload gives with it."""

    raw: object
    ratios: tuple[object, ...]

    def factor(self) -> float:
        """What the value is multiplied by. Raises ValueError, for people, where the payload does not say it."""
        factor = 1.0
        for raw in self.ratios:
            try:
                ratio = to_number(raw)
            except ValueError:
                ratio = 0.0
            if not 0 < ratio < float("inf"):
                raise ValueError(f"the payload gives {shown(raw)} for a transformer ratio; check the paths ct and pt")
            factor *= ratio
        return factor


class Faulty(NamedTuple):
    """A value that the device itself calls wrong, by the code beside it."""

    code: object


class Fields:
    """The table of series, which only grows, and the settings of each."""

    def __init__(self) -> None:
        self.series: tuple[Series, ...] = ()
        self.converters: list[Converter] = []
        self._index: dict[Series, int] = {}
        self._settings: list[SignalSettings] = []
        self.settle()

    def add(self, wanted: Sequence[tuple[Series, SignalSettings]]) -> list[int]:
        """Indexes of these series, new ones included once `settle` is called. Raises ValueError when it is full."""
        new = [(series, settings) for series, settings in wanted if series not in self._index]
        if len(self._index) + len(new) > MOST_SERIES:
            raise ValueError(f"more than {MOST_SERIES} series; use a narrower topic")
        for series, settings in new:
            self._index[series] = len(self._index)
            self.converters.append(_converter(settings))
            self._settings.append(settings)
        return [self._index[series] for series, _ in wanted]

    def settle(self) -> None:
        """Take in what was added, all at once: the tuple of series stays the same object where nothing was."""
        if self._index and len(self.series) == len(self._index):
            return
        self.series = tuple(self._index)
        self._plain = np.array([is_plain(settings) for settings in self._settings], dtype=np.bool_)
        ratio = np.array([_known_ratio(settings) for settings in self._settings], dtype=np.float64)
        self._scale = ratio * np.array([settings.scale for settings in self._settings], dtype=np.float64)
        self._offset = ratio * np.array([settings.offset for settings in self._settings], dtype=np.float64)
        self._bits = np.array([settings.signed_bits or 0 for settings in self._settings], dtype=np.float64)
        self._has_signs = bool(self._bits.any())
        self._is_scaled = bool((self._scale != 1).any() or self._offset.any())
        self._step = np.array([settings.signed_step for settings in self._settings], dtype=np.float64)
        self._minimum = np.array([_limit(settings.minimum, -np.inf) for settings in self._settings])
        self._maximum = np.array([_limit(settings.maximum, np.inf) for settings in self._settings])
        self._is_limited = bool(np.isfinite(self._minimum).any() or np.isfinite(self._maximum).any())

    def are_plain(self, which: NDArray[np.uint32]) -> bool:
        """Whether numbers of these series may be taken as they come."""
        return bool(self._plain[which].all())

    def measured(self, raw: NDArray[np.float64], which: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Numbers of the payload as what they mean: with their sign, scale, offset, and ratios that are configured."""
        if self._has_signs and self._bits[which].any():
            raw = self._signed(raw, which)
        if not self._is_scaled:
            return raw
        with np.errstate(over="ignore"):  # infinite is impossible, and said to be
            return raw * self._scale[which] + self._offset[which]

    def _signed(self, raw: NDArray[np.float64], which: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Numbers from the upper half of an unsigned register are negative ones (two's complement)."""
        modulus = 2.0 ** self._bits[which]
        steps = np.round(raw / self._step[which])
        is_wrapped = (modulus > 1) & (steps >= modulus / 2) & (steps < modulus)
        return np.where(is_wrapped, (steps - modulus) * self._step[which], raw)

    def possible(self, value: NDArray[np.float64], which: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Which values can be. NaN cannot."""
        is_finite = np.isfinite(value)
        return (
            is_finite & (value >= self._minimum[which]) & (value <= self._maximum[which])
            if self._is_limited
            else is_finite
        )

    def impossible(self, value: NDArray[np.float64], which: NDArray[np.uint32]) -> dict[int, str]:
        """Rows whose value cannot be, and why."""
        rows = np.flatnonzero(~self.possible(value, which)).tolist()
        return {row: self._why(value[row], int(which[row])) for row in rows}

    def _why(self, value: float, which: int) -> str:
        if not np.isfinite(value):
            return "the value is not a finite number"
        unit = self.series[which].unit
        return f"{value:g} {unit} is not between {self._minimum[which]:g} and {self._maximum[which]:g}".replace(
            "  ", " "
        )


def is_plain(settings: SignalSettings) -> bool:
    """Whether a number of this signal may be taken as it comes."""
    return (
        settings.kind not in ("event", "text")
        and settings.type in (None, "number")
        and settings.map is None
        and not settings.no_value
        and settings.error is None
        and not any(isinstance(ratio, str) for ratio in settings.ratios)
    )


def _known_ratio(settings: SignalSettings) -> float:
    """The product of the ratios that are numbers; those in the payload come with each value."""
    ratio = 1.0
    for one in settings.ratios:
        ratio *= one if not isinstance(one, str) else 1.0
    return ratio


def _limit(limit: float | None, none: float) -> float:
    return none if limit is None else float(limit)


def _converter(settings: SignalSettings) -> Converter:
    convert = _plain_converter(settings)
    if not settings.no_value:
        return convert

    def convert_unless_empty(raw: object) -> float | str | None:
        written = raw.strip() if isinstance(raw, str) else raw
        if written in settings.no_value:
            return None
        converted = convert(raw)
        return None if converted in settings.no_value else converted  # "65535" is 65535

    return convert_unless_empty


def _plain_converter(settings: SignalSettings) -> Converter:
    if settings.kind in ("event", "text"):
        return to_text
    if settings.type == "bool":
        return to_switch
    words = None if settings.map is None else {word: float(number) for word, number in settings.map.items()}
    return partial(to_number, words=words)
