"""What can be set about an OPC UA source. Imports neither asyncua nor numpy: `raceway check` must answer at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from collectors.opcua.alarm_config import Notifier, alarm_signals, node_id
from collectors.opcua.fieldpath import listed
from collectors.secrets import SecretFile
from collectors.settings import Declared, KindName, LocalPath, Settings
from collectors.units import Unit

Policy = Literal["None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]
Mode = Literal["None", "Sign", "SignAndEncrypt"]


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "opc.tcp" or not parts.hostname:
        raise ValueError(f"{text!r} is not an OPC UA address; write it like opc.tcp://192.168.1.10:4840")
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} names no port; a port is 1 to 65535, usually 4840") from None
    if parts.username or parts.password:
        raise ValueError("an account does not belong into the address; use user: and password_file:")
    return text if port else text.replace(parts.netloc, f"{parts.netloc}:4840", 1)


class Tag(Settings):
    """One variable of the server and the signal it becomes."""

    machine: str = Field(min_length=1)
    """The machine or meter that the value belongs to."""
    signal: str = Field(min_length=1)
    """What is measured: spindle_speed, active_energy, state."""
    node: Annotated[str, AfterValidator(node_id)]
    """The node id: nsu=http://maker.example/;s=Spindle.Speed (preferred) or ns=2;i=1004."""
    unit: Unit = ""
    """The unit as plants write it: rpm, kW, °C."""
    kind: KindName = "gauge"
    """How the signal behaves: gauge, counter, state, event or text."""
    area: str = ""
    """The area of the plant; the source's own where empty."""
    line: str = ""
    """The production line; the source's own where empty."""
    sampling_ms: float | None = Field(default=None, ge=0, le=86_400_000)
    """How often the server looks at the variable; the publishing interval where not set, 0 for as fast as it can."""
    queue_size: int | None = Field(default=None, ge=1, le=100_000)
    """How many values the server keeps for us; by default enough for queue_bridge_s."""
    deadband: float = Field(default=0, ge=0, allow_inf_nan=False)
    """Changes smaller than this, in the server's own unit, are not sent."""
    scale: float = Field(default=1, allow_inf_nan=False)
    """The value is multiplied by this."""
    offset: float = Field(default=0, allow_inf_nan=False)
    """And then this is added."""
    elements: int = Field(default=0, ge=0, le=10_000)
    """For an array: how many of its elements become the signals signal[0], signal[1], …"""
    fields: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    """For a structure: the members that become the signals signal.X, signal.Axis.Load, …"""
    description: str = ""
    """For people; nothing is done with it."""

    @model_validator(mode="after")
    def _texts_are_not_numbers(self) -> Self:
        if self.kind in ("event", "text") and (self.scale, self.offset, self.deadband) != (1, 0, 0):
            raise ValueError(f"a signal of kind {self.kind} has no scale, offset or deadband; remove them")
        if self.fields and self.elements:
            raise ValueError("a variable is an array or a structure; remove elements: or fields:")
        if self.scale == 0:
            raise ValueError("scale: 0 would make every value the same; remove it or write the factor")
        return self


class Security(Settings):
    """How the connection is protected. Nothing is trusted by itself and nothing falls back to a weaker policy."""

    policy: Policy = "None"
    """The security policy; Basic256Sha256 is what nearly every machine offers."""
    mode: Mode = "None"
    """Sign or SignAndEncrypt; SignAndEncrypt is the default with any policy but None."""
    pki: LocalPath | None = None
    """The folder of certificates: own, trusted, issuers, crl, rejected; `pki` in data_dir where not set."""
    certificate: LocalPath | None = None
    """Our own certificate (PEM or DER), where the one in the folder of certificates is not to be used."""
    private_key: SecretFile | None = None
    """The private key that belongs to it (PEM or DER)."""
    server_certificate: LocalPath | None = None
    """The server's certificate (PEM or DER), when it was copied from the machine."""
    server_fingerprint: str = Field(default="", pattern=r"^(?:[0-9A-Fa-f]{2}[: ]?){32}$|^$")
    """Or only its SHA-256 fingerprint; the first refused connection shows it for comparison."""
    allow_plain_password: bool = False
    """Let a password travel over a connection that is not encrypted."""

    @model_validator(mode="before")
    @classmethod
    def _encrypt_by_default(cls, given: object) -> object:
        if isinstance(given, dict) and "mode" not in given and given.get("policy", "None") != "None":
            return {**given, "mode": "SignAndEncrypt"}
        return given

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.policy == "None") != (self.mode == "None"):
            raise ValueError(f"policy {self.policy} and mode {self.mode} do not go together; set both or neither")
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate: and private_key: belong together; set both or neither")
        if self.policy == "None" and (self.certificate or self.private_key or self.pinned):
            raise ValueError("certificates are set but the policy is None; set policy: Basic256Sha256")
        return self

    @property
    def pinned(self) -> bool:
        """Whether the configuration says which server certificate is the right one."""
        return bool(self.server_certificate or self.server_fingerprint)


class Limits(Settings):
    """Ask for less in one call than the server says it can do; 0 leaves it to the server."""

    monitored_items_per_call: int = Field(default=0, ge=0)
    """Items created in one call."""
    nodes_per_read: int = Field(default=0, ge=0)
    """Nodes read in one call."""


class OpcUaConfig(Settings):
    """An OPC UA server to subscribe to."""

    kind: Literal["opcua"]
    """opcua"""
    name: str = Field(min_length=1)
    """The name of this source; it must not be used twice."""
    url: Annotated[str, AfterValidator(_endpoint)]
    """The address that is dialled: opc.tcp://192.168.1.10:4840."""
    failover: tuple[Annotated[str, AfterValidator(_endpoint)], ...] = ()
    """Other addresses of the same machine, or of its twin, tried in turn when one is away or not healthy."""
    area: str = ""
    """The area of tags that do not name one."""
    line: str = ""
    """The line of tags that do not name one."""
    security: Security = Security()
    """How the connection is protected."""
    user: str = ""
    """The account on the server; anonymous where empty."""
    password_file: SecretFile | None = None
    """The file that holds its password."""
    user_certificate: LocalPath | None = None
    """Or the certificate that we log in with (PEM or DER), in place of an account."""
    user_private_key: SecretFile | None = None
    """The private key that belongs to it (PEM or DER)."""
    tags: tuple[Tag, ...] = ()
    """The variables to read."""
    tags_from: tuple[LocalPath, ...] = ()
    """Tag lists (CSV or XLSX) with the same columns."""
    alarms: tuple[Notifier, ...] = ()
    """The objects of the server that report alarms and events, and whose they are."""
    publishing_ms: float = Field(default=500, ge=10, le=60_000)
    """How often the server sends what has changed."""
    queue_bridge_s: float = Field(default=10, ge=0, le=3600)
    """The outage that the server's queues should bridge: they are sized for it, as far as the server allows."""
    keep_alive_s: float = Field(default=10, ge=0.5, le=60)
    """How often the server shows that it is alive; three missed ones end the connection."""
    session_timeout_s: float = Field(default=60, ge=10, le=3600)
    """How long the server keeps a session that it no longer hears from."""
    connect_timeout_s: float = Field(default=10, ge=0.5, le=120)
    """How long connecting may take."""
    retry_bad_items_s: float = Field(default=5, ge=0.1, le=3600)
    """When a variable that the server refuses is asked for again; doubles up to five minutes."""
    backfill: bool = True
    """Read from the server's own history what came while nobody listened, where it keeps one."""
    wrong_clock: Literal["replace", "keep"] = "replace"
    """A machine's time that cannot be true is replaced by the moment of receipt, or kept; either is said."""
    clock_ahead_s: float = Field(default=300, ge=1, le=86_400)
    """How far a machine's clock may be ahead of ours; times before 2010 cannot be true either."""
    repeat_s: float = Field(default=0, ge=0, le=86_400)
    """A value that has not changed for so long is recorded once more, marked as a repeat; 0 for never."""
    limits: Limits = Limits()
    """Lower limits than those that the server names."""

    @model_validator(mode="after")
    def _password_is_protected(self) -> Self:
        if self.password_file and not self.user:
            raise ValueError("password_file: is set without user:; write the account's name")
        if (self.user_certificate is None) != (self.user_private_key is None):
            raise ValueError("user_certificate: and user_private_key: belong together; set both or neither")
        if self.user and self.user_certificate:
            raise ValueError("one login is enough; remove user: or user_certificate:")
        if self.user_certificate and self.security.policy == "None":
            raise ValueError("a login with a certificate needs security: {policy: Basic256Sha256}")
        if self.user and self.security.mode != "SignAndEncrypt" and not self.security.allow_plain_password:
            raise ValueError(
                "the password would travel unencrypted; set security: {policy: Basic256Sha256, …}, "
                "or security: {allow_plain_password: true} if that is meant"
            )
        return self

    def with_certificates_in(self, folder: Path) -> Self:
        """The same, with the folder of certificates where none was named."""
        if self.security.pki is not None:
            return self
        return self.model_copy(update={"security": self.security.model_copy(update={"pki": folder})})

    def sampling_ms(self, tag: Tag) -> float:
        """What is asked of the server for this tag."""
        return self.publishing_ms if tag.sampling_ms is None else tag.sampling_ms

    def queue_size(self, tag: Tag) -> int:
        """Room for what is sampled between two publishes and during an outage of `queue_bridge_s`, 10,000 at most."""
        if tag.queue_size is not None:
            return tag.queue_size
        interval_ms = self.sampling_ms(tag) or self.publishing_ms / 10
        return min(10_000, math.ceil((self.publishing_ms + self.queue_bridge_s * 1000) / interval_ms) + 1)

    def declared(self) -> Iterator[Declared]:
        """Every signal that this source will bring."""
        for position, tag in enumerate(self.tags):
            for signal in signal_names(tag):
                yield Declared(
                    where=("tags", position),
                    area=tag.area or self.area,
                    line=tag.line or self.line,
                    machine=tag.machine,
                    signal=signal,
                    unit=tag.unit,
                    kind=tag.kind,
                )
        yield from alarm_signals(self.alarms, area=self.area, line=self.line)


def signal_names(tag: Tag) -> list[str]:
    """The signals that one variable becomes: itself, or one for each element of an array or member of a structure."""
    if tag.fields:
        return [f"{tag.signal}.{path}" for path in tag.fields]
    return [f"{tag.signal}[{index}]" for index in range(tag.elements)] if tag.elements else [tag.signal]
