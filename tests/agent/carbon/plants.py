"""A small plant and a log in memory, for the sink and the reports."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agent.carbon.config import CarbonConfig
from agent.carbon.plan import Plan, make_plan
from agent.carbon.sink import CarbonSink
from agent.sink import Entry
from collectors.points import Batch, Kind, Point, Series, Stream

TOP = Path(__file__).parents[3]
PLANT = "p"
NS = 10**9
TARIFF = {
    "seasons": [{"name": "all", "from": "01-01", "to": "12-31", "bands": {"peak": ["16:00-23:00"]}}],
    "prices": [{"from": "2026-01-01", "yuan_per_kwh": {"flat": "0.5", "peak": "1"}}],
}
FACTORS = {
    "registers": [str(TOP / "config" / "factors" / "register.csv")],
    "organisation": [{"medium": "electricity", "factor": "grid_co2_shandong_2023"}],
    "product": [{"medium": "electricity", "factor": "elec_cfp_cn_2024"}],
    "coal": [{"medium": "electricity", "factor": "coal_eq_elec"}],
}


def meter(name: str, **given: Any) -> dict[str, Any]:
    """A register of kWh on the primary side, 100 kW at most."""
    return {
        "name": name,
        "machine": name,
        "signal": "active_energy",
        "unit": "kWh",
        "medium": "electricity",
        "side": "primary",
        "most_per_h": 100,
        **given,
    }


def config(*meters: dict[str, Any], **given: Any) -> CarbonConfig:
    settings = {"meters": list(meters), "tariff": TARIFF, "factors": FACTORS, **given}
    return CarbonConfig.model_validate(settings)


def plan(*meters: dict[str, Any], **given: Any) -> Plan:
    return make_plan(config(*meters, **given))


Row = tuple[str, int, float]  # meter, t_ns, value


def batch(rows: Iterable[Row], *, received_ns: int, signal: str = "active_energy") -> Batch:
    kind = Kind.COUNTER if signal == "active_energy" else Kind.GAUGE
    unit = "kWh" if signal == "active_energy" else "kW"
    points = [Point(Series(PLANT, "", "l", name, signal, unit, kind), t_ns, value) for name, t_ns, value in rows]
    return Batch.of("meters", points, received_ns=received_ns)


class Log:
    """What was delivered, and what a reader of the records sees."""

    fed = 0  # the number of the entry that is being read; what is delivered meanwhile comes after it

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._entries: list[Entry] = []

    async def append(self, delivered: Batch) -> None:
        assert Stream.RECORDS == delivered.stream
        self.batches.append(delivered)
        self._entries.append(Entry(Log.fed + len(self.batches), delivered))

    def records(self, _since_ns: int = 0) -> list[Entry]:
        return list(self._entries)

    def values(self) -> dict[tuple[str, str, int], float | str]:
        """What InfluxDB would hold: the last value of each series and time."""
        return {(p.series.machine, p.series.signal, p.t_ns): p.value for b in self.batches for p in b.points()}


def sink(made: Plan, log: Log, state: bytes = b"") -> CarbonSink:
    found = CarbonSink(made, PLANT, deliver=log.append, recall=log.records)
    found.restore(state)
    return found


async def feed(into: CarbonSink, batches: Sequence[Batch], *, first_seq: int = 1) -> bytes:
    """Hand over each batch by itself; returns the last state."""
    state = b""
    for number, one in enumerate(batches, first_seq):
        Log.fed = number * 1000
        state = await into.write([Entry(Log.fed, one)])
    return state
