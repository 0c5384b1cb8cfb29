"""What can be set about an MQTT source."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from collectors.mqtt.paths import parse_path
from collectors.mqtt.topics import Template
from collectors.secrets import SecretFile
from collectors.settings import Declared, KindName, LocalPath, Settings
from collectors.units import Unit

if TYPE_CHECKING:
    from collectors.mqtt.source import MqttSource
    from collectors.source import LastTime

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
TIME_FORMATS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "iso")

Text = Annotated[str, Field(min_length=1, max_length=200)]
Number = float | int


def _checked_path(path: str) -> str:
    parse_path(path)
    return path


class TlsSettings(Settings):
    """How the broker proves itself, and how we prove ourselves to it."""

    ca_file: LocalPath | None = None
    """Certificate (PEM) of the authority that signed the broker's; without it the system's authorities count."""
    certificate_file: LocalPath | None = None
    """Our own certificate (PEM), where the broker asks for one."""
    private_key_file: LocalPath | None = None
    """The private key that belongs to certificate_file (PEM, without a passphrase)."""
    server_name: str | None = None
    """The name in the broker's certificate, where it is not the one in the url."""

    @model_validator(mode="after")
    def _pair(self) -> TlsSettings:
        if (self.certificate_file is None) != (self.private_key_file is None):
            raise ValueError("certificate_file and private_key_file belong together; give both or none")
        return self


class TimeSettings(Settings):
    """Where a payload says when it was measured."""

    path: str
    """Path of the timestamp in the payload, for example ts or data.recTime."""
    format: str = "epoch_ms"
    """epoch_s, epoch_ms, epoch_us, epoch_ns, iso, or a strptime pattern such as %Y%m%d%H%M%S."""
    zone: str = "Asia/Shanghai"
    """Time zone of timestamps that do not name one."""

    _path = field_validator("path")(_checked_path)

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


class SignalSettings(Settings):
    """One value inside a payload."""

    signal: Text
    """Name of the signal, for example active_power."""
    path: str = ""
    """Where the value is: dots for objects, [0] for lists, [key=A相电流] to choose an object in a list, quotes around
    odd keys ("ts "). Empty: the whole payload."""
    unit: Unit = ""
    """Unit after scale and offset."""
    kind: KindName = "gauge"
    """gauge, counter, state, event or text."""
    type: Literal["number", "bool", "text"] | None = None
    """What the payload holds; number unless kind is event or text. Numbers written as text are read as numbers."""
    scale: Number = 1.0
    """The value is multiplied by this ..."""
    offset: Number = 0.0
    """... and then this is added."""
    map: dict[str, Number] | None = None
    """Words that stand for numbers, for states: {RUN: 1, STOP: 0}."""
    no_value: tuple[Number | str, ...] = ()
    """What the device writes when it has no value: [65535, -9999, "----"]. Such a value is kept as Bad."""
    minimum: Number | None = None
    """A value below this, after scale and offset, cannot be: it is refused and kept as a dead letter."""
    maximum: Number | None = None
    """A value above this cannot be."""

    _path = field_validator("path")(_checked_path)

    @model_validator(mode="after")
    def _fits(self) -> SignalSettings:
        is_text = self.kind in ("event", "text")
        if self.type is not None and (self.type == "text") != is_text:
            raise ValueError(f"type {self.type} does not go with kind {self.kind}; texts have kind text or event")
        limits = (self.minimum, self.maximum)
        if is_text and (self.scale != 1 or self.offset != 0 or self.map is not None or limits != (None, None)):
            raise ValueError("scale, offset, map, minimum and maximum are for numbers; leave them out for a text")
        if None not in limits and not self.minimum < self.maximum:  # type: ignore[operator]
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        if self.scale == 0:
            raise ValueError("a scale of 0 makes every value 0; use 1 for values as they come")
        return self


class MappingSettings(Settings):
    """Which topics, and what their payloads mean."""

    topic: Text
    """Topic with placeholders: plant/{line}/{machine}/energy. MQTT's own + and # may be used too."""
    area: str | None = None
    """Area of these machines, where the topic does not say it."""
    line: str | None = None
    """Line of these machines, where the topic does not say it."""
    machine: str | None = None
    """Machine or meter; may use the topic's placeholders: meter-{sn}. Default: the placeholder {machine}."""
    device: str | None = None
    """Path of the machine's name in the payload, where the topic does not say it."""
    payload: Literal["json", "text", "csv"] = "json"
    """json, text (the payload is one value), or csv (one line of values: [0], [1], ...)."""
    time: TimeSettings | None = None
    """Where the payload says when; without it the gateway's clock counts, and the data say so."""
    signals: tuple[SignalSettings, ...] = Field(min_length=1)
    """The values inside the payload."""

    @field_validator("topic")
    @classmethod
    def _topic(cls, value: str) -> str:
        Template(value)
        return value

    @field_validator("device")
    @classmethod
    def _device(cls, value: str | None) -> str | None:
        return None if value is None else _checked_path(value)

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
        for part in (self.area, self.line, self.machine):
            for name in re.findall(r"{([^{}]*)}", part or ""):
                if name not in names:
                    raise ValueError(f"{{{name}}} is not a placeholder of the topic {self.topic!r}")
        doubles = [s.signal for i, s in enumerate(self.signals) if s.signal in {t.signal for t in self.signals[:i]}]
        if doubles:
            raise ValueError(f"signal {doubles[0]!r} is there twice in one mapping; give each value its own name")
        return self


class MqttConfig(Settings):
    """An MQTT broker and the meters behind it."""

    kind: Literal["mqtt"] = "mqtt"
    """The kind of source."""
    name: Text
    """Name of this source, for people and logs."""
    url: str
    """Where the broker is: mqtt://host:1883, mqtts://host:8883 (TLS), ws://host/mqtt or wss://host/mqtt (WebSocket)."""
    client_id: Text | None = None
    """Our name at the broker, the same at every start. Default: made from the plant's name and the source's."""
    username: Text | None = None
    """User name at the broker."""
    password_file: SecretFile | None = None
    """File, or systemd credential, that holds the password."""
    tls: TlsSettings = TlsSettings()
    """Certificates, for mqtts:// and wss://."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """MQTT version; auto tries 5 and falls back to 3.1.1 where the broker refuses it."""
    qos: Literal[0, 1, 2] = 1
    """Quality of service asked for; 0 loses messages whenever the connection does."""
    receive_maximum: int = Field(default=1000, ge=1, le=65535)
    """How many messages the broker may send before the first is acknowledged (MQTT 5). With 3.1.1 the broker decides;
    where it allows fewer than 20, say so here, so that acknowledgements do not wait for more."""
    session_expiry_s: int = Field(default=7 * 24 * 3600, ge=0, le=0xFFFF_FFFF)
    """How long the broker keeps messages for us while we are away (MQTT 5)."""
    keepalive_s: int = Field(default=20, ge=2, le=65535)
    """A broker that says nothing for one and a half times this long is given up."""
    area: str = ""
    """Area of machines whose mapping does not say one."""
    line: str = ""
    """Line of machines whose mapping does not say one."""
    mappings: tuple[MappingSettings, ...] = Field(min_length=1)
    """Which topics, and what their payloads mean."""
    mappings_from: tuple[LocalPath, ...] = ()
    """Tag lists (CSV or XLSX) whose rows are added to the mappings."""

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in PORTS:
            raise ValueError(
                f"{value!r} is no broker address; write mqtt://host:1883, mqtts://host:8883 or ws://host/mqtt"
            )
        if parts.username or parts.password:
            raise ValueError("no user name or password in the url; use username and password_file")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if not parts.hostname or port == 0:
            raise ValueError(f"{value!r} names no host, or a port outside 1 to 65535")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> MqttConfig:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        if self.tls != TlsSettings() and not self.url.startswith(("mqtts://", "wss://")):
            raise ValueError("certificates are of no use without TLS; write mqtts:// or wss:// in the url")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or PORTS[parts.scheme]

    def client_id_at(self, plant: str) -> str:
        """Our name at the broker: readable, and never the same for two differently named plants or sources."""
        if self.client_id is not None:
            return self.client_id
        readable = re.sub(r"[^0-9A-Za-z]+", "-", f"{plant}-{self.name}").strip("-")[:40]
        exact = hashlib.sha256(f"{plant}\n{self.name}".encode()).hexdigest()[:8]
        return f"raceway-{readable}-{exact}"

    def declared(self) -> Iterator[Declared]:
        """Every signal of every mapping; machine and line may be templates."""
        for i, mapping in enumerate(self.mappings):
            names = Template(mapping.topic).names
            area = mapping.area if mapping.area is not None else "{area}" if "area" in names else self.area
            line = mapping.line if mapping.line is not None else "{line}" if "line" in names else self.line
            machine = mapping.machine or (f"{{{mapping.device}}}" if mapping.device else "{machine}")
            for j, signal in enumerate(mapping.signals):
                where = ("mappings", i, "signals", j)
                yield Declared(where, area, line, machine, signal.signal, signal.unit, signal.kind)

    def source(self, plant: str, last_time: LastTime) -> MqttSource:
        """The source that this configures; imports paho. `last_time` says until when an earlier agent lived."""
        from collectors.mqtt.source import MqttSource

        return MqttSource(self, plant=plant, last_time=last_time)


_SIGNAL_COLUMNS = ("signal", "path", "unit", "kind", "type", "scale", "offset", "minimum", "maximum")
_MAPPING_COLUMNS = ("topic", "area", "line", "machine", "device", "payload")
_TIME_COLUMNS = {"time_path": "path", "time_format": "format", "zone": "zone"}
ROW_COLUMNS = (*_MAPPING_COLUMNS, *_TIME_COLUMNS, *_SIGNAL_COLUMNS)
"""The columns of a tag list for MQTT: one row a signal, the mapping's own columns repeated."""


def mappings_from_rows(rows: Iterable[AnyMapping[str, object]]) -> list[dict[str, object]]:
    """Rows of a tag list as mappings, ready to be validated; rows with equal mapping columns become one mapping.

    Empty cells are left out. Unknown columns are kept in the signal, so that validation names them.
    """
    mappings: dict[str, dict[str, object]] = {}
    for row in rows:
        cells = {name: cell for name, cell in row.items() if cell not in ("", None)}
        mapping: dict[str, object] = {name: cells.pop(name) for name in _MAPPING_COLUMNS if name in cells}
        time = {key: cells.pop(name) for name, key in _TIME_COLUMNS.items() if name in cells}
        if time:
            mapping["time"] = time
        held = mappings.setdefault(repr(mapping), {**mapping, "signals": []})
        signals = held["signals"]
        assert isinstance(signals, list)
        signals.append(cells)
    return list(mappings.values())
