"""What Raceway should reach, and whether it did. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Verdict = Literal["reached", "missed", "not measured"]
PEER = "telegraf"


class Bar(NamedTuple):
    """One figure of a case, Raceway's own or its ratio over Telegraf's, and its limit."""

    case: str
    work: str
    figure: str
    limit: float
    is_ratio: bool = False
    at_least: bool = False
    chinese: str = ""  # of the work, where it stands on the first page


class Judged(NamedTuple):
    """A bar and what was seen."""

    bar: Bar
    raceway: float | None
    telegraf: float | None
    ratio: float | None
    verdict: Verdict


CPU, RSS, MISSING = "CPU, µs a point", "peak RSS, MB", "missing"
MESSAGE, WIRE = "CPU, µs a message", "on the wire, bytes a point"
DISK = "written to disk, bytes a point"
_LOSSES = ("missing beyond what the load lost", "missing, in no gap record")
_FAULTS = {
    "fault-cut": "TCP cut, session survives",
    "fault-freeze": "link frozen",
    "fault-restart": "server restarted",
    "fault-503": "InfluxDB answers 503",
    "fault-404": "InfluxDB answers 404",
    "fault-torn": "kill -9 in an outage, tail torn",
    "fault-edited": "token and timeout edited in an outage",
    "fault-kill": "kill -9 in an outage",
}

OPCUA_10K, OPCUA_50K = "OPC UA 10,000 × 1 Hz, every 250 ms", "OPC UA 50,000 × 1 Hz"
FLOOD, DISK_FLOOD = "OPC UA 500,000 points/s", "on disk, 500,000 points/s offered"

BARS: tuple[Bar, ...] = (
    Bar("opcua-10k-1hz", OPCUA_10K, CPU, 1 / 4, True, chinese="OPC UA 10,000 点 × 1 Hz，每 250 毫秒"),
    Bar("opcua-10k-1hz", OPCUA_10K, MISSING, 0),
    Bar("opcua-10k-1hz", OPCUA_10K, "source to sink p50, ms", 250),
    Bar("opcua-10k-1hz", OPCUA_10K, RSS, 100, chinese="OPC UA 10,000 点 × 1 Hz"),
    Bar("opcua-10k-1hz", OPCUA_10K, WIRE, 1.15, True, chinese="OPC UA 10,000 点 × 1 Hz"),
    Bar("opcua-50k-1hz", OPCUA_50K, CPU, 1 / 5, True, chinese="OPC UA 50,000 点 × 1 Hz"),
    Bar("opcua-50k-1hz", OPCUA_50K, MISSING, 0),
    Bar("opcua-50k-1hz", OPCUA_50K, RSS, 120, chinese="OPC UA 50,000 点 × 1 Hz"),
    Bar("opcua-1k-1hz", "OPC UA 1,000 × 1 Hz", CPU, 3 / 4, True, chinese="OPC UA 1,000 点 × 1 Hz"),
    Bar("opcua-50k-10hz", FLOOD, MISSING, 0, chinese="OPC UA 每秒 500,000 点"),
    Bar("opcua-50k-10hz", FLOOD, "CPU, % of a core", 60, chinese="OPC UA 每秒 500,000 点"),
    Bar("opcua-50k-10hz", FLOOD, RSS, 180),
    Bar("mqtt-drain", "MQTT backlog", "messages/s at the sink", 2.5, True, True, chinese="MQTT 积压"),
    Bar("mqtt-drain", "MQTT backlog", MESSAGE, 1 / 3, True, chinese="MQTT 积压"),
    Bar("mqtt-5k", "MQTT 5,000 messages/s", MESSAGE, 1 / 3, True, chinese="MQTT 每秒 5,000 条"),
    Bar("mqtt-20k", "MQTT 20,000 messages/s", MESSAGE, 1 / 3, True, chinese="MQTT 每秒 20,000 条"),
    Bar("durable-5k-1hz", "on disk, 5,000 points/s", DISK, 12, chinese="落盘，每秒 5,000 点"),
    Bar("durable-50k-10hz", DISK_FLOOD, "points/s at the sink", 100, True, True, chinese="落盘，每秒送 500,000 点"),
    *(Bar(case, work, figure, 0) for case, work in _FAULTS.items() for figure in _LOSSES),
    Bar("replay", "backlog, a sink that counts", "points/s", 1_000_000, at_least=True, chinese="积压送入计数端"),
    Bar("replay-influxdb", "backlog, InfluxDB 2.7", "points/s", 421_000, at_least=True, chinese="积压送入 InfluxDB"),
    Bar("replay-influxdb", "backlog, InfluxDB 2.7", "s of lag, new values", 5),
    Bar("idle-1k", "idle, 1,000 tags", "CPU, % of a core", 0.5, chinese="空闲，1,000 点"),
    Bar("start-10k", "start, 10,000 tags", "process start to first durable point, s", 1.5, chinese="启动，10,000 点"),
    Bar("micro-decode", "OPC UA bytes to columns, all of one type", "µs, uniform, to a batch", 0.05),
    Bar("micro-decode", "OPC UA bytes to columns, mixed types", "µs, mixed, remembered, to a batch", 0.25),
)  # fmt: skip


def judged(kept: Mapping[str, Mapping[str, Any]]) -> list[Judged]:
    """All bars of the cases that are kept."""
    return [_judge(bar, kept[bar.case]) for bar in BARS if bar.case in kept]


def _judge(bar: Bar, kept: Mapping[str, Any]) -> Judged:
    ours = _median(kept, "raceway", bar.figure)
    theirs = _median(kept, PEER, bar.figure)
    ratio = kept["raceway over"].get(PEER, {}).get(bar.figure)
    seen = ratio if bar.is_ratio else ours
    if seen is None:
        return Judged(bar, ours, theirs, ratio, "not measured")
    is_reached = seen >= bar.limit if bar.at_least else seen <= bar.limit
    return Judged(bar, ours, theirs, ratio, "reached" if is_reached else "missed")


def _median(kept: Mapping[str, Any], peer: str, figure: str) -> float | None:
    found: float | None = kept["summary"].get(peer, {}).get(figure, {}).get("median")
    return found


def short(value: float | None) -> str:
    """For a table."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def wanted(bar: Bar) -> str:
    """The limit as people write it."""
    return f"{'≥' if bar.at_least else '≤'} {short(bar.limit)}{' ×' if bar.is_ratio else ''}"


def cells(rows: Sequence[Judged]) -> Iterator[tuple[str, ...]]:
    """Work, figure, Raceway, Telegraf, ratio, bar, verdict."""
    for bar, ours, theirs, ratio, verdict in rows:
        yield bar.work, bar.figure, short(ours), short(theirs), short(ratio), wanted(bar), verdict


def shown(rows: Sequence[Judged]) -> str:
    """A table for a terminal."""
    lines = [("", "", "raceway", "telegraf", "ratio", "bar", ""), *cells(rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
