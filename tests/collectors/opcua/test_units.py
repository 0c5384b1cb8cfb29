"""Units: a tag whose unit contradicts the server brings nothing, and says why."""

from __future__ import annotations

from structlog.testing import capture_logs

from collectors.opcua.probe import probe
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.servers.opcua import asyncua_server

UNITS = {"C0": ["WHR", 0, 1e9], "C1": ["CEL", -20, 200]}
TAGS = [
    tag("energy", "nsu=http://raceway.example/machine;s=C0", unit="kWh", kind="counter"),
    tag("converted", "nsu=http://raceway.example/machine;s=C0", unit="kWh", kind="counter", scale=0.001),
    tag("temperature", "nsu=http://raceway.example/machine;s=C1", unit="°C"),
    tag("power", "nsu=http://raceway.example/machine;s=C1", unit="kW"),
    tag("unknown", "nsu=http://raceway.example/machine;s=C2", unit="rpm"),
]


async def test_a_contradicting_unit_refuses_its_tag_alone() -> None:
    """Watt hours are not taken for kilowatt hours, nor degrees for kilowatts; the others run."""
    recorder = Recorder()
    with asyncua_server(units=UNITS) as server:
        with capture_logs() as events:
            async with supervised(configured(server.url, TAGS), recorder) as source:
                await recorder.until(lambda: source.status.troubles)
                await recorder.until(lambda: len(recorder.values("converted")) > 2)
        async with supervised(configured(server.url, TAGS), recorder) as source:
            await recorder.until(lambda: recorder.values("converted") and recorder.values("unknown"))
            await recorder.until(lambda: len(source.status.troubles) == 2)
            troubles = dict(source.status.troubles)

    assert [one["log_level"] for one in events if one["event"] == "source.troubled"] == ["warning"]
    assert recorder.values("energy") == recorder.values("power") == []
    assert recorder.values("temperature")
    assert "the unit is Wh, the configuration says kWh; write scale: 0.001" in troubles["plant/lathe/energy"]
    assert "the unit is °C, the configuration says kW; correct unit: or node:" in troubles["plant/lathe/power"]


async def test_a_probe_says_it_before_anything_runs() -> None:
    """`raceway test` shows the same sentence."""
    with asyncua_server(units=UNITS) as server:
        found = await probe(configured(server.url, TAGS), plant="p", timeout_s=10)

    assert [bool(one.trouble) for one in found.tags] == [True, False, False, True, False]
