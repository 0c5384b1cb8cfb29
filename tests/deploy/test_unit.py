"""The systemd unit, judged by systemd's own tools."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "raceway.service"
MOST_EXPOSED = 1.5


def analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.real("systemd-analyze")
def test_unit_is_understood(tmp_path: Path) -> None:
    """Every directive and every value is known to systemd: it warns about none."""
    unit = tmp_path / "raceway.service"
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/raceway/bin/raceway", "/bin/true"), encoding="utf-8")  # the command must exist

    assert analyze("verify", str(unit)) == ""


@pytest.mark.real("systemd-analyze")
def test_verify_notices_a_misspelt_directive(tmp_path: Path) -> None:
    """The check above can fail: an unknown directive is reported."""
    unit = tmp_path / "raceway.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nProtectSystems=strict\n", encoding="utf-8")

    assert "ProtectSystems" in analyze("verify", str(unit))


@pytest.mark.real("systemd-analyze")
def test_unit_is_hardened() -> None:
    """The exposure that systemd computes offline is at most 1.5 of 10."""
    verdict = analyze("security", "--offline=true", str(UNIT))
    exposure = re.search(r"Overall exposure level for raceway.service: ([\d.]+)", verdict)

    assert exposure is not None
    assert float(exposure[1]) <= MOST_EXPOSED


def test_watchdog_is_fed_in_time() -> None:
    """The watchdog's time leaves room for a stall to be noticed and said before systemd acts."""
    from agent.watchdog import STALLED_AFTER_S, STATUS_EVERY_S

    allowed = re.search(r"^WatchdogSec=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)

    assert allowed is not None
    assert int(allowed[1]) > STALLED_AFTER_S + STATUS_EVERY_S
