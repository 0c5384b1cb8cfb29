"""The short form of the OPC UA fault matrix."""

from __future__ import annotations

import pytest

from tests.soak.opcua_faults import soak


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["cut", "SIGSTOP 3 s", "SIGKILL and restart", "three messages lost", "five messages twice"]
)
def test_no_value_is_missing_after_a_fault(fault: str) -> None:
    """With a history nothing is missing; without one nothing is missing that is not said."""
    found = soak(5, only=(fault,))

    assert found.is_well, found.facts
