"""Who may ask, and what every answer carries."""

import pytest

from agent.dashboard.guard import host_name


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8484", "127.0.0.1"),
        ("LOCALHOST", "localhost"),
        ("[::1]:8484", "::1"),
        ("evil.example", "evil.example"),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header(host: str, expected: str) -> None:
    """Ports and brackets are not part of the name."""
    assert host_name(host) == expected
