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
    config = DashboardConfig(listen=listen)

    assert (config.host, config.port) == expected


@pytest.mark.parametrize("listen", ["8484", "127.0.0.1", ":80", "127.0.0.1:http", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused_with_an_example(listen: str) -> None:
    """The message shows how to write it."""
    with pytest.raises(ValidationError, match=r"write for example 127\.0\.0\.1:8484"):
        DashboardConfig(listen=listen)
