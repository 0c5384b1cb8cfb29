"""Against Eclipse Milo, the stack inside Ignition and many gateways: a third one that shares no code with ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.opcua.probe import probe
from collectors.opcua.source import OpcUaSource
from collectors.points import OVERFLOW
from collectors.source import SourceLost
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.fakes.chaos import proxy
from tests.servers.milo import milo_server
from tests.servers.opcua import Child
from tests.servers.opcua_node import make_keys

pytestmark = [pytest.mark.real("milo"), pytest.mark.slow, pytest.mark.timeout(180)]  # Java starts slowly

# Milo's sampling beats with a source of the same period: half of it misses nothing
FINE: dict[str, Any] = {"sampling_ms": 50}


async def secured(server: Child, folder: Path, policy: str) -> dict[str, Any]:
    """A security block that trusts exactly this server, found as an engineer finds it: from the first refusal."""
    block = {"policy": policy} | {name: str(path) for name, path in make_keys(folder)._asdict().items()}
    refused = await probe(configured(server.url, [tag("C0")], security=block), plant="p", timeout_s=20)
    mark = re.search(r"--approve ([0-9A-F:]+)", refused.trouble)
    assert mark is not None, refused.trouble
    return block | {"server_fingerprint": mark[1]}


def in_order(recorder: Recorder, signal: str = "C0") -> bool:
    """Whether the counter came without a hole, each value once."""
    values = [float(value) for value in recorder.values(signal)]
    return values == list(np.arange(values[0], values[0] + len(values)))


@pytest.mark.parametrize("policy", ["None", "Aes128Sha256RsaOaep"])
async def test_every_value_arrives_once_and_in_order(tmp_path: Path, policy: str) -> None:
    """500 counters in chunks of what Milo takes, encrypted or not; a text, a list and a long integer beside."""
    recorder = Recorder()
    tags = [tag(f"C{number}", **FINE) for number in range(500)]
    tags += [tag("Order", kind="text"), tag("Axes", elements=3), tag("Pieces", kind="text")]
    with milo_server(tmp_path / "pki", counters=500, period_s=0.5, per_call=100) as server:
        more = {"security": await secured(server, tmp_path, policy)} if policy != "None" else {}
        config = configured(server.url, tags, connect_timeout_s=20, publishing_ms=500, **more)
        async with supervised(config, recorder):
            await recorder.until(lambda: len(recorder.values("C499")) >= 8, within_s=40)

    assert all(in_order(recorder, f"C{number}") for number in (0, 1, 250, 499))
    assert (recorder.values("Order")[0], recorder.values("Axes[2]")[0]) == ("A-4711", 3.5)
    assert recorder.values("Pieces")[0] == "9007199254740993"
    assert recorder.gaps == []


async def test_cuts_cost_no_value(tmp_path: Path) -> None:
    """The session is activated again on a new channel and its subscription goes on."""
    recorder = Recorder()
    with milo_server(tmp_path / "pki", period_s=0.2) as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("C0", **FINE)], connect_timeout_s=20)
            async with supervised(config, recorder):
                await recorder.until(lambda: len(recorder.values("C0")) >= 5, within_s=30)
                for _ in range(3):
                    between.cut()
                    seen = len(recorder.values("C0"))
                    await recorder.until(lambda seen=seen: len(recorder.values("C0")) >= seen + 5, within_s=20)  # type: ignore[misc]
                assert server.do("sessions") == 1

    assert set(recorder.values("C0")) == set(
        np.arange(min(map(float, recorder.values("C0"))), max(map(float, recorder.values("C0"))) + 1)
    )
    assert recorder.gaps == []


async def test_a_restart_is_recognised(tmp_path: Path) -> None:
    """A second life on the same port: values flow again, and the hole is said with its reason."""
    recorder = Recorder()
    with milo_server(tmp_path / "pki") as server:
        async with supervised(configured(server.url, [tag("C0")], connect_timeout_s=20), recorder):
            await recorder.until(lambda: len(recorder.values("C0")) >= 5, within_s=30)
            server.kill()
            server.start()
            await recorder.until(lambda: recorder.gaps, within_s=30)
            seen = len(recorder.values("C0"))
            await recorder.until(lambda: len(recorder.values("C0")) > seen, within_s=30)

    assert [gap.reason for gap in recorder.gaps] == ["server_restarted"]


async def test_sessions_that_the_server_ends_are_made_anew(tmp_path: Path) -> None:
    """An administrator may end every session: the hole is said, and values flow again."""
    recorder = Recorder()
    with milo_server(tmp_path / "pki") as server:
        async with supervised(configured(server.url, [tag("C0")], connect_timeout_s=20), recorder):
            await recorder.until(lambda: len(recorder.values("C0")) >= 5, within_s=30)
            server.do("end_sessions")
            await recorder.until(lambda: recorder.gaps, within_s=30)
            assert server.do("sessions") == 1

    assert [gap.reason for gap in recorder.gaps] == ["link_lost"]


async def test_a_queue_that_is_too_short_is_a_gap(tmp_path: Path) -> None:
    """Milo marks the overflow in a Good value (0x480): the value is kept, what went before it is a gap of this tag."""
    recorder = Recorder()
    tags = [tag("C0", queue_size=2, sampling_ms=50), tag("C1", sampling_ms=50)]
    with milo_server(tmp_path / "pki", period_s=0.1) as server:
        config = configured(server.url, tags, connect_timeout_s=20, publishing_ms=1000)
        async with supervised(config, recorder):
            await recorder.until(lambda: len(recorder.values("C1")) >= 30, within_s=30)
    overflown = [point for point in recorder.points("C0") if point.quality == OVERFLOW]

    assert overflown
    assert all(isinstance(point.value, float) and point.value == point.value for point in overflown)


async def test_an_unknown_node_costs_only_itself(tmp_path: Path) -> None:
    """It is said with what to check; the others run."""
    recorder = Recorder()
    with milo_server(tmp_path / "pki") as server:
        async with supervised(
            configured(server.url, [tag("C0"), tag("None")], connect_timeout_s=20), recorder
        ) as source:
            await recorder.until(lambda: len(recorder.values("C0")) >= 5, within_s=30)
            await recorder.until(lambda: "plant/lathe/None" in source.status.troubles)
            text = source.status.troubles["plant/lathe/None"]

    assert "the server has no such node" in text


async def test_a_wrong_password_is_not_tried_again_soon(tmp_path: Path) -> None:
    """Whatever Milo calls it: the account is named, and the next try is ten minutes away."""
    (tmp_path / "password").write_text("wrong")
    (tmp_path / "password").chmod(0o600)
    with milo_server(tmp_path / "pki", user="agent", password="right") as server:
        block = await secured(server, tmp_path, "Basic256Sha256")
        account = {"user": "agent", "password_file": str(tmp_path / "password")}
        config = configured(server.url, [tag("C0")], connect_timeout_s=20, security=block, **account)
        with pytest.raises(SourceLost, match="refuses the account") as lost:
            await OpcUaSource(config, plant="plant", last_time=lambda _: 0).run(Recorder().deliver)

    assert lost.value.hold_s >= 600


async def test_a_server_that_does_not_know_us_says_what_to_do(tmp_path: Path) -> None:
    """Our certificate is not trusted there: one meaning, whatever the status is called."""
    with milo_server(tmp_path / "pki", trusts_clients=False) as server:
        block = await secured(server, tmp_path, "Basic256Sha256")
        config = configured(server.url, [tag("C0")], connect_timeout_s=20, security=block)
        with pytest.raises(SourceLost, match="does not trust our certificate") as lost:
            await OpcUaSource(config, plant="plant", last_time=lambda _: 0).run(Recorder().deliver)

    assert lost.value.hold_s >= 60
