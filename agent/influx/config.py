"""What can be set about an InfluxDB sink."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from collectors.secrets import SecretFile
from collectors.settings import LocalPath, Settings


def _plain_url(url: str) -> str:
    if not url.startswith(("http://", "https://")) or url.rstrip("/").endswith(":"):
        raise ValueError("the address of InfluxDB starts with http:// or https://, like http://192.168.1.20:8086")
    if "@" in url:
        raise ValueError("no user name or password in the address; write a token into token_file instead")
    if "?" in url or "#" in url:
        raise ValueError("only scheme, host, port and perhaps a path; org and bucket have settings of their own")
    return url.rstrip("/")


def _visible_measurement(name: str) -> str:
    if name.startswith(("_", "#")) or name.endswith("\\") or any(character in name for character in "\n\r\t"):
        raise ValueError("InfluxDB cannot store under this name; start with a letter, leave out \\, tabs and line ends")
    return name


Name = Annotated[str, StringConstraints(min_length=1)]


class InfluxConfig(Settings):
    """One InfluxDB bucket that every point is sent to."""

    kind: Literal["influxdb"]
    """InfluxDB's v2 write API: InfluxDB 2.x, 3.x and 1.8 or later."""

    name: Name = "influx"
    """Name of this sink in the log's cursors, on the page and in metrics; a changed name sends everything again."""

    url: Annotated[str, AfterValidator(_plain_url)]
    """Address of the server, like http://192.168.1.20:8086."""

    org: Name
    """Organisation that owns the bucket."""

    bucket: Name
    """Bucket to write into."""

    token_file: SecretFile
    """File or systemd credential that holds a token with write permission; read again whenever the server refuses."""

    measurement: Annotated[Name, AfterValidator(_visible_measurement)] = "raceway"
    """Measurement (table) of all points."""

    batch_lines: int = Field(5_000, ge=1, le=100_000)
    """Most lines in one request; points of one machine and one timestamp share a line."""

    batch_bytes: int = Field(1_000_000, ge=1_000, le=50_000_000)
    """Most bytes in one request, before compression."""

    linger_s: float = Field(1.0, ge=0, le=60)
    """How long to wait for more points before a small request is sent."""

    backlog_points_per_s: int | None = Field(None, ge=1)
    """Send what waited during an outage not faster than that; without it, as fast as the server takes it."""

    backlog_begins_within_s: float = Field(5.0, ge=0, le=3_600)
    """After an outage, sending what waited begins within so long, by chance: gateways must not begin together."""

    timeout_s: float = Field(20.0, gt=0, le=600)
    """How long to wait for the server's answer; a request that timed out is sent again, which is harmless."""

    verify_tls: bool = True
    """Whether the server's certificate is checked; switch off only for a test."""

    ca_file: LocalPath | None = None
    """Certificates (PEM) to trust instead of the system's, for a plant's own certificate authority."""

    @property
    def max_points(self) -> int:
        """Points to read from the log at once: enough to fill a request when four signals share a line."""
        return 4 * self.batch_lines
