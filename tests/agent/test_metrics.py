"""The agent's own figures, as Prometheus reads them and as points."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from agent.metrics import LOG_COUNTERS, LOG_GAUGES, BoardCollector, Measurements, render
from agent.status import Board, SinkStatus
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Clock
from collectors.source import SourceStatus

LOG: dict[str, object] = {
    "state": "full",
    "points": 1200,
    "bytes_written": 5000,
    "commits": 7,
    "bytes_on_disk": 4096,
    "quota_bytes": 10_000,
    "lost_points": {"quota": 3},
    "commit_s": 0.002,
}


def board() -> Board:
    return Board(
        plant="轴承一厂",
        sources={"machines": SourceStatus(kind="opcua", state="connected", points=1000, troubles={"a": "unknown"})},
        sinks={"influx": SinkStatus(kind="influxdb", state="blocked", blocked="auth", pending_points=200)},
        log=lambda: LOG,
        loop_lag_s=0.004,
    )


def samples(text: bytes) -> dict[str, float]:
    return {
        sample.name + str(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_render_speaks_prometheus() -> None:
    """Prometheus' own parser reads the page, and the figures are those of the board."""
    text, content_type = render(board())
    found = samples(text)

    assert content_type.startswith("text/plain")
    assert 1200 == found["raceway_buffer_appended_points_total[]"]
    assert 1 == found["raceway_buffer_state[]"]
    assert 3 == found["raceway_buffer_lost_points_total[('reason', 'quota')]"]
    assert 1 == found["raceway_source_connected[('kind', 'opcua'), ('source', 'machines')]"]
    assert 1 == found["raceway_source_troubles[('source', 'machines')]"]
    assert 200 == found["raceway_sink_pending_points[('sink', 'influx')]"]
    assert 1 == found["raceway_sink_blocked[('reason', 'auth'), ('sink', 'influx')]"]
    assert found["process_resident_memory_bytes[]"] > 1e6


async def test_the_log_has_every_figure(tmp_path: Path) -> None:
    """Each key that is read from the log's status is one that a real log has."""
    async with Log.open(StoreConfig(), directory=tmp_path, plant="p") as log:
        known = log.status().keys()

    assert {key for _, key, _ in (*LOG_COUNTERS, *LOG_GAUGES)} | {"state", "oldest_ns", "lost_points"} <= known


def test_render_before_anything_happened() -> None:
    """An empty board is a page too."""
    assert 0 == samples(render(Board())[0])["raceway_buffer_appended_points_total[]"]


def test_measurements_are_points() -> None:
    """The figures become gauges of the machine raceway; rates come from the second call on."""
    elapsed_s, cpu_s = 10.0, 1.0
    log = dict(LOG)
    agent = board()
    agent.log = lambda: log
    measure = Measurements(
        agent,
        clock_ns=lambda: 5_000_000_000,
        elapsed_s=lambda: elapsed_s,
        cpu_s=lambda: cpu_s,
        rss_bytes=lambda: 80_500_000,
    )
    agent.sinks["influx"].oldest_pending_ns = 2_000_000_000
    first = {point.series.signal: point.value for point in measure()}
    elapsed_s, cpu_s, log["points"] = 20.0, 1.5, 2200
    points = measure()
    second = {point.series.signal: point.value for point in points}

    assert {
        "log_bytes": 4096.0,
        "commit_ms": 2.0,
        "loop_lag_ms": 4.0,
        "rss_mb": 80.5,
        "sources_connected": 1.0,
        "influx_pending_points": 200.0,
        "influx_pending_s": 3.0,
    } == first
    assert first | {"cpu_percent": 5.0, "points_per_s": 100.0} == second
    assert {("轴承一厂", "raceway")} == {(point.series.plant, point.series.machine) for point in points}
    assert {Clock.GATEWAY} == {point.clock for point in points}


def test_memory_is_read_from_the_kernel() -> None:
    """The resident memory is that of this process."""
    figures = {point.series.signal: point.value for point in Measurements(Board())()}

    assert float(figures["rss_mb"]) > 5


def test_silence_is_a_figure() -> None:
    """A source that is connected and says nothing is found by an alert rule."""
    silent = SourceStatus(kind="mqtt", state="connected", since_monotonic=0.0)
    (family,) = (
        family
        for family in BoardCollector(Board(sources={"meters": silent}), monotonic=lambda: 400.0).collect()
        if family.name == "raceway_source_silent_seconds"
    )

    assert [(sample.labels, sample.value) for sample in family.samples] == [({"source": "meters"}, 400.0)]
