"""What can be set about the page."""

import pytest
from pydantic import ValidationError

from agent.dashboard.config import DashboardConfig


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("127.0.0.1:8484", ("127.0.0.1", 8484)), ("[::1]:0", ("::1", 0)), ("0.0.0.0:80", ("0.0.0.0", 80))],
)
def test_address_and_port(listen: str, expected: tuple[str, int]) -> None:
    """IPv4 and bracketed IPv6 addresses are taken apart."""
    config = DashboardConfig(listen=listen, allow_remote=True)

    assert (config.host, config.port) == expected


@pytest.mark.parametrize("listen", ["8484", "127.0.0.1", ":80", "127.0.0.1:http", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused_with_an_example(listen: str) -> None:
    """The message shows how to write it."""
    with pytest.raises(ValidationError, match=r"write for example 127\.0\.0\.1:8484"):
        DashboardConfig(listen=listen)


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.8.0.1:1", "[::1]:1", "localhost:1"])
def test_this_computer_alone_needs_no_leave(listen: str) -> None:
    """Loopback addresses are always fine."""
    assert DashboardConfig(listen=listen).listen == listen


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:80", "192.168.1.10:80", "gateway.plant:80"])
def test_other_computers_are_let_in_only_when_told(listen: str) -> None:
    """The page has no password: an address that others reach is refused, with what to do."""
    with pytest.raises(ValidationError, match=r"no password.*allow_remote: true"):
        DashboardConfig(listen=listen)

    assert DashboardConfig(listen=listen, allow_remote=True).listen == listen
