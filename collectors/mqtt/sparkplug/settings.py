"""What can be set about Sparkplug B."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from collectors.mqtt.signals import Number, Side, Text, ratios_of, refuse_half_truths
from collectors.settings import KindName, Settings
from collectors.units import Unit

NAMESPACE = "spBv1.0"
_TYPES = ("NBIRTH/+", "NDATA/+", "NDEATH/+", "DBIRTH/+/+", "DDATA/+/+", "DDEATH/+/+")
_NAMES = ("group", "edge", "device")


class MetricSettings(Settings):
    """What a metric's own birth does not say, or says wrongly."""

    metric: Text
    """The metric's name, or a pattern: */energy. The first that fits counts."""
    unit: Unit | None = None
    """Its unit. Default: the property engUnit of its birth."""
    kind: KindName | None = None
    """gauge, counter, state, event or text. Default: gauge for numbers, state for Booleans, text for texts."""
    ct: Annotated[Number, Field(gt=0)] | None = None
    """Ratio of the current transformer (200/5 is 40; no transformer is 1). Must be said for energy, with pt and side;
    where it is not, values of energy are Uncertain."""
    pt: Annotated[Number, Field(gt=0)] | None = None
    """Ratio of the voltage transformer (10000/100 is 100; no transformer is 1)."""
    side: Side | None = None
    """primary: the edge node has already multiplied by ct and pt. secondary: it has not, so it is done here."""

    @model_validator(mode="after")
    def _is_true_of_the_meter(self) -> MetricSettings:
        if self.kind not in ("event", "text", "state"):
            refuse_half_truths(self.metric, self.unit or "", ct=self.ct, pt=self.pt, side=self.side)
        return self

    @property
    def factor(self) -> float:
        """What a value is multiplied by."""
        ratios = ratios_of(self.unit or "", ct=self.ct, pt=self.pt) if self.side == "secondary" else ()
        return math.prod(map(float, ratios))


class SparkplugSettings(Settings):
    """Edge nodes that speak Sparkplug B at this broker."""

    groups: tuple[Text, ...] = ("+",)
    """The groups to listen to; + is all of them."""
    host_id: Annotated[str, Field(pattern=r"^[^/+#]+$", max_length=200)] | None = None
    """Our name as the primary host: our STATE is published, and edge nodes are asked for their births when they are
    missing. Without it nothing is published."""
    rebirth_s: float = Field(default=60.0, ge=1, le=86400)
    """An edge node is asked for its births at most this often, s."""
    area: str = "{group}"
    """Area of the signals; may use {group}, {edge} and {device}."""
    line: str = "{edge}"
    """Line of the signals."""
    machine: str = "{device}"
    """Machine of the signals; for an edge node's own metrics {device} is the edge node."""
    metrics: tuple[MetricSettings, ...] = ()
    """Units, kinds and transformer ratios, which births do not say."""

    @field_validator("groups")
    @classmethod
    def _groups(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for group in value:
            if group != "+" and set(group) & set("/+#\0"):
                raise ValueError(f"{group!r} is no group; write its name, or + for all")
        return value

    @model_validator(mode="after")
    def _templates(self) -> SparkplugSettings:
        for text in (self.area, self.line, self.machine):
            for name in re.findall(r"{([^{}]*)}", text):
                if name not in _NAMES:
                    raise ValueError(f"{{{name}}} means nothing here; use {{group}}, {{edge}} or {{device}}")
        return self

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        return [f"{NAMESPACE}/{group}/{kind}" for group in self.groups for kind in _TYPES]

    @property
    def state_topic(self) -> str:
        """Where the primary host says whether it is there."""
        return f"{NAMESPACE}/STATE/{self.host_id}"
