"""`service`: the unit under a real systemd: a copy of this machine boots, Raceway is installed by its script, and is
killed, frozen, misconfigured and stopped, `count` times. Needs root and systemd-nspawn; four minutes.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.model.booted import Machine, booted
from tests.soak.finding import Finding

TOP = Path(__file__).parents[2]
PROJECT = ("agent", "collectors", "config", "deploy", "scripts", "README.md", "LICENSE", "pyproject.toml")
PLANT = """plant: trial
data_dir: /var/lib/raceway
sources:
- {kind: mqtt, name: meters, url: "mqtt://127.0.0.1:1", mappings: [{topic: "a/{machine}", signals: [{signal: load}]}]}
"""
SETTINGS = "etc/raceway/plant.yaml"
WATCHDOG_S = 60  # WatchdogSec of the unit


class Service:
    """The installed unit in a booted machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def state(self) -> tuple[str, int]:
        """ActiveState and the main process."""
        shown = self.machine.run("systemctl", "show", "raceway", "-p", "ActiveState,MainPID", "--value").stdout.split()
        return next(word for word in shown if not word.isdigit()), int(next(word for word in shown if word.isdigit()))

    def control(self, verb: str) -> None:
        """Do what `systemctl VERB raceway` does; returns when systemd says that it is done."""
        self.machine.run("systemctl", verb, "raceway")

    def signal(self, name: str) -> int:
        """Send a signal to the main process, and say which it was."""
        pid = self.state()[1]
        self.machine.run("kill", f"-{name}", str(pid))
        return pid

    def comes_back(self, after: int, within_s: float) -> float:
        """Seconds until the service is active with another main process; infinity where it is not in time."""
        began = time.monotonic()
        while time.monotonic() - began < within_s:
            state, pid = self.state()
            if state == "active" and pid != after:
                return time.monotonic() - began
            time.sleep(0.5)
        return float("inf")


def install(machine: Machine) -> Service:
    """Lay the project down, run its script as an administrator would, and give it a plant."""
    target = machine.root / "opt/checkout"
    target.mkdir()
    for name in (*PROJECT, "requirements.lock"):
        copy = shutil.copytree if (TOP / name).is_dir() else shutil.copy2
        copy(TOP / name, target / name)
    done = machine.run("bash", "/opt/checkout/deploy/install.sh", timeout_s=900)
    if done.returncode:
        raise RuntimeError(f"install.sh failed: {done.stderr[-2000:]}")
    (machine.root / SETTINGS).write_text(PLANT)
    return Service(machine)


def trials(service: Service) -> dict[str, float | bool]:
    """What happened to it once."""
    killed = service.comes_back(service.signal("KILL"), within_s=60)
    frozen = service.comes_back(service.signal("STOP"), within_s=2 * WATCHDOG_S)
    settings = service.machine.root / SETTINGS
    settings.write_text(PLANT + "nonsense: 1\n")
    service.control("restart")
    time.sleep(5)  # two of its pauses between restarts
    given_up = service.state()[0] == "failed"
    settings.write_text(PLANT)
    service.control("start")
    well_again = service.state()[0] == "active"
    began = time.monotonic()
    service.control("stop")
    stopped_s = time.monotonic() - began
    ended = service.state()[0] == "inactive"  # and not `failed`: it ended by itself
    service.control("start")
    return {
        "back_after_kill_s": round(killed, 1),
        "back_after_freeze_s": round(frozen, 1),
        "broken_configuration_ends_it": given_up and well_again,
        "stop_s": round(stopped_s, 1),
        "ended_by_itself": ended,
    }


def soak(count: int | None) -> Finding:
    """Install once, and try it once, or `count` times."""
    began = time.monotonic()
    with booted() as machine:
        service = install(machine)
        service.control("start")
        found = [trials(service) for _ in range(count or 1)]
        service.control("stop")
        verified = machine.run("raceway", "log", "verify", f"/{SETTINGS}")
        security = machine.run("systemd-analyze", "security", "raceway", "--no-pager").stdout.split()
    worst: dict[str, float | bool] = {
        name: (min if isinstance(found[0][name], bool) else max)(each[name] for each in found) for name in found[0]
    }
    violations = sum(
        (
            worst["back_after_kill_s"] == float("inf"),
            worst["back_after_freeze_s"] == float("inf"),
            not worst["broken_configuration_ends_it"],
            not worst["ended_by_itself"],
            verified.returncode != 0,
        )
    )
    exposure = float(security[security.index("raceway.service:") + 1])
    facts = {"count": len(found), **worst, "log_is_whole": verified.returncode == 0, "exposure": exposure}
    seconds = round(time.monotonic() - began, 1)
    return Finding({**facts, "violations": violations, "seconds": seconds}, is_well=violations == 0)
