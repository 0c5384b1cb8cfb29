"""What can be set about an MQTT source."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from collectors.mqtt.mappings import MappingSettings
from collectors.mqtt.signals import Text
from collectors.mqtt.sparkplug.settings import SparkplugSettings
from collectors.mqtt.topics import Template
from collectors.secrets import SecretFile
from collectors.settings import Declared, LocalPath, Settings

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class TlsSettings(Settings):
    """How the broker proves itself, and how we prove ourselves to it."""

    ca_file: LocalPath | None = None
    """Certificate (PEM) of the authority that signed the broker's; without it the system's authorities count."""
    certificate_file: LocalPath | None = None
    """Our own certificate (PEM), where the broker asks for one."""
    private_key_file: SecretFile | None = None
    """The private key that belongs to certificate_file (PEM, without a passphrase): a file, a systemd credential, or a
    file in the folder secrets/ beside the configuration."""
    server_name: str | None = None
    """The name in the broker's certificate, where it is not the one in the url."""

    @model_validator(mode="after")
    def _pair(self) -> TlsSettings:
        if (self.certificate_file is None) != (self.private_key_file is None):
            raise ValueError("certificate_file and private_key_file belong together; give both or none")
        return self


def _broker(url: str) -> str:
    """The address of a broker, if it is one. Raises ValueError, for people."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError(f"{url!r} is no broker address; write mqtt://host:1883, mqtts://host:8883 or ws://host/mqtt")
    if parts.username or parts.password:
        raise ValueError("no user name or password in the url; use username and password_file")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if not parts.hostname or port == 0:
        raise ValueError(f"{url!r} names no host, or a port outside 1 to 65535")
    return url


class MqttConfig(Settings):
    """An MQTT broker and the meters behind it."""

    kind: Literal["mqtt"] = "mqtt"
    """The kind of source."""
    name: Text
    """Name of this source, for people and logs."""
    url: str
    """Where the broker is: mqtt://host:1883, mqtts://host:8883 (TLS), ws://host/mqtt or wss://host/mqtt (WebSocket)."""
    failover: tuple[str, ...] = ()
    """Other brokers for when this one cannot be reached, in this order; the rest of the settings is the same."""
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
    announce: Text | None = None
    """Topic at which the agent says how it is, retained, with a will: raceway/{plant}/{source}. Without it the agent is
    silent."""
    area: str = ""
    """Area of machines whose mapping does not say one."""
    line: str = ""
    """Line of machines whose mapping does not say one."""
    sparkplug: SparkplugSettings | None = None
    """Edge nodes that speak Sparkplug B; {} listens to all of them."""
    mappings: tuple[MappingSettings, ...] = ()
    """Which topics, and what their payloads mean."""
    mappings_from: tuple[LocalPath, ...] = ()
    """Tag lists (CSV or XLSX) whose rows are added to the mappings."""

    @field_validator("mappings")
    @classmethod
    def _reads_something(cls, value: tuple[MappingSettings, ...], info: ValidationInfo) -> tuple[MappingSettings, ...]:
        if not value and info.data.get("sparkplug") is None:
            raise PydanticKnownError("too_short", {"field_type": "Tuple", "min_length": 1, "actual_length": 0})
        return value

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return _broker(value)

    @field_validator("failover")
    @classmethod
    def _failover(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_broker, value))

    @field_validator("announce")
    @classmethod
    def _announce(cls, value: str | None) -> str | None:
        if value is not None and set(value) & set("+#\0"):
            raise ValueError(f"the status goes to one topic; write {value!r} without + and #")
        for name in re.findall(r"{([^{}]*)}", value or ""):
            if name not in ("plant", "source"):
                raise ValueError(f"{{{name}}} means nothing here; use {{plant}} or {{source}}")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> MqttConfig:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        if self.tls != TlsSettings() and not any(url.startswith(("mqtts://", "wss://")) for url in self.urls):
            raise ValueError("certificates are of no use without TLS; write mqtts:// or wss:// in the url")
        if not self.mappings and self.sparkplug is None:
            raise ValueError("nothing says what to read; write mappings, mappings_from or sparkplug")
        if self.announce is not None and self.sparkplug is not None and self.sparkplug.host_id is not None:
            raise ValueError(
                "a connection has one will, and a Sparkplug primary host needs it for its STATE; leave announce out, "
                "or make a source of its own for sparkplug"
            )
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """The brokers, in the order in which they are tried."""
        return (self.url, *self.failover)

    def at(self, url: str) -> MqttConfig:
        """The same at one of the brokers."""
        return self.model_copy(update={"url": url})

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
