"""deploy/install.sh, tried into an empty folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
NEEDED = (
    "agent",
    "collectors",
    "config",
    "deploy",
    "scripts",
    "README.md",
    "LICENSE",
    "pyproject.toml",
    "requirements.lock",
)
NEW = (
    "opt/raceway/bin/raceway",
    "etc/raceway/plant.yaml",
    "etc/raceway/plant.schema.json",
    "etc/raceway/secrets",
    "etc/raceway/tags/turning.csv",
    "etc/raceway/factors/register.csv",
)
UNIT = "etc/systemd/system/raceway.service"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, so that nobody changes it meanwhile."""
    top = tmp_path / "checkout"
    top.mkdir()
    subprocess.run(["cp", "-r", *NEEDED, top], cwd=TOP, check=True, timeout=120)
    return top


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder to install into."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def install(checkout: Path, root: Path, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "deploy" / "install.sh", "--root", root, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=root,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_install_upgrade_uninstall(checkout: Path, root: Path) -> None:
    """A first run lays everything; a second keeps what belongs to the plant; the removal keeps settings and data."""
    first = install(checkout, root, timeout_s=600)
    assert 0 == first.returncode, first.stderr
    assert [] == [name for name in (*NEW, UNIT) if not (root / name).exists()]
    assert 0o700 == (root / "etc/raceway/secrets").stat().st_mode & 0o777
    assert "/opt/raceway/bin/raceway" == str((root / "usr/local/bin/raceway").readlink())

    answer = subprocess.run(
        [root / "opt/raceway/bin/raceway", "--help"], capture_output=True, text=True, cwd="/", timeout=120
    )
    assert 0 == answer.returncode, answer.stderr

    checked = subprocess.run(
        [root / "opt/raceway/bin/raceway", "check", root / "etc/raceway/plant.yaml"], capture_output=True, timeout=120
    )
    assert 0 == checked.returncode, checked.stdout

    settings = root / "etc/raceway/plant.yaml"
    settings.write_text("plant: mine\n", encoding="utf-8")
    data = root / "var/lib/raceway/log"
    data.mkdir(parents=True)
    second = install(checkout, root, timeout_s=120)
    assert 0 == second.returncode, second.stderr
    assert "plant: mine\n" == settings.read_text(encoding="utf-8")
    assert f"kept    {root}/opt/raceway" in second.stderr

    removed = install(checkout, root, "--uninstall", timeout_s=120)
    assert 0 == removed.returncode, removed.stderr
    assert (True, True) == (settings.exists(), data.exists())
    assert (False, False) == ((root / "opt/raceway").exists(), (root / UNIT).exists())
    assert str(settings.parent) in removed.stderr


def test_a_gateway_gets_no_simulated_broker() -> None:
    """What is installed is locked in requirements.lock, where the demonstration's broker is not."""
    assert "requirements.lock" in (TOP / "deploy" / "install.sh").read_text(encoding="utf-8")
    assert "amqtt" not in (TOP / "requirements.lock").read_text(encoding="utf-8")


def test_unknown_option_is_explained(root: Path) -> None:
    """A wrong option ends with code 2 and the usage."""
    answer = install(TOP, root, "--unistall", timeout_s=120)

    assert 2 == answer.returncode
    assert "--uninstall" in answer.stderr
