"""The run that kills agents and brokers, with a small count."""

from __future__ import annotations

import pytest

from tests.soak.mqtt_kills import FORGOTTEN, KILLS_A_BROKER, MESSAGES_A_KILL, soak


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.real("mosquitto")
def test_kills_lose_nothing() -> None:
    """Every acknowledged message is in the log, and every published one that the broker did not lose itself."""
    count = KILLS_A_BROKER // 2 + 1  # the broker is killed too
    finding = soak(count)
    assert finding.is_well, finding.facts
    assert (finding.facts["count"], finding.facts["broker_kills"]) == (count, 1)
    assert finding.facts["published"] == count * MESSAGES_A_KILL
    assert int(str(finding.facts["broker_lost"])) >= FORGOTTEN  # for no agent was there to read these
    assert finding.facts["broker_forgot"] == 1
