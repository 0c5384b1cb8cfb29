"""The agent's own figures: for Prometheus at /metrics, and as points that go through the log like a machine's.

Both read the board when asked. Nothing is counted here, so nothing is paid on the path of a value.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from agent.status import Board, SinkStatus
from collectors.points import Clock, Kind, Point, Series
from collectors.source import SourceStatus

LOG_STATES = ("ok", "full", "read_only", "failed")
MEGABYTE = 1_000_000

# name below raceway_buffer_, key of the log's status, what it says
LOG_COUNTERS = (
    ("appended_points", "points", "Points made durable."),
    ("appended_bytes", "bytes_written", "Bytes written to the disk for them."),
    ("duplicate_points", "duplicates", "Points that were there already and were dropped."),
    ("commits", "commits", "Group commits, each one fdatasync."),
    ("dead_letters", "dead_letters", "Records of the dead-letter log."),
    ("gaps", "gaps", "Holes in the data, said aloud."),
    ("corrupt_records", "damaged_records", "Records that were skipped because they were damaged."),
)
LOG_GAUGES = (
    ("disk_bytes", "bytes_on_disk", "Bytes the log takes on disk."),
    ("quota_bytes", "quota_bytes", "Bytes it may take."),
    ("segments", "segments", "Segment files."),
    ("queued_bytes", "queued_bytes", "Bytes in memory that wait for the disk; nothing of it is acknowledged."),
    ("commit_seconds", "commit_s", "How long the newest commit took."),
)
SOURCE_COUNTERS = (
    ("points", "points", "Points of the source made durable."),
    ("messages", "messages", "Notifications or MQTT messages."),
    ("dead_letters", "dead_letters", "Messages that did not fit."),
    ("gaps", "gaps", "Holes in the source's data."),
    ("faults", "faults", "Restarts of the collector after a fault nobody foresaw."),
)
SINK_COUNTERS = (
    ("points", "points", "Points delivered and committed."),
    ("requests", "requests", "Requests made."),
    ("retries", "retries", "Requests that have to be made again."),
    ("sent_bytes", "bytes_sent", "Bytes sent, compressed."),
    ("dead_letter_points", "dead_letters", "Points that the server refused for good."),
)


def render(board: Board) -> tuple[bytes, str]:
    """Everything on the board in Prometheus' text format, with its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BoardCollector(board))
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


class BoardCollector(Collector):
    """Reads the board at scrape time."""

    def __init__(
        self,
        board: Board,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._clock_ns = clock_ns
        self._monotonic = monotonic

    def collect(self) -> Iterator[Metric]:
        """All families, in the order agent, log, sources, sinks."""
        yield InfoMetricFamily(
            "raceway", "Who this is.", value={"plant": self._board.plant, "version": version("raceway")}
        )
        yield GaugeMetricFamily(
            "raceway_start_time_seconds", "Start, seconds since 1970 UTC.", self._board.started_ns / 1e9
        )
        yield GaugeMetricFamily(
            "raceway_loop_lag_seconds", "How late the newest heartbeat was.", self._board.loop_lag_s
        )
        yield from self._log(self._board.log())
        yield from self._sources(self._board.sources)
        yield from self._sinks(self._board.sinks)

    def _log(self, log: Mapping[str, object]) -> Iterator[Metric]:
        for name, key, text in LOG_COUNTERS:
            yield CounterMetricFamily(f"raceway_buffer_{name}", text, _number(log.get(key)))
        for name, key, text in LOG_GAUGES:
            yield GaugeMetricFamily(f"raceway_buffer_{name}", text, _number(log.get(key)))
        yield GaugeMetricFamily(
            "raceway_buffer_oldest_age_seconds", "Age of the oldest point kept.", self._age_s(log.get("oldest_ns"))
        )
        state = str(log.get("state", "ok"))
        yield GaugeMetricFamily(
            "raceway_buffer_state",
            "0 ok, 1 full, 2 read-only, 3 failed.",
            LOG_STATES.index(state) if state in LOG_STATES else len(LOG_STATES) - 1,
        )
        lost = CounterMetricFamily(
            "raceway_buffer_lost_points", "Points lost, each counted once, with the reason.", labels=["reason"]
        )
        reasons = log.get("lost_points")
        for reason, points in reasons.items() if isinstance(reasons, Mapping) else ():
            lost.add_metric([reason], points)
        yield lost

    def _sources(self, sources: Mapping[str, SourceStatus]) -> Iterator[Metric]:
        for name, key, text in SOURCE_COUNTERS:
            yield _labelled(CounterMetricFamily, f"raceway_source_{name}", text, "source", sources, key)
        connected = GaugeMetricFamily("raceway_source_connected", "1 while connected.", labels=["source", "kind"])
        age = GaugeMetricFamily("raceway_source_data_age_seconds", "Age of the newest value.", labels=["source"])
        troubles = GaugeMetricFamily("raceway_source_troubles", "Tags or topics that are wrong.", labels=["source"])
        silent = GaugeMetricFamily(
            "raceway_source_silent_seconds",
            "Without a value while connected, where that is against the source's own rhythm; else 0.",
            labels=["source"],
        )
        now = self._monotonic()
        for source, status in sources.items():
            silent.add_metric([source], status.silent_s(now))
            connected.add_metric([source, status.kind], status.state == "connected")
            age.add_metric([source], self._age_s(status.last_data_ns))
            troubles.add_metric([source], len(status.troubles))
        yield from (connected, age, silent, troubles)

    def _sinks(self, sinks: Mapping[str, SinkStatus]) -> Iterator[Metric]:
        for name, key, text in SINK_COUNTERS:
            yield _labelled(CounterMetricFamily, f"raceway_sink_{name}", text, "sink", sinks, key)
        yield _labelled(
            GaugeMetricFamily,
            "raceway_sink_pending_points",
            "Durable points that are not delivered yet.",
            "sink",
            sinks,
            "pending_points",
        )
        age = GaugeMetricFamily("raceway_sink_oldest_pending_age_seconds", "Age of the oldest.", labels=["sink"])
        blocked = GaugeMetricFamily(
            "raceway_sink_blocked", "1 while blocked, with the reason.", labels=["sink", "reason"]
        )
        for sink, status in sinks.items():
            age.add_metric([sink], self._age_s(status.oldest_pending_ns))
            blocked.add_metric([sink, status.blocked], status.state == "blocked")
        yield from (age, blocked)

    def _age_s(self, t_ns: object) -> float:
        """Seconds since a time on the wall clock; 0 where there is none."""
        then = _number(t_ns)
        return max(0.0, (self._clock_ns() - then) / 1e9) if then else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _labelled(
    family: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    text: str,
    label: str,
    statuses: Mapping[str, SourceStatus] | Mapping[str, SinkStatus],
    field: str,
) -> Metric:
    metric = family(name, text, labels=[label])
    for key, status in statuses.items():
        metric.add_metric([key], getattr(status, field))
    return metric


class Measurements:
    """What the agent measures of itself, as points of the machine "raceway"; called every few heartbeats.

    Rates are means since the call before; the first call gives none.
    """

    def __init__(
        self,
        board: Board,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        elapsed_s: Callable[[], float] = time.monotonic,
        cpu_s: Callable[[], float] = time.process_time,
        rss_bytes: Callable[[], int] | None = None,
    ) -> None:
        self._board = board
        self._clock_ns = clock_ns
        self._elapsed_s = elapsed_s
        self._cpu_s = cpu_s
        self._rss_bytes = rss_bytes or _rss_bytes
        self._before: tuple[float, float, float] | None = None  # elapsed s, CPU s, points

    def __call__(self) -> list[Point]:
        """The points of now."""
        log = self._board.log()
        now_ns = self._clock_ns()
        found = [
            self._point("log_bytes", _number(log.get("bytes_on_disk")), "B", now_ns),
            self._point("commit_ms", _number(log.get("commit_s")) * 1e3, "ms", now_ns),
            self._point("loop_lag_ms", self._board.loop_lag_s * 1e3, "ms", now_ns),
            self._point("rss_mb", self._rss_bytes() / MEGABYTE, "MB", now_ns),
            self._point("sources_connected", self._connected(), "1", now_ns),
        ]
        for name, sink in self._board.sinks.items():
            oldest_ns = sink.oldest_pending_ns or now_ns
            found += [
                self._point(f"{name}_pending_points", sink.pending_points, "1", now_ns),
                self._point(f"{name}_pending_s", max(0.0, (now_ns - oldest_ns) / 1e9), "s", now_ns),
            ]
        return [*found, *self._rates(_number(log.get("points")), now_ns)]

    def _rates(self, points: float, now_ns: int) -> Iterator[Point]:
        now = (self._elapsed_s(), self._cpu_s(), points)
        before, self._before = self._before, now
        if before is not None and (passed_s := now[0] - before[0]) > 0:
            yield self._point("cpu_percent", 100 * (now[1] - before[1]) / passed_s, "%", now_ns)
            yield self._point("points_per_s", (now[2] - before[2]) / passed_s, "1/s", now_ns)

    def _connected(self) -> int:
        return sum(status.state == "connected" for status in self._board.sources.values())

    def _point(self, signal: str, value: float, unit: str, t_ns: int) -> Point:
        series = Series(self._board.plant, "", "", "raceway", signal, unit, Kind.GAUGE)
        return Point(series, t_ns, round(float(value), 3), clock=Clock.GATEWAY)


def _rss_bytes() -> int:
    """Resident memory. Source: proc(5), statm."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
