"""Listen to a broker for a while, and write what was heard as a configuration to edit."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Sequence

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.link import VERSIONS, Link, dial
from collectors.mqtt.packets import Block
from collectors.mqtt.survey import Found, Seen, Survey

COMMENT_WIDTH = 150


async def listen(config: MqttConfig, *, topics: Sequence[str], for_s: float) -> Survey:
    """Hear everything on these topics, at QoS 0, without a session, under a name of our own. Raises SourceLost."""
    survey = Survey()

    def take(_link: Link, block: Block) -> None:
        for topic, payload in zip(block.messages.topics, block.messages.payloads, strict=True):
            survey.hear(topic.decode("utf-8", "backslashreplace"), payload)

    client_id = f"raceway-discover-{os.getpid()}"
    link, _ = await dial(config, client_id=client_id, versions=VERSIONS[config.protocol], clean=True, on_block=take)
    try:
        await link.subscribe(topics, 0)
        await asyncio.wait({link.lost}, timeout=for_s)
        if link.lost.done():
            link.lost.result()
    finally:
        link.close()
    return survey


def as_yaml(survey: Survey, *, url: str, for_s: float) -> str:
    """A configuration with one mapping for each kind of message; every name and unit is there to be edited."""
    kinds = survey.found(now_ns=time.time_ns())
    lines = [
        f"# {survey.messages} messages in {for_s:g} s. Edit names, units and kinds; then: raceway check, raceway test",
        "plant: my-bearing-plant",
        "sources:",
        "  - kind: mqtt",
        "    name: meters",
        f"    url: {_written(url)}",
    ]
    if survey.unread:
        lines.append(f"    # {survey.unread} messages are neither JSON nor text, and are not shown here")
    if survey.sparkplug:
        lines.append(f"    sparkplug: {{}} # {survey.sparkplug} messages were Sparkplug B")
    if kinds:
        lines.append("    mappings:")
    for kind in kinds:
        lines += _mapping(kind, for_s)
    return "\n".join(lines) + "\n"


def _mapping(kind: Found, for_s: float) -> list[str]:
    sample = " ".join(kind.sample.split())[:COMMENT_WIDTH]
    lines = [
        f"      # {kind.topics} topics, {kind.messages / for_s:.3g} messages/s, for example: {sample}",
        f"      - topic: {_written(kind.template)}",
    ]
    if kind.profile:
        return [
            lines[0],
            f"      - profile: {kind.profile} # it looks like one ({kind.template}); what you write is laid over it",
            "        # ct: 1, pt: 1, side: primary (or secondary) must be said where the profile does not say them",
        ]
    if kind.machine:
        lines.append(f"        machine: {_written(kind.machine)}")
    if kind.only is not None:
        lines.append(f"        only: {{{_written(kind.only[0])}: {_written(kind.only[1])}}}")
    if kind.payload != "json":
        lines.append(f"        payload: {kind.payload}")
    if kind.time is not None:
        lines.append(f"        time: {{path: {_written(kind.time[0])}, format: {_written(kind.time[1])}}}")
    lines.append("        signals:")
    taken: set[str] = set()
    lines += [f"          - {_signal(seen, taken)}" for seen in kind.values]
    return lines if kind.values else [f"      # nothing to read: {line.strip()}" for line in lines[:2]]


def _signal(seen: Seen, taken: set[str]) -> str:
    name = re.sub(r"[^\w]+", "_", seen.path.replace(".value", "").split(".")[-1]).strip("_") or "value"
    if name in taken:
        name = re.sub(r"[^\w]+", "_", seen.path).strip("_")
    while name in taken:
        name += "_"
    taken.add(name)
    settings = {"signal": _written(name), "path": _written(seen.path)}
    comment = ""
    if "text" in seen.kinds:
        settings["kind"] = "text"
    elif seen.kinds == {"bool"}:
        settings |= {"kind": "state", "type": "bool"}
    elif seen.only_rises:
        comment = " # only rises: a counter? then say kind: counter and its unit"
    return "{" + ", ".join(f"{key}: {value}" for key, value in settings.items()) + "}" + comment


def _written(text: str) -> str:
    """A text as YAML that reads the same everywhere."""
    return (
        text
        if re.fullmatch(r"[A-Za-z_][\w.-]*", text, re.ASCII) and text.lower() not in _WORDS
        else json.dumps(text, ensure_ascii=False)
    )


_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
