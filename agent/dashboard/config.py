"""What can be set about the page."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from collectors.settings import Settings

StateWord = Literal["off", "idle", "setup", "running", "fault", "maintenance", "unknown"]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class DashboardConfig(Settings):
    """Where the page is served, and how it speaks."""

    listen: str = "127.0.0.1:8484"
    """Address and port. The page shows data and changes nothing, but has no password: keep it on 127.0.0.1, or on a
    network where everyone may see the plant. Port 0 takes any free port."""

    language: Literal["auto", "zh", "en"] = "auto"
    """Language of the page until the reader chooses one; auto follows the browser."""

    hosts: tuple[str, ...] = ()
    """Names by which browsers may reach the page, for a proxy in front of it; on 127.0.0.1 that address and localhost
    are always allowed and others refused. Empty on another address: any name."""

    states: dict[int, StateWord] = Field({0: "off", 1: "idle", 2: "setup", 3: "running", 4: "fault"})
    """What the numbers of a machine's state signal mean."""

    recent_points: int = Field(500_000, ge=1000, le=10_000_000)
    """Newest values kept in memory for the ten-minute curve; a value takes 20 bytes."""

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"'{listen}' is not an address with a port; write for example 127.0.0.1:8484")
        return listen

    @property
    def host(self) -> str:
        """The address without its port, and an IPv6 address without its brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port, 0 for any free one."""
        return int(self.listen.rpartition(":")[2])
