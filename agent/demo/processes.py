"""The two processes of the demonstration: the simulated plant, and the agent exactly as `raceway run` starts it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Self

Status = Mapping[str, Any]

AGENT = (sys.executable, "-c", "from agent.cli import main; main()", "run")
SIMULATOR = (sys.executable, "-m", "collectors.simulator")
START_S = 30.0
END_S = 10.0
BIND_S = 5.0  # an agent that runs has its port by then, or somebody else has


class DidNotWork(Exception):
    """A process did not start or ended by itself; the text says for people what happened and what to look at."""


class Child:
    """A process in a session of its own, so that Ctrl-C reaches us first; what it says goes to a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    @classmethod
    async def start(cls, name: str, *command: str, log: Path, answers: bool = False) -> Self:
        """Start it; nothing is known yet about whether it works. answers: we read its stdout and write its stdin."""
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE if answers else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if answers else file,
                stderr=file,
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def signal(self, number: Signals) -> None:
        """Send a signal, if it is still there."""
        if self.process.returncode is None:
            self.process.send_signal(number)

    def check(self) -> None:
        """Raise DidNotWork if it has ended."""
        if self.process.returncode is not None:
            raise self.failure(f"ended with code {self.process.returncode}")

    def failure(self, what: str) -> DidNotWork:
        """What happened, and the last lines that it wrote."""
        words = self.log.read_text(errors="replace").splitlines()[-12:]
        return DidNotWork("\n  ".join((f"{self.name} {what}. Its last words:", *words)))

    async def end(self, number: Signals = SIGTERM) -> int:
        """End it and wait; killed where it does not end in time. Returns the exit code."""
        self.signal(number)
        try:
            async with asyncio.timeout(END_S):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()
        except asyncio.CancelledError:
            self.process.kill()
            raise

    async def leave(self, why: type[BaseException] | None, *_: object) -> None:
        """End it when a block is left; where that was cancelled there is no time for manners."""
        if why is asyncio.CancelledError:
            self.signal(SIGKILL)
        await self.end()


class SimulatedPlant(Child):
    """The simulator, which emits between `say("run")` and `say("pause")`."""

    addresses: Mapping[str, str]

    @classmethod
    async def begin(cls, ledger: Path, *options: str, log: Path) -> Self:
        """Start it paused and wait until its servers answer. options: see `python -m collectors.simulator --help`."""
        command = (*SIMULATOR, "--ledger", str(ledger), "--paused", *options)
        plant = await cls.start("the simulator", *command, log=log, answers=True)
        try:
            plant.addresses = await plant._answer(START_S)
        except BaseException:
            plant.signal(SIGKILL)
            raise
        return plant

    async def say(self, command: str) -> Mapping[str, Any]:
        """Give it a command and wait for the answer."""
        assert self.process.stdin
        self.process.stdin.write(f"{command}\n".encode())
        return await self._answer(END_S + 5)

    async def _answer(self, within_s: float) -> Mapping[str, Any]:
        assert self.process.stdout
        try:
            async with asyncio.timeout(within_s):
                line = await self.process.stdout.readline()
        except TimeoutError:
            raise self.failure(f"has not answered for {within_s:.0f} s") from None
        if not line:
            await self.process.wait()
            self.check()
        answer: Mapping[str, Any] = json.loads(line)
        return answer


class Agent(Child):
    """A running `raceway run`."""

    data: Path

    @classmethod
    async def begin(cls, config: Path, *, data: Path, log: Path) -> Self:
        """Start it. data: the `data_dir` of the configuration."""
        data.joinpath("run.json").unlink(missing_ok=True)  # of an agent that was killed
        agent = await cls.start("the agent", *AGENT, str(config), log=log)
        agent.data = data
        return agent

    async def status(self) -> Status | None:
        """What it says of itself; None while it does not answer yet. Raises DidNotWork when it has ended."""
        self.check()
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> Status | None:
        try:
            address = self._note()["http"]
            with urllib.request.urlopen(f"{address}/api/status", timeout=3.0) as answer:  # noqa: S310 - our own agent
                status: Status = json.load(answer)
        except (OSError, ValueError, KeyError, urllib.error.URLError):
            return None
        return status

    def _note(self) -> Mapping[str, Any]:
        """What it writes for `raceway status`; raises OSError while it has not started."""
        note: Mapping[str, Any] = json.loads(self.data.joinpath("run.json").read_text())
        return note

    async def page(self, within_s: float = START_S, *, any_port: bool = False) -> str:
        """Wait until it serves its page; returns the address, "" where it runs but cannot have its port.

        any_port: it takes whichever is free, so that only time can be missing.
        """
        deadline = time.monotonic() + within_s
        refused = deadline
        while time.monotonic() < min(deadline, refused):
            if await self.status() is not None:
                return str(self._note()["http"])
            with contextlib.suppress(OSError):
                if not any_port and not self._note()["http"]:
                    refused = min(refused, time.monotonic() + BIND_S)
            await asyncio.sleep(0.1)
        if refused < deadline:
            return ""
        raise self.failure(f"serves no page after {within_s:.0f} s")
