"""`raceway discover mqtt`: what a broker carries, as a configuration to edit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import click
from pydantic import ValidationError

from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from collectors.mqtt.config import MqttConfig
from collectors.mqtt.discover import as_yaml, listen
from collectors.source import SourceLost


def discover_mqtt(target: str, *, source: str, out: Path | None, topics: Sequence[str], for_s: float) -> int:
    """Listen to a broker and write what was heard.

    target: an address, or a configuration file whose source has the account and the certificates.
    """
    config = _source(target, source)
    logging.disable(logging.CRITICAL)
    click.echo(f"listening to {config.url} for {for_s:g} s", err=True)
    try:
        survey = asyncio.run(listen(config, topics=topics, for_s=for_s))
    except SourceLost as lost:
        click.echo(lost.reason, err=True)
        return FAILED
    text = as_yaml(survey, url=config.url, for_s=for_s)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    click.echo(f"{survey.messages} messages heard", err=True)
    return OK if survey.messages else FAILED


def _source(target: str, name: str) -> MqttConfig:
    """The broker to listen to; ends the program where there is none."""
    if "://" in target:
        try:
            return MqttConfig.model_validate({"kind": "mqtt", "name": "discover", "url": target, "sparkplug": {}})
        except ValidationError as error:
            click.echo(error.errors()[0]["msg"].removeprefix("Value error, "), err=True)
            raise SystemExit(WRONG) from None
    sources = [one for one in loaded(Path(target)).sources if isinstance(one, MqttConfig)]
    named = [one for one in sources if one.name == name] if name else sources
    if len(named) != 1:
        names = ", ".join(one.name for one in sources) or "none"
        click.echo(f"say which MQTT source with --source; {target} has: {names}", err=True)
        raise SystemExit(WRONG)
    return named[0]
