"""The short course of faults, on real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.demo.held import Hole
from collectors.simulator.ledger import Emission, Emitted
from tests.scenarios.faults import SHORT, account_for, run_course

STATE, LOAD = Emission("cnc-1", "state", 100), Emission("cnc-1", "load", 200)


def test_a_missing_value_is_explained_only_by_a_gap_of_its_own_source() -> None:
    """A value inside the interval of a gap record of its source counts apart; any other one is a loss."""
    holes = [Hole("machines", 50, 150, "link_lost"), Hole("meters", 150, 250, "agent_down")]
    account = account_for(Emitted(opcua={STATE: 3.0, LOAD: 0.5}), {}, holes, dead_lettered=0, seconds=1.0)
    assert [STATE] == account.missing_in_gaps
    assert [LOAD] == account.missing
    assert not account.is_well


@pytest.mark.real("influxd", "mosquitto")
@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_every_emitted_value_is_in_influxdb_after_kills_freezes_and_restarts(tmp_path: Path) -> None:
    """Agent killed, InfluxDB away, OPC UA frozen and restarted, broker restarted: all there, value and time equal."""
    account = await run_course(SHORT, tmp_path)
    assert account.is_well, account.facts()
    assert account.emitted > 3_000
