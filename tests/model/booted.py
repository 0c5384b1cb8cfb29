"""A copy of this machine in memory that boots with its own systemd, for tests of the unit. Needs root and nspawn."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.soak.finding import Missing

NEEDED = ("systemd-nspawn", "nsenter", "mount", "umount")
UNWANTED = ("postgresql", "mosquitto", "avahi-daemon", "upower", "cron")  # of this machine; not in its copy
BOOT_S = 60.0


class Machine:
    """A booted copy. `run` executes a command in it."""

    def __init__(self, root: Path, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self._process = process
        self._init = 0

    def wait_until_booted(self) -> None:
        """Until systemd says that it runs, all units well or not."""
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and self._process.poll() is None:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            if children:
                self._init = int(children[0])
                if self.run("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}:
                    return
            time.sleep(0.5)
        raise Missing("systemd did not boot in a container here")

    def run(self, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command as root of the copy."""
        inside = ("nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-r", "-w")
        path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            [*inside, "env", path, *command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """Power it off."""
        self._process.terminate()  # nspawn asks the init of the copy to halt
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


@contextmanager
def booted() -> Iterator[Machine]:
    """A booted copy; what happens in it is forgotten. Raises Missing where there can be none."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking or os.geteuid() != 0:
        raise Missing(f"needs root and {', '.join(lacking or NEEDED)} (Debian: apt install systemd-container)")
    with tempfile.TemporaryDirectory(prefix="raceway-machine-") as name, _copy_of_this_machine(Path(name)) as root:
        command = ["systemd-nspawn", "-D", str(root), "--boot", "--register=no", "--keep-unit", "--console=pipe"]
        with (Path(name) / "boot.log").open("wb") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        machine = Machine(root, process)
        try:
            machine.wait_until_booted()
            yield machine
        finally:
            machine.close()


@contextmanager
def _copy_of_this_machine(folder: Path) -> Iterator[Path]:
    """Its files, with every change kept in memory."""
    changes, root = folder / "changes", folder / "root"
    changes.mkdir()
    root.mkdir()
    _mount("-t", "tmpfs", "-o", "size=3G", "raceway-machine", changes)
    try:
        (changes / "upper").mkdir()
        (changes / "work").mkdir()
        layers = f"lowerdir=/,upperdir={changes / 'upper'},workdir={changes / 'work'}"
        _mount("-t", "overlay", "-o", layers, "raceway-machine", root)
        try:
            (root / "etc/machine-id").write_text("")  # a machine of its own
            for unit in UNWANTED:
                link = root / f"etc/systemd/system/{unit}.service"
                link.unlink(missing_ok=True)
                link.symlink_to("/dev/null")
            yield root
        finally:
            subprocess.run(["umount", "--recursive", root], check=False, timeout=60)
    finally:
        subprocess.run(["umount", changes], check=False, timeout=60)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=60)
