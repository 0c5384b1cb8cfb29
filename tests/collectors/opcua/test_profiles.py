"""Profiles of known servers: chosen by what the server calls itself, and only ever lower than its own limits."""

from __future__ import annotations

import pytest

from collectors.opcua.profiles import crowded, profile_of
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.servers.opcua import asyncua_server


@pytest.mark.parametrize(
    ("product", "name"),
    [
        pytest.param("Siemens AG SIMATIC S7-1200 V4.6", "S7-1200", id="S7-1200"),
        pytest.param("Siemens AG CPU 1511-1 S7-1500 V3.1", "S7-1500", id="S7-1500"),
        pytest.param("PTC KEPServerEX 6.14", "KEPServerEX", id="Kepware"),
        pytest.param("Inductive Automation Ignition OPC UA Server", "Ignition", id="Ignition"),
        pytest.param("Siemens AG SINUMERIK 828D OPC UA Server", "SINUMERIK 828D", id="828D"),
        pytest.param("Siemens AG SINUMERIK Integrate OPC UA Server 840D sl", "SINUMERIK 840D sl", id="840D sl"),
        pytest.param("3S - Smart Software Solutions GmbH OPC UA Server 3.5.17", "CODESYS", id="CODESYS"),
        pytest.param("B&R Industrial Automation GmbH OPC-UA Server", "B&R", id="B&R"),
        pytest.param("Maker of 1200 presses", "", id="another maker with the same number"),
        pytest.param("", "", id="a server that says nothing"),
    ],
)
def test_a_server_is_known_by_its_build_info(product: str, name: str) -> None:
    """Manufacturer and product decide; everybody else gets no limits."""
    assert profile_of(product).name == name


@pytest.mark.parametrize(
    ("product", "items", "sampling_ms", "says"),
    [
        pytest.param("Siemens S7-1200", 1001, 1000, "takes 1000 items", id="too many items"),
        pytest.param("SINUMERIK 828D", 100, 100, "these tags make 1000", id="too many samples"),
        pytest.param("SINUMERIK 828D", 100, 1000, "", id="slow enough"),
        pytest.param("SINUMERIK 828D", 40, 0, "", id="as fast as it can is 100 ms"),
        pytest.param("somebody", 100_000, 10, "", id="nothing is known"),
    ],
)
def test_too_much_for_a_known_controller_is_said(product: str, items: int, sampling_ms: float, says: str) -> None:
    """By the number of items or by the samples a second, whichever its maker names."""
    said = crowded(profile_of(product), [sampling_ms] * items)

    assert says in said
    assert bool(said) == bool(says)


def test_a_subscription_that_takes_fewer_items_is_said() -> None:
    """The server says its own limit; a second source has a subscription of its own."""
    assert "takes 1000 items in one subscription" in crowded(profile_of(""), [1000.0] * 1001, most_items=1000)
    assert crowded(profile_of(""), [1000.0] * 1000, most_items=1000) == ""


async def test_a_known_controller_is_asked_for_little_and_without_filters() -> None:
    """An S7-1200 takes 100 items a call, though it says 1,000, and no deadband; every value comes instead."""
    recorder = Recorder()
    tags = [tag(f"C{number}", deadband=5) for number in range(120)]
    with asyncua_server(counters=120, per_call=100, tells_limits=False, product="Siemens AG|S7-1200") as server:
        async with supervised(configured(server.url, tags), recorder) as source:
            await recorder.until(lambda: len(recorder.values("C119")) > 3, within_s=20)
            troubles = dict(source.status.troubles)
    values = recorder.values("C0")

    assert values[1] - values[0] == 1  # type: ignore[operator]
    assert "S7-1200 does not filter" in troubles["(deadband)"]
