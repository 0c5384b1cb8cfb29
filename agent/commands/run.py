"""`raceway run`: the agent, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from agent import app, telemetry
from agent.commands import OK
from agent.commands.check import loaded
from agent.config import AgentConfig


def run_agent(path: Path) -> int:
    """Run with the configuration at `path`; SIGTERM and SIGINT end it."""
    config = loaded(path)
    telemetry.configure(level=config.log.level, format=config.log.format)
    asyncio.run(_until_stopped(config))
    return OK


async def _until_stopped(config: AgentConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await app.run(config, stop=stop)
