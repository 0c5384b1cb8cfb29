"""deploy/install.sh, tried into an empty folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
NEW = ("opt/raceway/bin/raceway", "etc/raceway/plant.yaml", "etc/raceway/plant.schema.json", "etc/raceway/secrets")
UNIT = "etc/systemd/system/raceway.service"


def install(root: Path, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOP / "deploy" / "install.sh", "--root", root, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=root,
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_install_upgrade_uninstall(tmp_path: Path) -> None:
    """A first run lays everything; a second keeps what belongs to the plant; the removal keeps settings and data."""
    first = install(tmp_path)
    assert 0 == first.returncode, first.stderr
    assert [] == [name for name in (*NEW, UNIT) if not (tmp_path / name).exists()]
    assert 0o700 == (tmp_path / "etc/raceway/secrets").stat().st_mode & 0o777
    assert "/opt/raceway/bin/raceway" == str((tmp_path / "usr/local/bin/raceway").readlink())

    answer = subprocess.run(
        [tmp_path / "opt/raceway/bin/raceway", "--help"], capture_output=True, text=True, cwd="/", timeout=60
    )
    assert 0 == answer.returncode, answer.stderr

    settings = tmp_path / "etc/raceway/plant.yaml"
    settings.write_text("plant: mine\n", encoding="utf-8")
    data = tmp_path / "var/lib/raceway/log"
    data.mkdir(parents=True)
    second = install(tmp_path, timeout_s=30)
    assert 0 == second.returncode, second.stderr
    assert "plant: mine\n" == settings.read_text(encoding="utf-8")
    assert f"kept    {tmp_path}/opt/raceway" in second.stderr

    removed = install(tmp_path, "--uninstall", timeout_s=30)
    assert 0 == removed.returncode, removed.stderr
    assert (True, True) == (settings.exists(), data.exists())
    assert (False, False) == ((tmp_path / "opt/raceway").exists(), (tmp_path / UNIT).exists())
    assert str(settings.parent) in removed.stderr


def test_unknown_option_is_explained(tmp_path: Path) -> None:
    """A wrong option ends with code 2 and the usage."""
    answer = install(tmp_path, "--unistall", timeout_s=30)

    assert 2 == answer.returncode
    assert "--uninstall" in answer.stderr
