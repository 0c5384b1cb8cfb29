"""The Grafana dashboard: a sound document, and queries that a real InfluxDB answers."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.metrics import Measurements
from agent.status import Board, SinkStatus

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "raceway.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
CHARTS = [panel for panel in PANELS if panel["type"] != "row"]
QUERIES = [pytest.param(target["query"], id=panel["title"]) for panel in CHARTS for target in panel["targets"]]
UNITS = {"short", "kwatt", "kwatth", "suffix: m³/h", "cps", "bytes", "ms", "decmbytes", "percent"}


def test_dashboard_is_fresh() -> None:
    """The committed document is what the script makes."""
    made = subprocess.run([sys.executable, GRAFANA / "dashboard.py"], capture_output=True, text=True, timeout=60)

    assert (GRAFANA / "dashboards" / "raceway.json").read_text(encoding="utf-8") == made.stdout


def test_panel_ids_are_unique() -> None:
    """Grafana tells panels apart by their ids."""
    ids = [panel["id"] for panel in PANELS]

    assert sorted(set(ids)) == sorted(ids)


def test_panels_do_not_overlap() -> None:
    """No two panels share a cell of the grid, and none leaves its 24 columns."""
    cells = {
        panel["title"]: {
            (x, y)
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        for panel in PANELS
    }

    assert [] == [(a, b) for a, b in combinations(cells, 2) if cells[a] & cells[b]]
    assert max(x for each in cells.values() for x, _ in each) < 24


def test_one_data_source() -> None:
    """Every panel, query and variable reads the data source that the provisioning file makes."""
    provisioned = yaml.safe_load((GRAFANA / "provisioning/datasources/raceway.yaml").read_text(encoding="utf-8"))
    uid = provisioned["datasources"][0]["uid"]
    used = [holder["datasource"]["uid"] for panel in CHARTS for holder in [panel, *panel["targets"]]]
    used += [variable["datasource"]["uid"] for variable in DASHBOARD["templating"]["list"]]

    assert {uid} == set(used)


def test_titles_speak_both_languages() -> None:
    """Every title has Chinese and English words."""
    titles = [panel["title"] for panel in PANELS] + [variable["label"] for variable in DASHBOARD["templating"]["list"]]

    assert [] == [title for title in titles if title.isascii() or not any(letter.isascii() for letter in title)]


def test_units_are_known() -> None:
    """Every panel's unit is one that Grafana knows by this name."""
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in CHARTS} <= UNITS


def test_agent_panels_show_what_the_agent_measures() -> None:
    """Every field of the agent's panels is a signal that the agent delivers about itself."""
    measure = Measurements(Board(sinks={"influx": SinkStatus(kind="influxdb")}))
    measure()
    signals = {point.series.signal for point in measure()}
    shown = {
        word
        for panel in CHARTS
        for target in panel["targets"]
        if "'raceway'" in target["query"]
        for word in target["query"].split('"')[1::2]
    } - {"raceway", "plant", "machine"}

    assert shown
    assert shown <= signals
