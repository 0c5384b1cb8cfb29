"""`raceway test`: connect to every source and sink once, read each tag once, and show what came."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import orjson

from agent.commands import FAILED, OK
from agent.commands.check import loaded
from agent.commands.progress import Bar
from agent.commands.table import ago, local_time, printable, table
from agent.config import AgentConfig
from collectors.probe import Probe, TagProbe
from collectors.settings import Settings

MOST_TEXT = 40
HEADER = ("tag", "value", "unit", "type", "quality", "timestamp", "age")


def test_connections(path: Path, *, as_json: bool, timeout_s: float) -> int:
    """Try everything that the configuration names."""
    config = loaded(path, as_json=as_json)
    logging.disable(logging.CRITICAL)  # what the client libraries would say is in the probes
    probes = asyncio.run(_probe_all(config, timeout_s))
    now_ns = time.time_ns()
    if as_json:
        found = {"probes": [{**asdict(probe), "ok": probe.is_well} for probe in probes]}
        click.echo(orjson.dumps(found).decode())  # a value that is not a number becomes null
    else:
        tables = ["\n".join(_lines(probe, config.plant, now_ns)) for probe in probes]
        click.echo("\n\n".join(tables) or "nothing to connect to")
    return OK if all(probe.is_well for probe in probes) else FAILED


async def _probe_all(config: AgentConfig, timeout_s: float) -> list[Probe]:
    # Every room is imported before the first connection is made: an import takes longer than some answers.
    tries: list[tuple[Settings, Callable[..., Awaitable[Probe]]]] = [
        *((source, partial(_room(source), plant=config.plant)) for source in config.sources),
        *((sink, _room(sink)) for sink in config.sinks),
    ]
    return await _with_progress([_probe(settings, probe, timeout_s) for settings, probe in tries])


def _room(settings: Settings) -> Callable[..., Awaitable[Probe]]:
    """The probe of the room that the settings belong to: its `probe.py` lies beside its `config.py`."""
    module = importlib.import_module(type(settings).__module__.removesuffix("config") + "probe")
    probe: Callable[..., Awaitable[Probe]] = module.probe
    return probe


async def _probe(settings: Settings, probe: Callable[..., Awaitable[Probe]], timeout_s: float) -> Probe:
    try:
        return await probe(settings, timeout_s=timeout_s)
    except Exception as error:  # a peer can break a client library in any way; the others still want their turn
        name, kind, url = (str(getattr(settings, key, "")) for key in ("name", "kind", "url"))
        return Probe(name, kind, url, trouble=f"the attempt failed: {type(error).__name__}: {error}")


async def _with_progress(jobs: Sequence[Awaitable[Probe]]) -> list[Probe]:
    """Run all at once, and say how many have answered."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    pending = set(tasks)
    with Bar("connecting") as bar:
        while pending:
            _, pending = await asyncio.wait(pending, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
            bar.show(len(tasks) - len(pending), len(tasks))
    return [task.result() for task in tasks]


def _lines(probe: Probe, plant: str, now_ns: int) -> list[str]:
    lines = [f"{probe.name} ({probe.kind}) {probe.address}: {'FAILED' if probe.trouble else 'connected'}"]
    if probe.trouble:
        lines.append(f"  → {printable(probe.trouble)}")
    lines += [f"  {printable(key)}: {printable(fact)}" for key, fact in (probe.facts or {}).items() if fact]
    if probe.tags and not probe.trouble:
        head, *rows = table(HEADER, [_row(tag, plant, now_ns) for tag in probe.tags], right=("value", "age"))
        lines.append("  " + head)
        for tag, row in zip(probe.tags, rows, strict=True):
            lines.append("  " + row)
            if tag.trouble:
                lines.append(f"    → {printable(tag.trouble)} ({printable(tag.address)})")
        bad = sum(bool(tag.trouble) for tag in probe.tags)
        lines.append(f"  {len(probe.tags) - bad} of {len(probe.tags)} tags are well")
    return lines


def _row(tag: TagProbe, plant: str, now_ns: int) -> tuple[str, ...]:
    name = tag.tag.removeprefix(f"{plant}/")
    return name, _shown(tag.value), tag.unit, tag.type, _quality(tag), local_time(tag.t_ns), ago(tag.t_ns, now_ns)


def _shown(value: float | str | None) -> str:
    match value:
        case None:
            return ""
        case str():
            return value if len(value) <= MOST_TEXT else value[:MOST_TEXT] + "…"
    return f"{value:.10g}"


def _quality(tag: TagProbe) -> str:
    if tag.value is None and not tag.t_ns and not tag.quality:
        return ""
    severity = ("Good", "Uncertain", "Bad", "Bad")[tag.quality >> 30]
    return severity if tag.quality == 0 else f"{severity} 0x{tag.quality:08X}"
