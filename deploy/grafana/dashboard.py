"""Makes the Grafana dashboard: `python deploy/grafana/dashboard.py > deploy/grafana/dashboards/raceway.json`.

InfluxQL, because InfluxDB 1.8, 2.x and 3.x all answer it. Titles are Chinese and English. What is shown follows the
data model: measurement `raceway`, tags plant, area, line, machine; one field a signal.
"""

from __future__ import annotations

import json
import sys
from typing import Any

Panel = dict[str, Any]
SOURCE = {"type": "influxdb", "uid": "raceway"}
CHOSEN = '"plant" =~ /^$plant$/ AND "machine" =~ /^$machine$/ AND $timeFilter'
AGENT = '"plant" =~ /^$plant$/ AND "machine" = \'raceway\' AND $timeFilter'
BY_TIME = "GROUP BY time($__interval)"
STATES = (
    (0, "关机 off", "#808080"),
    (1, "空闲 idle", "#f2cc0c"),
    (2, "调整 setup", "#5794f2"),
    (3, "运行 running", "#56a64b"),
    (4, "故障 fault", "#e02f44"),
)


def over_time(signal: str) -> str:
    """The mean of a signal, one curve for each machine."""
    return f'SELECT mean("{signal}") FROM "raceway" WHERE {CHOSEN} {BY_TIME}, "machine" fill(none)'


def of_agent(*signals: str) -> str:
    """Means of what the agent measures of itself; a signal in slashes is a regular expression over fields."""
    fields = ", ".join(f"mean({name})" if name.startswith("/") else f'mean("{name}") AS "{name}"' for name in signals)
    return f'SELECT {fields} FROM "raceway" WHERE {AGENT} {BY_TIME} fill(none)'


def energy_by_hour() -> str:
    """What each meter's counter rose by in each hour; a counter that starts again adds nothing wrong."""
    rises = f'SELECT non_negative_difference("active_energy") AS "kwh" FROM "raceway" WHERE {CHOSEN} GROUP BY "machine"'
    return f'SELECT sum("kwh") FROM ({rises}) WHERE $timeFilter GROUP BY time(1h), "machine" fill(none)'


def machine_states() -> str:
    """The state of each machine; a state holds until the next one."""
    return f'SELECT last("state") FROM "raceway" WHERE {CHOSEN} {BY_TIME}, "machine" fill(none)'


def holes() -> str:
    """Every hole in the data that the agent recorded."""
    return 'SELECT "gap" FROM "raceway" WHERE "plant" =~ /^$plant$/ AND $timeFilter GROUP BY "machine" LIMIT 100'


def panel(
    kind: str, title: str, place: tuple[int, int, int, int], query: str, unit: str = "short", **more: Any
) -> Panel:
    """One panel with one query; place is x, y, width and height on the grid of 24 columns."""
    x, y, width, height = place
    alias = "$tag_machine" if 'GROUP BY "machine"' in query or ', "machine"' in query else "$col"
    is_table = kind == "table"
    target = {
        "refId": "A",
        "datasource": SOURCE,
        "rawQuery": True,
        "query": query,
        "resultFormat": "table" if is_table else "time_series",
        **({} if is_table else {"alias": alias}),
    }
    return {
        "type": kind,
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "targets": [target],
        "fieldConfig": {"defaults": {"unit": unit, **more.pop("defaults", {})}, "overrides": []},
        **more,
    }


def row(title: str, y: int) -> Panel:
    """A heading across the page."""
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
        "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
    }


def panels() -> list[Panel]:
    """The page from top to bottom."""
    state_texts = {str(number): {"text": text, "color": colour} for number, text, colour in STATES}
    states = {"mappings": [{"type": "value", "options": state_texts}]}
    bars = {"custom": {"drawStyle": "bars", "fillOpacity": 70, "stacking": {"mode": "normal"}}}
    return [
        row("车间 Shop floor", 0),
        panel("state-timeline", "设备状态 Machine states", (0, 1, 24, 8), machine_states(), defaults=states),
        panel("timeseries", "有功功率 Active power", (0, 9, 12, 8), over_time("active_power"), "kwatt"),
        panel("timeseries", "每小时电量 Energy by hour", (12, 9, 12, 8), energy_by_hour(), "kwatth", defaults=bars),
        panel("timeseries", "气、水、压缩空气流量 Flow", (0, 17, 12, 8), over_time("flow"), "suffix: m³/h"),
        panel("table", "数据缺口 Holes in the data", (12, 17, 12, 8), holes()),
        row("采集代理 The agent", 25),
        panel("timeseries", "每秒点数 Points per second", (0, 26, 8, 7), of_agent("points_per_s"), "cps"),
        panel("timeseries", "待发送点数 Points waiting", (8, 26, 8, 7), of_agent("/_pending_points$/")),
        panel("timeseries", "已连接数据源 Sources connected", (16, 26, 8, 7), of_agent("sources_connected")),
        panel("timeseries", "日志占用 Log on disk", (0, 33, 8, 7), of_agent("log_bytes"), "bytes"),
        panel("timeseries", "延迟 Commit, loop lag", (8, 33, 8, 7), of_agent("commit_ms", "loop_lag_ms"), "ms"),
        panel("timeseries", "内存 Memory", (16, 33, 4, 7), of_agent("rss_mb"), "decmbytes"),
        panel("timeseries", "处理器 CPU", (20, 33, 4, 7), of_agent("cpu_percent"), "percent"),
    ]


def variable(name: str, label: str, query: str, *, several: bool) -> dict[str, Any]:
    """A choice at the top of the page, filled from the tags."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if several else {}),
    }


def dashboard() -> dict[str, Any]:
    """The whole document, as Grafana 10 and newer read it."""
    return {
        "uid": "raceway",
        "title": "Raceway 轴承产线 bearing plant",
        "tags": ["raceway"],
        "schemaVersion": 39,
        "editable": True,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                variable("plant", "工厂 Plant", 'SHOW TAG VALUES FROM "raceway" WITH KEY = "plant"', several=False),
                variable(
                    "machine", "设备 Machine", 'SHOW TAG VALUES FROM "raceway" WITH KEY = "machine"', several=True
                ),
            ]
        },
        "panels": [{"id": number, **each} for number, each in enumerate(panels(), start=1)],
    }


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
