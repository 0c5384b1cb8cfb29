"""Enumerations, structures, matrices, bytes and ranges, as asyncua's server and node-opcua have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collectors.opcua.probe import probe
from collectors.opcua.shape import OUTSIDE_RANGE
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.servers.opcua import URI, asyncua_server
from tests.servers.opcua_node import node_opcua_server

AT = f"nsu={URI};s="


async def first_values(url: str, tags: list[dict[str, Any]], *, n: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The first value of every signal, and the troubles, when `n` signals have one."""
    recorder = Recorder()
    async with supervised(configured(url, tags, connect_timeout_s=20), recorder) as source:
        await recorder.until(lambda: len({point.series for one in recorder.batches for point in one.points()}) >= n)
        await recorder.until(lambda: source.status.state == "connected")
        troubles = dict(source.status.troubles)
    values: dict[str, Any] = {}
    for batch in recorder.batches:
        for point in batch.points():
            values.setdefault(point.series.signal, point.value)
    return values, troubles


@pytest.mark.slow
async def test_an_enumeration_is_a_number_or_its_name() -> None:
    """The kind decides: state is the number, text its name; by type, by item, and for two states."""
    tags = [
        tag("mode", AT + "Mode", kind="state"),
        tag("mode_text", AT + "Mode", kind="text"),
        tag("gear", AT + "Gear", kind="text"),
        tag("door", AT + "Door", kind="text"),
        tag("door_number", AT + "Door", kind="state"),
    ]
    with asyncua_server(types=True) as server:
        values, troubles = await first_values(server.url, tags, n=5)

    assert values == {"mode": 1.0, "mode_text": "Running", "gear": "high", "door": "open", "door_number": 1.0}
    assert troubles == {}


@pytest.mark.slow
async def test_members_of_a_structure_are_signals() -> None:
    """Members, members of members, elements of lists of structures; an optional one that is not there has no value."""
    tags = [
        tag("axis", AT + "Axis", fields=["Position", "Load", "Points[1]", "Mode"]),
        tag("name", AT + "Axis", fields=["Name"], kind="text"),
        tag("head", AT + "Head", fields="Axes[0].Load; Main.Position; Wear; Note"),
    ]
    with asyncua_server(types=True) as server:
        values, troubles = await first_values(server.url, tags, n=9)
    note = values.pop("head.Note")

    assert values == {
        "axis.Position": 1.5,
        "axis.Load": 40.0,
        "axis.Points[1]": 2.0,
        "axis.Mode": 1.0,
        "name.Name": "X",
        "head.Axes[0].Load": 40.0,
        "head.Main.Position": 2.5,
        "head.Wear": 0.25,
    }
    assert note != note  # NaN
    assert troubles == {}


@pytest.mark.slow
async def test_a_probe_reads_structures_and_names_what_is_wrong() -> None:
    """`raceway test` shows the members, and what to write where none are named."""
    tags = [tag("axis", AT + "Axis", fields=["Position"]), tag("whole", AT + "Head"), tag("C0", fields=["X"])]
    with asyncua_server(types=True) as server:
        found = await probe(configured(server.url, tags), plant="p", timeout_s=10)

    assert [one.value for one in found.tags] == [1.5, None, None]
    assert "write fields: with the wanted members" in found.tags[1].trouble
    assert found.tags[2].trouble == "the value is no structure; remove fields: from the tag"


@pytest.mark.slow
async def test_matrices_and_bytes() -> None:
    """A matrix is a list, row after row; bytes are hexadecimal digits for a text signal."""
    tags = [tag("matrix", AT + "Matrix", elements=4), tag("blob", AT + "Blob", kind="text")]
    with asyncua_server(types=True) as server:
        values, _ = await first_values(server.url, tags, n=5)

    assert values == {"matrix[0]": 1.0, "matrix[1]": 2.0, "matrix[2]": 3.0, "matrix[3]": 4.0, "blob": "01ff"}


@pytest.mark.slow
async def test_a_value_outside_the_servers_range_is_uncertain() -> None:
    """It is kept and flagged, and is Good again when it is back; the range is read at the connection."""
    recorder = Recorder()
    with asyncua_server(counters=1, period_s=30, units={"C0": ["CEL", -20, 200]}) as server:
        async with supervised(configured(server.url, [tag("C0", unit="°C")]), recorder):
            await recorder.until(lambda: recorder.values("C0"))
            for value in (250.0, 200.0):
                seen = len(recorder.values("C0"))
                server.do("write", name="C0", value=value)
                await recorder.until(lambda seen=seen: len(recorder.values("C0")) > seen)
    found = [(point.value, point.quality) for point in recorder.points("C0")]

    assert found == [(0.0, 0), (250.0, OUTSIDE_RANGE), (200.0, 0)]


@pytest.mark.real("node-opcua")
@pytest.mark.slow
async def test_types_of_node_opcua(tmp_path: Path) -> None:
    """Another stack's enumeration, discrete item and the server's own structures."""
    tags = [
        tag("mode", AT + "Mode", kind="state"),
        tag("mode_text", AT + "Mode", kind="text"),
        tag("gear", AT + "Gear", kind="text"),
        tag("build", "i=2260", fields=["ManufacturerName"], kind="text"),
        tag("status", "i=2256", fields=["State", "SecondsTillShutdown"], kind="state", sampling_ms=1000),
        tag("inner", "i=2256", fields=["BuildInfo.ManufacturerName"], kind="text", sampling_ms=1000),
    ]
    with node_opcua_server(tmp_path) as server:
        values, troubles = await first_values(server.url, tags, n=7)

    assert values == {
        "mode": 1.0,
        "mode_text": "Running",
        "gear": "high",
        "build.ManufacturerName": "NodeOPCUA : MIT Licence ( see http://node-opcua.github.io/)",
        "status.State": 0.0,
        "status.SecondsTillShutdown": 0.0,
        "inner.BuildInfo.ManufacturerName": "NodeOPCUA : MIT Licence ( see http://node-opcua.github.io/)",
    }
    assert troubles == {}
