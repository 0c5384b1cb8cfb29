"""The configuration of the simulated plant: a good example to read, and to start one's own from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from collectors.simulator.meters import MEDIA
from collectors.simulator.opcua_server import node_id
from collectors.simulator.plant import NAME, Plant

MACHINES, METERS, INFLUX = "machines", "meters", "influx"  # the names of the sources and the sink


@dataclass(frozen=True, slots=True)
class Influx:
    """An InfluxDB to stream to."""

    url: str
    org: str
    bucket: str
    token_file: Path


def write_files(directory: Path, *, opcua: str, mqtt: str, listen: str, influx: Influx | None = None) -> Path:
    """Write plant.yaml and tags/machines.csv into the directory; returns the path of plant.yaml.

    opcua, mqtt: the addresses of the servers.  listen: where the page is served.
    """
    directory.joinpath("tags").mkdir(parents=True, exist_ok=True)
    _write_tags(directory / "tags" / "machines.csv")
    path = directory / "plant.yaml"
    path.write_text(_plant(opcua=opcua, mqtt=mqtt, listen=listen) + _sinks(influx), encoding="utf-8")
    return path


def _write_tags(path: Path) -> None:
    """The machines' variables as a tag list, with the byte order mark that Excel wants to see."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("area", "line", "machine", "signal", "node", "unit", "kind", "description"))
        for machine in Plant(seed=0).machines:
            for signal in machine.signals:
                node = node_id(machine.name, signal.name)
                place = (machine.area, machine.line, machine.name)
                rows.writerow((*place, signal.name, node, signal.unit, signal.kind, machine.title))


def _plant(*, opcua: str, mqtt: str, listen: str) -> str:
    return f"""\
# The simulated bearing plant. Check it with: raceway check plant.yaml
plant: {NAME}
data_dir: data # the durable log and the local history

sources:
  - kind: opcua
    name: {MACHINES}
    url: {opcua}
    tags_from: [tags/machines.csv] # one row for each variable; opens in Excel

  - kind: mqtt
    name: {METERS}
    url: {mqtt}
    protocol: "3.1.1" # the simulator's broker speaks no MQTT 5; without this line the agent finds out by itself
    mappings:
{_mappings()}
history: {{commit_s: 1}} # so that the last values are counted soon
dashboard: {{listen: "{listen}"}}
"""


def _mappings() -> str:
    """One mapping for each medium: the topic says where the meter is, the payload what it shows."""
    text = ""
    for medium, keys in MEDIA.items():
        text += f'      - topic: "plant/{{area}}/{{line}}/{{machine}}/{medium}"\n'
        text += "        time: {path: ts, format: epoch_ms}\n"
        if medium == "energy":
            text += "        ct: 1 # the meters report what flows on the primary side of their transformers\n"
            text += "        pt: 1\n"
            text += "        side: primary\n"
        text += "        signals:\n"
        for key in keys:
            text += f'          - {{signal: {key.signal}, path: {key.path}, unit: "{key.unit}", kind: {key.kind}}}\n'
    return text


def _sinks(influx: Influx | None) -> str:
    if influx is None:
        return ""
    return f"""
sinks:
  - kind: influxdb
    name: {INFLUX}
    url: {influx.url}
    org: "{influx.org}"
    bucket: "{influx.bucket}"
    token_file: {influx.token_file.absolute()}
"""
