"""The short form of the OPC UA fault matrix."""

from __future__ import annotations

import pytest

from tests.soak.opcua_faults import soak

SHORT = ("cut", "SIGSTOP 3 s", "SIGKILL and restart", "message lost", "sessions ended by the server")


@pytest.mark.slow
def test_no_value_is_missing_after_these_faults() -> None:
    """With a history nothing is missing, without one nothing is missing that is not said."""
    found = soak(5, only=SHORT)

    assert found.is_well, found.facts
