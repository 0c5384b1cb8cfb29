"""`raceway trust`: certificates are shown with their origin, and approved by fingerprint."""

import json
import re
from pathlib import Path

import pytest

from agent.commands.trust import manage_trust
from tests.collectors.opcua.test_trust import server_files
from tests.servers.opcua import asyncua_server


def test_raceway_trust_shows_and_approves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fingerprint, subject, validity and origin are shown; after the approval the same command finds all trusted."""
    with asyncua_server(**server_files(tmp_path, "server")) as server:
        path = tmp_path / "plant.yaml"
        security = "{policy: Basic256Sha256}"
        source = f"{{kind: opcua, name: machines, url: '{server.url}', security: {security}, tags: [%s]}}"
        tags = "{machine: m, signal: s, node: i=2258}"
        path.write_text(f"plant: p\ndata_dir: data\nsources: [{source % tags}]\n")
        shown = manage_trust(path, approve=(), as_json=False, timeout_s=10)
        text = capsys.readouterr().out
        marks = re.findall(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", text)
        approved = manage_trust(path, approve=(marks[1],), as_json=False, timeout_s=10)
        capsys.readouterr()
        again = manage_trust(path, approve=(), as_json=True, timeout_s=10)
        found = json.loads(capsys.readouterr().out)

    assert (shown, approved, again) == (1, 0, 0)
    assert f"shown by machines at {server.url}, first on 20" in text
    assert found["sources"] == {"machines": "connected, its certificate is trusted"}
    assert [one["fingerprint"] for one in found["folders"][0]["trusted"]] == [marks[1]]
