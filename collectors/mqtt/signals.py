"""What can be set about one value inside a payload."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from collectors.mqtt.paths import parse_path
from collectors.settings import KindName, Settings
from collectors.units import Unit, quantity

Text = Annotated[str, Field(min_length=1, max_length=200)]
Number = float | int


def checked_path(path: str) -> str:
    """The path, if it can be read. Raises ValueError, for people."""
    parse_path(path)
    return path


def _number_or_path(given: object) -> object:
    """A cell of a tag list holds a number as text."""
    try:
        return float(given) if isinstance(given, str) else given
    except ValueError:
        return given


Path = Annotated[str, AfterValidator(checked_path)]
Ratio = Annotated[Annotated[Number, Field(gt=0)] | Path, BeforeValidator(_number_or_path)]
"""The ratio of a transformer, or the path of it in the payload."""
Side = Literal["primary", "secondary"]

ELECTRIC_ENERGY = frozenset(("Wh", "kWh", "MWh", "GWh", "varh", "kvarh", "VAh", "kVAh"))
"""A value in one of these must say ct, pt and side."""
_RATIOS = {
    **dict.fromkeys(("energy", "reactive energy", "power", "reactive power", "apparent power"), ("ct", "pt")),
    **dict.fromkeys(("current", "charge"), ("ct",)),
    "voltage": ("pt",),
}
"""Quantity -> the ratios that lie between the secondary and the primary side."""


class SignalSettings(Settings):
    """One value inside a payload."""

    signal: Text
    """Name of the signal, for example active_power."""
    path: Path = ""
    """Where the value is: dots for objects, [0] for lists, [key=A相电流] to choose an object in a list, quotes around
    odd keys ("ts "). Empty: the whole payload."""
    unit: Unit = ""
    """Unit after scale, offset and transformer ratios."""
    kind: KindName = "gauge"
    """gauge, counter, state, event or text."""
    type: Literal["number", "bool", "text"] | None = None
    """What the payload holds; number unless kind is event or text. Numbers written as text are read as numbers."""
    scale: Number = 1.0
    """The value is multiplied by this ..."""
    offset: Number = 0.0
    """... and then this is added."""
    ct: Ratio | None = None
    """Ratio of the current transformer (200/5 is 40; no transformer is 1), or the path of it in the payload. Must be
    said for energy, with pt and side."""
    pt: Ratio | None = None
    """Ratio of the voltage transformer (10000/100 is 100; no transformer is 1), or the path of it in the payload."""
    side: Side | None = None
    """primary: the device has already multiplied by ct and pt. secondary: it has not, so it is done here: power and
    energy by both, current by ct, voltage by pt."""
    signed_bits: Literal[16, 32] | None = None
    """The device writes a negative number of so many bits as if it had no sign (65535 for -1): give it its sign."""
    signed_step: Annotated[Number, Field(gt=0)] = 1.0
    """What one step of that number is in the payload: 0.01 where -606.8 arrives as 42949066.16."""
    map: dict[str, Number] | None = None
    """Words that stand for numbers, for states: {RUN: 1, STOP: 0}."""
    no_value: tuple[Number | str, ...] = ()
    """What the device writes when it has no value: [65535, -9999, "----"]. Such a value is kept as Bad."""
    error: Path | None = None
    """Path of an error code beside the value: where something is there, other than 0, false, null or an empty text,
    the value is Bad."""
    minimum: Number | None = None
    """A value below this, after scale, offset and ratios, cannot be: it is refused and kept as a dead letter."""
    maximum: Number | None = None
    """A value above this cannot be."""

    @model_validator(mode="after")
    def _fits(self) -> SignalSettings:
        is_text = self.kind in ("event", "text")
        if self.type is not None and (self.type == "text") != is_text:
            raise ValueError(f"type {self.type} does not go with kind {self.kind}; texts have kind text or event")
        limits = (self.minimum, self.maximum)
        is_shaped = self.scale != 1 or self.offset != 0 or self.map is not None or self.signed_bits is not None
        if is_text and (is_shaped or limits != (None, None)):
            raise ValueError(
                "scale, offset, map, signed_bits, minimum and maximum are for numbers; leave them out for a text"
            )
        if None not in limits and not self.minimum < self.maximum:  # type: ignore[operator]
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        if self.scale == 0:
            raise ValueError("a scale of 0 makes every value 0; use 1 for values as they come")
        return self

    @model_validator(mode="after")
    def _is_true_of_the_meter(self) -> SignalSettings:
        if self.kind not in ("event", "text", "state"):
            refuse_half_truths(self.signal, self.unit, ct=self.ct, pt=self.pt, side=self.side)
        return self

    @property
    def ratios(self) -> tuple[float | str, ...]:
        """What the value is multiplied by after scale and offset: numbers, and paths into the payload."""
        return ratios_of(self.unit, ct=self.ct, pt=self.pt) if self.side == "secondary" else ()


def refuse_half_truths(
    name: str, unit: str, *, ct: float | str | None, pt: float | str | None, side: Side | None
) -> None:
    """Raise ValueError, for people: most wrong energy figures are right ones of the wrong side of a transformer."""
    missing = [key for key, given in (("ct", ct), ("pt", pt), ("side", side)) if given is None]
    if missing and unit in ELECTRIC_ENERGY:
        raise ValueError(
            f"{name} in {unit} does not say {', '.join(missing)}; write the transformers' ratios and the side that the "
            "meter reports: ct: 40, pt: 1, side: secondary (without transformers: ct: 1, pt: 1, side: primary)"
        )
    if side == "secondary" and missing:
        raise ValueError(f"side: secondary needs {' and '.join(missing)}; without a transformer the ratio is 1")
    if side == "secondary" and not unit:
        raise ValueError(
            f"{name} has no unit, so nobody knows whether ct or pt counts; write its unit (kW, A, V, ...), or "
            'unit: "1" for a power factor'
        )


def ratios_of(unit: str, *, ct: float | str | None, pt: float | str | None) -> tuple[float | str, ...]:
    """The ratios that lie between the secondary and the primary side of a quantity in this unit."""
    by = _RATIOS.get(quantity(unit) or "", ())
    return tuple(ratio for name, ratio in (("ct", ct), ("pt", pt)) if name in by and ratio is not None)
