"""The Grafana dashboard: a sound document, and queries that a real InfluxDB answers."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.metrics import Measurements
from agent.status import Board, SinkStatus
from tests.servers.influxdb import BUCKET, ORG, RealInfluxDB, real_influxdb

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


MINUTES = 120
START_S = 1_790_000_000 // 3600 * 3600


OWN_FIELDS = (
    "points_per_s=900,influx_pending_points=3,sources_connected=2,log_bytes=4096,"
    "commit_ms=2,loop_lag_ms=1,rss_mb=80,cpu_percent=3"
)


def lines() -> list[str]:
    """Two hours of a small plant in line protocol, in the data model of the InfluxDB sink."""
    tags = "plant=一厂,area=车间,line=l1,machine"
    rows = []
    for minute in range(MINUTES):
        t_ns = (START_S + 60 * minute) * 10**9
        rows += [
            f"raceway,{tags}=cnc-1 state={minute % 5},active_power=7.5,active_energy={minute * 2.0} {t_ns}",
            f"raceway,{tags}=gas-1 flow=12.5 {t_ns}",
            f"raceway,plant=一厂,machine=raceway {OWN_FIELDS} {t_ns}",
        ]
    return [*rows, f'raceway,plant=一厂,machine=meters gap="{{}}" {t_ns}']


@pytest.fixture(scope="module")
def database() -> Iterator[RealInfluxDB]:
    """An InfluxDB that holds the two hours."""
    with real_influxdb() as server:
        request = urllib.request.Request(
            f"{server.url}/api/v2/write?org={ORG}&bucket={BUCKET}&precision=ns",
            "\n".join(lines()).encode(),
            {"Authorization": f"Token {server.write_token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert 204 == answer.status
        yield server


def filled(query: str, *, machine: str = ".*") -> str:
    """The query as Grafana sends it: the time range, the interval and the choices put in."""
    span = f"time >= {START_S}s AND time <= {START_S + 60 * MINUTES}s"
    choices = {"$timeFilter": span, "$__interval": "1m", "$plant": "一厂", "$machine": machine}
    for name, value in choices.items():
        query = query.replace(name, value)
    return query


@pytest.mark.real("influxd")
@pytest.mark.parametrize("query", QUERIES)
def test_query_answers(database: RealInfluxDB, query: str) -> None:
    """A real InfluxDB understands the query of every panel and has rows for it."""
    assert database.influxql(filled(query))


@pytest.mark.real("influxd")
def test_energy_is_what_the_counter_rose_by(database: RealInfluxDB) -> None:
    """The bars of energy add up to the rise of the counter, across the edge of the hour too."""
    (query,) = (panel["targets"][0]["query"] for panel in CHARTS if "Energy" in panel["title"])
    rows = database.influxql(filled(query, machine="(cnc-1|gas-1)"))

    assert [60 * 2.0 - 2.0, 60 * 2.0] == [row["sum"] for row in rows]


@pytest.mark.real("influxd")
@pytest.mark.parametrize("variable", DASHBOARD["templating"]["list"], ids=lambda variable: variable["name"])
def test_choices_are_filled(database: RealInfluxDB, variable: dict[str, Any]) -> None:
    """The choices at the top of the page come from the tags."""
    found = {row["value"] for row in database.influxql(variable["query"])}

    assert found & {"一厂", "cnc-1"}
