"""What can be set about the page."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from collectors.settings import Settings

StateWord = Literal["off", "idle", "setup", "running", "fault", "maintenance", "unknown"]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class DashboardConfig(Settings):
    """Where the page is served, and how it speaks."""

    allow_remote: bool = False
    """Whether other computers may reach the page. It shows data and changes nothing, but has no password."""

    listen: str = "127.0.0.1:8484"
    """Address and port. An address that other computers reach needs allow_remote. Port 0 takes any free port."""

    language: Literal["auto", "zh", "en"] = "auto"
    """Language of the page until the reader chooses one; auto follows the browser."""

    hosts: tuple[str, ...] = ()
    """Names by which browsers may reach the page, for a proxy in front of it; on 127.0.0.1 that address and localhost
    are always allowed and others refused. Empty on another address: any name."""

    states: dict[int, StateWord] = Field({0: "off", 1: "idle", 2: "setup", 3: "running", 4: "fault"})
    """What the numbers of a machine's state signal mean."""

    recent_points: int = Field(200_000, ge=1000, le=10_000_000)
    """Newest values kept in memory for the ten-minute curve; a value takes 20 bytes."""

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, listen: str, info: ValidationInfo) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"'{listen}' is not an address with a port; write for example 127.0.0.1:8484")
        if not info.data.get("allow_remote", True) and not _is_loopback(host.strip("[]")):  # absent: wrong by itself
            raise ValueError(
                f"the page has no password, and {listen} serves it to everyone who can reach this computer; write "
                f"127.0.0.1:{port} and put a proxy with a password in front, or set allow_remote: true if everyone may "
                "see the plant"
            )
        return listen

    @property
    def host(self) -> str:
        """The address without its port, and an IPv6 address without its brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port, 0 for any free one."""
        return int(self.listen.rpartition(":")[2])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name: who knows where it leads
        return False
