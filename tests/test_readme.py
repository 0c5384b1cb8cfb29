"""README.md, done literally by a newcomer."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from asyncua import Client, Node
from asyncua.client.ua_client import UaClient

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")
WRITES = ("write_value", "write_attribute", "call_method", "uaclient.write", "uaclient.call")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout after one of the two commands."""
    subprocess.run(["cp", "-r", TOP / "config", tmp_path], check=True)
    command = tmp_path / ".venv" / "bin" / "raceway"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from agent.cli import main; main()' \"$@\"\n")
    command.chmod(0o755)
    return tmp_path


def steps(heading: str) -> list[list[str]]:
    """The commands of the shell block below a heading."""
    section = README.split(f"## {heading}\n")[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [shlex.split(line) for line in block[1].splitlines()]


def walk(step: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        step, cwd=folder, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(TOP)}
    )


@pytest.mark.slow
def test_the_first_real_machine(checkout: Path) -> None:
    """Copy, check, test and run as they stand there; nobody answers here, so `test` says so and `run` waits."""
    copy, rename, check, test, run = steps("The first real machine")
    assert 0 == walk(copy, checkout).returncode
    assert 0 == walk(rename, checkout).returncode
    fresh = walk(check, checkout)
    assert 0 == fresh.returncode, fresh.stdout
    assert "sources: machines (10 signals), meters (5 signals)" in fresh.stdout

    plant = checkout / check[-1]
    assert (plant.parent / "plant.schema.json").exists()
    text = re.sub(r"192\.168\.1\.\d+:\d+", "127.0.0.1:1", plant.read_text(encoding="utf-8"))  # step 1: the addresses
    text = text.replace("data_dir: /var/lib/raceway", "data_dir: data").replace("127.0.0.1:8484", "127.0.0.1:0")
    plant.write_text(text, encoding="utf-8")
    assert 0 == walk(check, checkout).returncode

    tried = walk(test, checkout)
    assert 1 == tried.returncode
    assert 2 == tried.stdout.count("FAILED"), tried.stdout + tried.stderr

    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    with subprocess.Popen(run, cwd=checkout, stderr=subprocess.PIPE, text=True, env=environment) as agent:
        assert agent.stderr is not None
        assert any("agent.started" in line for line in agent.stderr)
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=20)
    assert 0 == agent.returncode
    assert (plant.parent / "data" / "log").is_dir()


def test_the_agent_never_writes_to_a_machine() -> None:
    """The command that README names for it finds nothing, and both languages name the same."""
    assert 1 == walk(search(), TOP).returncode
    assert " ".join(search()) in (TOP / "README.zh-CN.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("call", WRITES)
def test_a_write_would_be_found(call: str, tmp_path: Path) -> None:
    """The same command finds each way that the library has of writing to a server."""
    for folder in ("collectors/opcua", "collectors/mqtt", "agent"):
        tmp_path.joinpath(folder).mkdir(parents=True)
    tmp_path.joinpath("collectors", "opcua", "planted.py").write_text(f"await client.{call}(1)\n")

    assert f"client.{call}" in walk(search(), tmp_path).stdout
    assert any(hasattr(owner, call.split(".")[-1]) for owner in (Client, Node, UaClient))


def search() -> list[str]:
    [command] = re.findall(r"`(grep [^`]+)`", README)
    return shlex.split(command)
