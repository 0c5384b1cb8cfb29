"""`raceway check`, and how every command reads its configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from agent.commands import OK, WRONG
from agent.config import AgentConfig, check
from agent.onboarding.problems import ConfigErrors, Problem, Severity

MOST_SHOWN = 100


def check_file(path: Path, *, as_json: bool) -> int:
    """Say everything that is wrong with a configuration, or what it will do."""
    config: AgentConfig | None = None
    try:
        config, problems = check(path)
    except ConfigErrors as errors:
        problems = errors.problems
    if as_json:
        click.echo(json.dumps(_as_json(config, problems), ensure_ascii=False))
    else:
        _echo(problems)
        click.echo(_summary(path, config, problems))
    return WRONG if config is None else OK


def loaded(path: Path, *, as_json: bool = False) -> AgentConfig:
    """The configuration at `path`, for the other commands; ends the program with what is wrong with it.

    as_json: whether the command's answer is JSON; then a refusal is the same object as that of `raceway check --json`.
    """
    try:
        config, warnings = check(path)
    except ConfigErrors as errors:
        _echo(errors.problems, err=True)
        click.echo(_summary(path, None, errors.problems), err=True)
        if as_json:
            click.echo(json.dumps(_as_json(None, errors.problems), ensure_ascii=False))
        raise SystemExit(WRONG) from None
    _echo(warnings, err=True)
    return config


def _echo(problems: Sequence[Problem], *, err: bool = False) -> None:
    for problem in problems[:MOST_SHOWN]:
        click.echo(str(problem), err=err)
    if len(problems) > MOST_SHOWN:
        click.echo(f"... and {len(problems) - MOST_SHOWN} more; `raceway check --json` lists them all", err=err)


def _summary(path: Path, config: AgentConfig | None, problems: Sequence[Problem]) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    counts = [_count(errors, "error")] * bool(errors) + [_count(warnings, "warning")] * bool(warnings)
    if config is None:
        return f"{path}: {', '.join(counts)}"
    sources = [f"{source.name} ({_count(len(list(source.declared())), 'signal')})" for source in config.sources]
    parts = [f"plant {config.plant}", "sources: " + (", ".join(sources) or "none")]
    parts.append("sinks: " + (", ".join(sink.name for sink in config.sinks) or "none"))
    return f"{path}: {', '.join(counts) or 'no problem'}; {'; '.join(parts)}"


def _as_json(config: AgentConfig | None, problems: Sequence[Problem]) -> dict[str, object]:
    found: dict[str, object] = {"ok": config is not None, "problems": [problem.as_json() for problem in problems]}
    if config is not None:
        found["plant"] = config.plant
        found["sources"] = [
            {"name": source.name, "kind": source.kind, "signals": len(list(source.declared()))}
            for source in config.sources
        ]
        found["sinks"] = [{"name": sink.name, "kind": sink.kind} for sink in config.sinks]
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
