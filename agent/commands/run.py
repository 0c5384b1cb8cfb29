"""`raceway run`: the agent, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import click

from agent import app, telemetry
from agent.commands import FAILED, OK
from agent.commands.check import loaded
from agent.config import AgentConfig
from agent.store import Locked
from agent.store.writer import StoreFailed


def run_agent(path: Path) -> int:
    """Run with the configuration at `path`; SIGTERM and SIGINT end it."""
    config = loaded(path)
    telemetry.configure(level=config.log.level, format=config.log.format)
    try:
        return _run(config)
    except Locked as locked:
        click.echo(str(locked), err=True)
        return FAILED
    except OSError as error:
        click.echo(f"the agent cannot keep its data in {config.data_dir}: {error.strerror}", err=True)
        click.echo(f"    → let this account write there, or set another data_dir ({error})", err=True)
        return FAILED


def _run(config: AgentConfig) -> int:
    """FAILED where the log has failed: the service manager starts the agent again, and sources send again."""
    result = OK
    try:
        asyncio.run(_until_stopped(config))
    except* StoreFailed:
        click.echo("the log on disk has failed by a fault of Raceway; the journal has it as store.failed", err=True)
        result = FAILED
    return result


async def _until_stopped(config: AgentConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await app.run(config, stop=stop, on_page=_say_where if sys.stderr.isatty() else lambda _: None)


def _say_where(address: str) -> None:
    click.echo(f"the page: {address}", err=True)
