"""Against node-opcua, an OPC UA stack that shares no code with asyncua."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.opcua.probe import probe
from collectors.opcua.source import OpcUaSource
from collectors.points import BAD
from collectors.source import SourceLost
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.fakes.chaos import proxy
from tests.servers.opcua import Child
from tests.servers.opcua_node import make_keys, node_opcua_server

pytestmark = [pytest.mark.real("node-opcua"), pytest.mark.slow]


async def secured(server: Child, folder: Path, *, mode: str = "SignAndEncrypt") -> dict[str, Any]:
    """A security block that trusts exactly this server, found as an engineer finds it: from the first refusal."""
    keys = make_keys(folder)
    block = {"policy": "Basic256Sha256", "mode": mode} | {name: str(path) for name, path in keys._asdict().items()}
    refused = await probe(configured(server.url, [tag("C0")], security=block), plant="p", timeout_s=20)
    mark = re.search(r"--approve ([0-9A-F:]+)", refused.trouble)
    assert mark is not None, refused.trouble
    return block | {"server_fingerprint": mark[1]}


@pytest.mark.parametrize("mode", ["None", "Sign", "SignAndEncrypt"])
async def test_two_thousand_items_a_second(tmp_path: Path, mode: str) -> None:
    """Every value of 2,000 counters arrives once and in order, encrypted or not."""
    recorder = Recorder()
    names = [f"C{number}" for number in range(2000)]
    with node_opcua_server(tmp_path, counters=2000, period_s=1) as server:
        more = {"security": await secured(server, tmp_path, mode=mode)} if mode != "None" else {}
        config = configured(server.url, [tag(name) for name in names], connect_timeout_s=20, publishing_ms=500, **more)
        async with supervised(config, recorder) as source:
            await recorder.until(lambda: sum(map(len, recorder.batches)) >= 2000 * 6, within_s=40)
            assert source.status.troubles == {}
    which = np.concatenate([batch.which for batch in recorder.batches])
    value = np.concatenate([batch.value for batch in recorder.batches])

    for number in (0, 1, 999, 1999):
        values = value[which == number]
        assert values.tolist() == list(np.arange(values[0], values[0] + len(values)))
    assert recorder.gaps == []


async def test_types_of_another_stack(tmp_path: Path) -> None:
    """Texts, texts with a language, arrays, booleans, integers beyond 2^53, and a sensor that failed."""
    recorder = Recorder()
    tags = [
        tag("Order", kind="text"),
        tag("Program", kind="text"),
        tag("Axes", elements=3),
        tag("Pieces", kind="counter"),
        tag("exact", "nsu=http://raceway.example/machine;s=Pieces", kind="text"),
        tag("Running", kind="state"),
        tag("Broken"),
    ]
    with node_opcua_server(tmp_path) as server:
        async with supervised(configured(server.url, tags, connect_timeout_s=20), recorder) as source:
            await recorder.until(lambda: sum(map(len, recorder.batches)) >= 9, within_s=30)
            await recorder.until(lambda: source.status.troubles)
            troubles = dict(source.status.troubles)
    (broken,) = recorder.points("Broken")

    assert recorder.values("Order") == ["A-4711"]
    assert recorder.values("Program") == ["磨削"]
    assert [recorder.values(f"Axes[{index}]") for index in range(3)] == [[1.5], [2.5], [3.5]]
    assert recorder.values("Pieces") == [2.0**53]
    assert recorder.values("exact") == ["9007199254740993"]
    assert recorder.values("Running") == [1.0]
    assert broken.quality >= BAD
    assert np.isnan(float(broken.value))
    assert list(troubles) == ["plant/lathe/Pieces"]
    assert "2^53" in troubles["plant/lathe/Pieces"]


async def test_a_killed_server_comes_back_and_its_hole_is_a_restart(tmp_path: Path) -> None:
    """Kill and restart node-opcua: back within five seconds of its return, with a new session."""
    recorder = Recorder()
    with node_opcua_server(tmp_path) as server:
        async with supervised(configured(server.url, [tag("C0")], connect_timeout_s=20), recorder):
            await recorder.until(lambda: len(recorder.values("C0")) > 5, within_s=30)
            server.kill()
            server.start()
            took_s = await recorder.until(lambda: recorder.gaps)

    assert took_s < 5
    assert [gap.reason for gap in recorder.gaps] == ["server_restarted"]


@pytest.mark.parametrize("ends", ["", "orphan"], ids=["the session survives", "only the subscription survives"])
async def test_a_cut_costs_no_value(tmp_path: Path, ends: str) -> None:
    """The session is activated again, or a new one takes the subscription over; nothing is missing, nothing left."""
    recorder = Recorder()
    with node_opcua_server(tmp_path) as server:
        async with proxy(server.port) as between:
            tags = [tag("C0", sampling_ms=0, queue_size=1000)]
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", tags, connect_timeout_s=20)
            async with supervised(config, recorder):
                await recorder.until(lambda: len(recorder.values("C0")) > 5, within_s=30)
                await between.close()
                if ends:
                    server.do(ends)
                await between.open()
                seen = len(recorder.values("C0"))
                took_s = await recorder.until(lambda: len(recorder.values("C0")) > seen + 20, within_s=30)
                assert (server.do("sessions"), server.do("subscriptions")) == (1, 1)
        assert server.do("sessions") == 0
    values = sorted({float(value) for value in recorder.values("C0")})

    assert took_s < 8
    assert values == list(np.arange(values[0], values[0] + len(values)))
    assert recorder.gaps == []


async def test_a_stopped_source_leaves_no_session_behind(tmp_path: Path) -> None:
    """Sessions that are left behind lock out the next connection; they are closed on the way out."""
    recorder = Recorder()
    with node_opcua_server(tmp_path) as server:
        async with supervised(configured(server.url, [tag("C0")], connect_timeout_s=20), recorder):
            await recorder.until(lambda: recorder.batches, within_s=30)
            assert server.do("sessions") == 1
        assert server.do("sessions") == 0


async def test_a_hole_is_filled_from_node_opcuas_history(tmp_path: Path) -> None:
    """A second life of the agent reads from another stack's history what it missed."""
    recorder = Recorder()
    with node_opcua_server(tmp_path, historizing=True) as server:
        tags = [tag("C0", sampling_ms=0), tag("C1", sampling_ms=0)]  # every change: sampling may fall between two
        config = configured(server.url, tags, connect_timeout_s=20)
        async with supervised(config, recorder):
            await recorder.until(lambda: len(recorder.values("C0")) > 5, within_s=30)
        seen = len(recorder.values("C0"))
        async with supervised(config, recorder):
            await recorder.until(lambda: recorder.gaps, within_s=30)
            await recorder.until(lambda: len(recorder.values("C0")) > seen + 10)
    values = sorted({float(value) for value in recorder.values("C0")})

    assert values == list(np.arange(values[0], values[0] + len(values)))
    assert [gap.reason for gap in recorder.gaps] == ["agent_down"]


async def test_a_wrong_password_is_not_hammered(tmp_path: Path) -> None:
    """The account is named as the cause, and the next try is far away: machines lock accounts."""
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    with node_opcua_server(tmp_path, user="reader", password="right") as server:
        security = await secured(server, tmp_path)
        account = {"user": "reader", "password_file": str(secret), "security": security}
        config = configured(server.url, [tag("C0")], connect_timeout_s=20, **account)
        with pytest.raises(SourceLost, match="refuses the account") as lost:
            await OpcUaSource(config, plant="p", last_time=lambda _: 0).run(Recorder().deliver)
        secret.write_text("right\n")
        assert (await probe(config, plant="p", timeout_s=20)).trouble == ""

    assert lost.value.hold_s >= 600


async def test_our_certificate_has_to_be_approved_on_the_server(tmp_path: Path) -> None:
    """A server that does not know our certificate: the reason says where to approve it."""
    with node_opcua_server(tmp_path, trusts_clients=False) as server:
        config = configured(server.url, [tag("C0")], connect_timeout_s=20, security=await secured(server, tmp_path))
        found = await probe(config, plant="p", timeout_s=20)

    assert "does not trust our certificate; approve it on the machine" in found.trouble


async def test_another_server_certificate_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """A pin that does not match ends the attempt before anything secret is sent, and shows what was found."""
    with node_opcua_server(tmp_path) as server:
        block = await secured(server, tmp_path) | {"server_fingerprint": "00" * 32}
        found = await probe(configured(server.url, [tag("C0")], security=block), plant="p", timeout_s=20)

    assert "another certificate than the one that is trusted" in found.trouble
