"""What can be set about a mapping: which topics, which shapes of payload, and what their values mean."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator, model_validator

from collectors.mqtt.profiles import with_profile
from collectors.mqtt.signals import Number, Path, Ratio, Side, SignalSettings, Text
from collectors.mqtt.topics import Template
from collectors.settings import Settings

TIME_FORMATS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "iso")

Shape = Annotated[dict[Path, Number | str | bool | tuple[Number | str | bool, ...]], Field(min_length=1)]
"""What a payload must hold: path -> the value there, or a list of values of which it is one."""


class TimeSettings(Settings):
    """Where a payload says when it was measured."""

    path: Path
    """Path of the timestamp in the payload, for example ts or data.recTime."""
    format: str = "epoch_ms"
    """epoch_s, epoch_ms, epoch_us, epoch_ns, iso, or a strptime pattern such as %Y%m%d%H%M%S."""
    zone: str = "Asia/Shanghai"
    """Time zone of timestamps that do not name one."""
    required: bool = False
    """Whether a payload without a usable timestamp is refused, and kept as a dead letter, instead of getting the
    gateway's time. Set it where a device sends history: now is the one time at which that was not measured."""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in TIME_FORMATS and "%" not in value:
            raise ValueError(
                f"{value!r} is no time format; use one of {', '.join(TIME_FORMATS)}, or a pattern such as %Y%m%d%H%M%S"
            )
        return value

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; use a name such as Asia/Shanghai or UTC") from None
        return value


class ReplySettings(Settings):
    """What the agent publishes when a device waits for an answer; only where the mapping says answer: true."""

    only: Shape
    """The messages that are answered."""
    topic: Text
    """Where the answer goes; may use the topic's placeholders."""
    payload: Text
    """The answer, as it is sent."""

    @field_validator("topic")
    @classmethod
    def _one_topic(cls, value: str) -> str:
        if set(value) & set("+#\0"):
            raise ValueError(f"an answer goes to one topic; write {value!r} without + and #")
        return value


class MappingSettings(Settings):
    """Which topics, and what their payloads mean."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(required=[]))  # a profile may say them

    topic: Text
    """Topic with placeholders: plant/{line}/{machine}/energy. MQTT's own + and # may be used too."""
    profile: Text | None = None
    """A device that Raceway knows, or a file of your own (my-meter.yaml): everything that it says can be said
    differently here, signals by their name."""
    area: str | None = None
    """Area of these machines, where the topic does not say it."""
    line: str | None = None
    """Line of these machines, where the topic does not say it."""
    machine: str | None = None
    """Machine or meter; may use the topic's placeholders: meter-{sn}. Default: the placeholder {machine}."""
    device: Path | None = None
    """Path of the machine's name in the payload, where the topic does not say it."""
    payload: Literal["json", "cbor", "msgpack", "text", "csv", "line"] = "json"
    """json, cbor, msgpack, text (the payload is one value), csv (one line of values: [0], [1], ...), or line (InfluxDB
    line protocol: a list of measurement, tags, fields and time, to be read with each)."""
    only: Shape | None = None
    """Which payloads are meant, where a topic carries several shapes: {type: data}, or {type: [data, hstdata]}."""
    ignore: tuple[Shape, ...] = ()
    """Payloads that may come and hold nothing to keep: [{type: login}, {type: heart}]. Others that fit no mapping
    become dead letters."""
    each: Path | None = None
    """Path of a list of which every entry is a reading of its own. What a path does not find in the entry is looked for
    in the whole payload. Empty: the payload itself is the list."""
    sparse: bool = False
    """Whether the device sends only what has changed, so that a payload may hold none of the signals."""
    time: TimeSettings | None = None
    """Where the payload says when; without it the gateway's clock counts, and the data say so."""
    ct: Ratio | None = None
    """Ratio of the current transformer, for all signals that do not say their own."""
    pt: Ratio | None = None
    """Ratio of the voltage transformer, for all signals that do not say their own."""
    side: Side | None = None
    """Which side of the transformers the device reports, for all signals that do not say their own."""
    signals: tuple[SignalSettings, ...] = Field(min_length=1)
    """The values inside the payload."""
    replies: tuple[ReplySettings, ...] = ()
    """What a device waits for before it goes on; nothing is published unless answer is true."""
    answer: bool = False
    """Whether the replies are published. Without it the agent publishes nothing to devices."""

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, given: Any, info: ValidationInfo) -> Any:
        """With what the profile says, and the ratios of the mapping in each signal."""
        if not isinstance(given, dict):
            return given
        whole = with_profile(given, directory=(info.context or {}).get("directory"))
        ratios = _shared(whole)
        signals = whole.get("signals")
        if ratios and isinstance(signals, list | tuple):
            whole["signals"] = [
                {**ratios, **{name: value for name, value in signal.items() if value is not None}}
                if isinstance(signal, dict)
                else signal
                for signal in signals
            ]
        return whole

    @field_validator("topic")
    @classmethod
    def _topic(cls, value: str) -> str:
        Template(value)
        return value

    @model_validator(mode="after")
    def _names_a_machine(self) -> MappingSettings:
        names = Template(self.topic).names
        if self.machine is not None and self.device is not None:
            raise ValueError("machine and device both name the machine; keep one of them")
        if self.machine is None and self.device is None and "machine" not in names:
            raise ValueError(
                "nothing says which machine this is; put {machine} into the topic, or set machine, or device "
                "(the path of its name in the payload)"
            )
        for part in (self.area, self.line, self.machine, *(reply.topic for reply in self.replies)):
            for name in re.findall(r"{([^{}]*)}", part or ""):
                if name not in names:
                    raise ValueError(f"{{{name}}} is not a placeholder of the topic {self.topic!r}")
        doubles = [s.signal for i, s in enumerate(self.signals) if s.signal in {t.signal for t in self.signals[:i]}]
        if doubles:
            raise ValueError(f"signal {doubles[0]!r} is there twice in one mapping; give each value its own name")
        if self.answer and not self.replies:
            raise ValueError("answer: true, but nothing says what to answer; write replies, or leave it out")
        return self


_SHARED: dict[str, tuple[TypeAdapter[Any], object]] = {
    "ct": (TypeAdapter(Ratio), 1),
    "pt": (TypeAdapter(Ratio), 1),
    "side": (TypeAdapter(Side), "primary"),
}


def _shared(mapping: AnyMapping[str, Any]) -> dict[str, object]:
    """The mapping's ratios and side, for its signals; one that cannot be is said at the mapping, not at each signal."""
    shared: dict[str, object] = {}
    for name, (adapter, stand_in) in _SHARED.items():
        if (given := mapping.get(name)) is not None:
            try:
                adapter.validate_python(given)
            except ValidationError:
                given = stand_in
            shared[name] = given
    return shared
