"""`raceway test` on an OPC UA server: what it says of each tag."""

from __future__ import annotations

import time

from collectors.opcua.probe import probe
from tests.collectors.opcua.rig import configured, tag
from tests.servers.opcua import asyncua_server


async def test_each_tag_is_read_once_and_told() -> None:
    """Value, unit, the server's type, quality and time of each signal, and in words what is wrong with some."""
    values = {"Power": ["Float", 1.5], "Order": ["String", "A-1"], "Axes": ["Double", [1.0, 2.0]]}
    tags = [
        tag("Power", unit="kW", scale=2),
        tag("Order", kind="text"),
        tag("Axes", elements=2),
        tag("text", "nsu=http://raceway.example/machine;s=Order"),
        tag("Gone"),
        tag("far", "nsu=http://nobody.example/;s=A"),
    ]
    with asyncua_server(values=values) as server:
        found = await probe(configured(server.url, tags), plant="p", timeout_s=5)
    power, order, first, second, text, gone, far = found.tags

    assert (power.value, power.unit, power.type, power.quality) == (3.0, "kW", "Float", 0)
    assert abs(power.t_ns - time.time_ns()) < 60e9
    assert [one.value for one in (order, first, second)] == ["A-1", 1.0, 2.0]
    assert (second.tag, second.trouble) == ("p/lathe/Axes[1]", "")
    assert (text.value, text.trouble) == (None, "the value is a text; set kind: text")
    assert "no such node" in gone.trouble
    assert "no namespace http://nobody.example/" in far.trouble
    assert found.facts is not None
    assert "FreeOpcUa" in found.facts["product"]
    assert not found.is_well


async def test_a_server_that_cannot_be_reached_is_a_result() -> None:
    """Nothing is raised; the trouble says what to check."""
    found = await probe(configured("opc.tcp://127.0.0.1:1", [tag("C0")]), plant="p", timeout_s=2)

    assert "nothing listens there" in found.trouble
    assert found.tags == ()
