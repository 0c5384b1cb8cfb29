"""Secured connections: nothing is trusted by itself, and an approval needs no restart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from collectors.opcua.pki import Pki
from collectors.opcua.probe import probe
from tests.collectors.opcua.rig import Recorder, configured, supervised, tag
from tests.collectors.opcua.stage import approve_all, server_files
from tests.servers.opcua import asyncua_server


def secured(tmp_path: Path, policy: str = "Basic256Sha256", mode: str = "SignAndEncrypt") -> dict[str, Any]:
    """The settings of a source whose certificates lie in a folder of their own."""
    return {"security": {"policy": policy, "mode": mode, "pki": str(tmp_path / "pki")}, "connect_timeout_s": 10}


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"])
async def test_every_policy_brings_values_once_the_server_is_approved(tmp_path: Path, policy: str, mode: str) -> None:
    """The first try is refused and leaves the certificate to be approved; then values come."""
    recorder = Recorder()
    with asyncua_server(**server_files(tmp_path, "server")) as server:
        config = configured(server.url, [tag("C0")], **secured(tmp_path, policy, mode))
        refused = await probe(config, plant="p", timeout_s=10)
        approve_all(tmp_path)
        async with supervised(config, recorder):
            await recorder.until(lambda: len(recorder.values("C0")) > 3, within_s=20)

    assert "is not trusted: nobody has approved it" in refused.trouble
    assert "raceway trust CONFIG --approve" in refused.trouble


async def test_a_renewed_server_certificate_needs_no_restart(tmp_path: Path) -> None:
    """The new one is refused and shown; within seconds of its approval the running source goes on."""
    recorder = Recorder()
    pki = Pki(tmp_path / "pki")
    with asyncua_server(**server_files(tmp_path, "server")) as server:
        config = configured(server.url, [tag("C0")], **secured(tmp_path))
        await probe(config, plant="p", timeout_s=10)
        approve_all(tmp_path)
        async with supervised(config, recorder) as source:
            await recorder.until(lambda: recorder.batches, within_s=20)
            server.kill()
            server.start(**server_files(tmp_path, "renewed"))
            await recorder.until(pki.rejected, within_s=20)
            await recorder.until(lambda: "is not trusted" in source.status.reason)
            approve_all(tmp_path)
            await recorder.until(lambda: recorder.gaps, within_s=30)

    assert len(pki.trusted()) == 2


async def test_a_secured_cut_costs_no_value(tmp_path: Path) -> None:
    """The session is activated again over a new encrypted channel."""
    from tests.fakes.chaos import proxy

    recorder = Recorder()
    with asyncua_server(**server_files(tmp_path, "server")) as server:
        async with proxy(server.port) as between:
            config = configured(f"opc.tcp://127.0.0.1:{between.port}", [tag("C0")], **secured(tmp_path))
            await probe(config, plant="p", timeout_s=10)
            approve_all(tmp_path)
            async with supervised(config, recorder):
                await recorder.until(lambda: recorder.batches, within_s=20)
                between.cut()
                seen = len(recorder.values("C0"))
                await recorder.until(lambda: len(recorder.values("C0")) > seen + 5, within_s=20)
                assert server.do("sessions") == 1

    assert recorder.gaps == []


async def test_a_weaker_endpoint_is_never_taken(tmp_path: Path) -> None:
    """A server that only offers another policy is refused, and the reason names what it offers."""
    only = "Basic256Sha256_Sign"
    with asyncua_server(**server_files(tmp_path, "server"), only=only) as server:
        config = configured(server.url, [tag("C0")], **secured(tmp_path))
        found = await probe(config, plant="p", timeout_s=10)

    assert "does not offer Basic256Sha256 SignAndEncrypt; it offers: Basic256Sha256 Sign" in found.trouble


async def test_a_login_with_a_certificate(tmp_path: Path) -> None:
    """An X.509 user token, signed with its own key."""
    me = server_files(tmp_path, "me")
    with asyncua_server(**server_files(tmp_path, "server")) as server:
        login = {"user_certificate": me["certificate"], "user_private_key": me["private_key"]}
        config = configured(server.url, [tag("C0")], **secured(tmp_path), **login)
        await probe(config, plant="p", timeout_s=10)
        approve_all(tmp_path)
        assert (await probe(config, plant="p", timeout_s=10)).trouble == ""


async def test_what_expires_soon_is_a_trouble(tmp_path: Path) -> None:
    """Sixty days ahead, for the server's certificate as for ours."""
    recorder = Recorder()
    with asyncua_server(**server_files(tmp_path, "server", days=30)) as server:
        config = configured(server.url, [tag("C0")], **secured(tmp_path))
        await probe(config, plant="p", timeout_s=10)
        approve_all(tmp_path)
        async with supervised(config, recorder) as source:
            await recorder.until(lambda: "(certificate)" in source.status.troubles, within_s=20)
            text = source.status.troubles["(certificate)"]

    assert re.match(r"the server's certificate expires on \d{4}-\d\d-\d\d, in 29 days; renew it before", text)
