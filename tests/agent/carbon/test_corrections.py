"""Figures that late readings correct, through the log into a real InfluxDB: the same points, rewritten."""

from pathlib import Path

import pytest

from agent.store import inspect
from agent.store.config import StoreConfig
from agent.store.log import Log
from collectors.points import Batch
from tests.agent.carbon.plants import batch, meter, plan, sink
from tests.agent.carbon.readings import at
from tests.agent.carbon.test_carbon_sink import MINUTE_NS, ending, live
from tests.agent.influx.worlds import Outcome, config_for
from tests.servers.influxdb import real_influxdb

MONTH = at("00:00", "2026-03-01")
LAST_DAY = at("00:00", "2026-03-31")


class _Recalled:
    """What the sink of the accounts takes for the log's records."""

    def __init__(self, log: Log, folder: Path) -> None:
        self.append = log.append
        self.records = lambda since_ns: inspect.records(folder, since_ns)


async def _through(log: Log, books: object, influx: object, *batches: Batch) -> None:
    """Each batch into the log; then the accounts read it, and InfluxDB gets all that is there."""
    for one in batches:
        await log.append(one)
    for reader, sinks in ((log.cursor("carbon"), books), (log.cursor("influx"), influx)):
        while reader.pending()[0]:
            entries = await reader.read(max_points=50_000, linger_s=0)
            await reader.commit(entries[-1].seq, await sinks.write(entries))  # type: ignore[attr-defined]


@pytest.mark.real("influxd")
async def test_the_newest_month_is_corrected_in_place(tmp_path: Path) -> None:
    """March is over with 89 kWh; 7 come late: month, day and hour are one point each, with the new figure."""
    rows = [("m1", LAST_DAY + n * 15 * MINUTE_NS, 100.0 + n) for n in range(97)]
    late = batch(rows[90:], received_ns=at("12:00", "2026-04-03"))
    with real_influxdb() as server:
        config = config_for(server.url, server.token_file(), measurement="carbon", timeout_s=10)
        async with Log.open(StoreConfig(linger_s=0), directory=tmp_path, plant="p") as log:
            books = sink(plan(meter("m1")), _Recalled(log, tmp_path))  # type: ignore[arg-type]
            influx = Outcome(config).sink
            await _through(log, books, influx, *live(rows[:90]), ending(rows))
            before = dict(server.points(bucket="telemetry", measurement="carbon"))
            await _through(log, books, influx, late)
            after = dict(server.points(bucket="telemetry", measurement="carbon"))
    figures = [
        ("electricity_month", MONTH),
        ("electricity_day", LAST_DAY),
        ("electricity_hour", at("22:00", "2026-03-31")),
    ]

    assert [89.0, 89.0, 1.0] == [before["m1", name, t_ns] for name, t_ns in figures]
    assert [96.0, 96.0, 4.0] == [after["m1", name, t_ns] for name, t_ns in figures]
    for name, t_ns in figures[:2]:
        assert [t_ns] == [t for machine, signal, t in after if (machine, signal) == ("m1", name)]
