"""The ledger: what was emitted, and how what was kept differs from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.simulator.ledger import Emission, Emitted, Ledger

STATE, LOAD, POWER = Emission("cnc-1", "state", 1000), Emission("cnc-1", "load", 1000), Emission("cnc-1", "power", 2000)
TOPIC = "plant/turning/line-1/cnc-1/energy"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def _write(path: Path, *, accepted: bool) -> None:
    with Ledger(path) as ledger:
        ledger.written([("cnc-1", 1000, {"state": 3.0, "load": 0.1})])
        ledger.published(TOPIC, "cnc-1", 2000, {"power": 8.5})
        if accepted:
            ledger.accepted(TOPIC, 2000)


def test_what_was_written_and_accepted_is_certain(path: Path) -> None:
    """Values of both protocols come back with their times."""
    _write(path, accepted=True)
    emitted = Emitted.read(path)
    assert {STATE: 3.0, LOAD: 0.1} == emitted.opcua
    assert {POWER: 8.5} == emitted.mqtt
    assert {} == emitted.unsure


def test_an_unacknowledged_message_is_neither_demanded_nor_wondered_at(path: Path) -> None:
    """Without the broker's acknowledgement a message may be there or not."""
    _write(path, accepted=False)
    emitted = Emitted.read(path)
    assert {} == emitted.mqtt
    assert 0 == emitted.against({STATE: 3.0, LOAD: 0.1}).lost
    assert [] == emitted.against({STATE: 3.0, LOAD: 0.1, POWER: 8.5}).unknown


def test_a_torn_last_line_is_passed_over(path: Path) -> None:
    """A process that was killed in the middle of a line does not spoil the ledger."""
    _write(path, accepted=True)
    whole = Emitted.read(path)
    path.write_bytes(path.read_bytes() + b'{"source":"opcua","mach')
    assert whole == Emitted.read(path)


def test_a_second_run_continues_the_file(path: Path) -> None:
    """Opening a ledger again adds to it."""
    _write(path, accepted=True)
    with Ledger(path) as ledger:
        ledger.written([("cnc-1", 3000, {"state": 1.0})])
    assert 3 == len(Emitted.read(path).opcua)


def test_the_verdict_names_what_is_missing_different_and_unknown(path: Path) -> None:
    """Three ways to be wrong, each told apart."""
    _write(path, accepted=True)
    strange = Emission("cnc-1", "state", 9000)
    verdict = Emitted.read(path).against({LOAD: 0.2, POWER: 8.5, strange: 1.0})
    assert [STATE] == verdict.missing
    assert [LOAD] == verdict.different
    assert [strange] == verdict.unknown
    assert 2 == verdict.lost
