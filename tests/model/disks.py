"""Real filesystems that a test may break: ext4 in a file behind a loop device, and a small tmpfs. They need root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.soak.finding import Missing

FS_IOC_SHUTDOWN = 0x8004587D  # linux/fs.h; ext4 and xfs
NO_LOG_FLUSH = (2).to_bytes(4, "little")  # as a power cut: what the journal has not written is gone
SECTOR_BYTES = 512  # of /sys/block/*/stat, whatever the device's own


class Ext4:
    """An ext4 filesystem with its default journal on a loop device."""

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self.path = folder / "mounted"
        self.path.mkdir()
        image = folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", str(image))
        self.device = _run("losetup", "--find", "--show", str(image)).strip()
        self._is_mounted = False

    def mount(self) -> None:
        """Mount; replays the journal if need be."""
        _run("mount", "-t", "ext4", self.device, str(self.path))
        self._is_mounted = True

    def cut_power(self) -> None:
        """From now on nothing reaches the disk, and what was not synced is lost."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(handle)

    def unmount(self) -> None:
        """Let go of the filesystem; the device stays."""
        if self._is_mounted:
            _run("umount", str(self.path))
            self._is_mounted = False

    def bytes_written(self) -> int:
        """That have reached the device since it was made, everything synced."""
        os.sync()
        stat = Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()
        return int(stat[6]) * SECTOR_BYTES

    def close(self) -> None:
        """Unmount and free the device."""
        self.unmount()
        _run("losetup", "--detach", self.device)


@contextmanager
def ext4(*, megabytes: int = 64) -> Iterator[Ext4]:
    """A fresh filesystem. Raises Missing where there can be none."""
    _need("mkfs.ext4", "losetup", "mount", "umount")
    with tempfile.TemporaryDirectory(prefix="raceway-ext4-", ignore_cleanup_errors=True) as folder:
        disk = Ext4(Path(folder), megabytes=megabytes)
        try:
            disk.mount()
            yield disk
        finally:
            disk.close()


@contextmanager
def tmpfs(*, kilobytes: int) -> Iterator[Path]:
    """A small filesystem in memory. Raises Missing where there can be none."""
    _need("mount", "umount")
    with tempfile.TemporaryDirectory(prefix="raceway-tmpfs-") as folder:
        _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder)
        try:
            yield Path(folder)
        finally:
            _run("umount", folder)


def _need(*commands: str) -> None:
    lacking = [name for name in commands if shutil.which(name, path=_PATH) is None]
    if lacking:
        raise Missing(f"{', '.join(lacking)} not found")
    if os.geteuid() != 0:
        raise Missing("needs root, to mount a filesystem of its own")


def _run(*command: str) -> str:
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, "PATH": _PATH}, timeout=60
        )
    except subprocess.CalledProcessError as error:
        raise Missing(f"{' '.join(command)} failed: {error.stderr.strip()}") from error
    return done.stdout


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
