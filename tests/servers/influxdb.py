"""A real InfluxDB 2.7 on loopback for tests: started empty, stopped, frozen, restarted, asked what it holds."""

from __future__ import annotations

import csv
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port

ORG = "plant"
BUCKET = "telemetry"
SHORT_BUCKET = "short"  # keeps one hour only

_START_S = 30.0
_STOP_S = 15.0


def find_influxd() -> str:
    """The server's binary: on PATH, else where `tests/servers/influxdb/install` puts it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raceway" / "influxdb" / "influxd"
    return shutil.which("influxd") or str(cache)


@dataclass(slots=True)
class RealInfluxDB:
    """One running server; its data live in `directory` until the test ends."""

    directory: Path
    port: int
    operator_token: str = field(default_factory=lambda: f"operator-{secrets.token_hex(16)}", repr=False)
    write_token: str = field(default="", repr=False)
    read_token: str = field(default="", repr=False)
    org_id: str = ""
    bucket_ids: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    def token_file(self, token: str = "") -> Path:
        """A file that holds the write token, or another."""
        path = self.directory / f"token-{secrets.token_hex(4)}"
        path.write_text(token or self.write_token)
        return path

    def start(self) -> None:
        """Start on the same data and port; returns when it answers."""
        flags = {
            "http-bind-address": f"127.0.0.1:{self.port}",
            "bolt-path": self.directory / "influxd.bolt",
            "sqlite-path": self.directory / "influxd.sqlite",
            "engine-path": self.directory / "engine",
            "log-level": "error",
        }
        command = [find_influxd(), *(f"--{name}={value}" for name, value in flags.items())]
        with (self.directory / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--reporting-disabled", "--ui-disabled", "--no-tasks"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.directory)},  # it would make a folder in the user's home
                start_new_session=True,
            )
        end = time.monotonic() + _START_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"influxd did not start: {(self.directory / 'influxd.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """End it: SIGTERM and patience, or SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped by SIGSTOP: connections are accepted, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def set_up(self) -> None:
        """Make the organisation, the buckets and the tokens."""
        body = {"username": "admin", "password": secrets.token_hex(8), "org": ORG, "bucket": BUCKET}
        made = self.call("POST", "/api/v2/setup", {**body, "retentionPeriodSeconds": 0, "token": self.operator_token})
        self.org_id = made["org"]["id"]
        self.bucket_ids[BUCKET] = made["bucket"]["id"]
        self.make_bucket(SHORT_BUCKET, keep_s=3600)
        self.write_token = self.make_token("write", *self.bucket_ids.values())
        self.read_token = self.make_token("read", *self.bucket_ids.values())

    def make_bucket(self, name: str, *, keep_s: int = 0) -> None:
        """A new bucket; the operator's token may write into it."""
        rules = [{"type": "expire", "everySeconds": keep_s, "shardGroupDurationSeconds": 3600}] if keep_s else []
        made = self.call("POST", "/api/v2/buckets", {"orgID": self.org_id, "name": name, "retentionRules": rules})
        self.bucket_ids[name] = made["id"]

    def delete_bucket(self, name: str) -> None:
        """Remove a bucket with its data."""
        self.call("DELETE", f"/api/v2/buckets/{self.bucket_ids.pop(name)}")

    def make_token(self, action: str, *bucket_ids: str) -> str:
        """A token that may `read` or `write` these buckets."""
        resources = [{"type": "buckets", "id": bucket_id, "orgID": self.org_id} for bucket_id in bucket_ids]
        permissions = [{"action": action, "resource": resource} for resource in resources]
        made = self.call("POST", "/api/v2/authorizations", {"orgID": self.org_id, "permissions": permissions})
        return str(made["token"])

    def influxql(self, query: str, *, bucket: str = BUCKET) -> list[dict[str, Any]]:
        """Rows of an InfluxQL query, tags of a group among them; timestamps as ns since 1970."""
        parameters = urllib.parse.urlencode({"db": bucket, "q": query, "epoch": "ns"})
        answer = self.call("GET", f"/query?{parameters}")
        (result,) = answer["results"]
        if "error" in result:
            raise AssertionError(result["error"])
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in result.get("series", [])
            for values in series["values"]
        ]

    def flux(self, query: str) -> list[dict[str, str]]:
        """Rows of a Flux query, all values as text."""
        text = self._request("POST", f"/api/v2/query?org={ORG}", {"query": query, "type": "flux"}, self.read_token)
        return [dict(row) for row in csv.DictReader(text.decode().replace("\r\n", "\n").splitlines())]

    def points(self, *, bucket: str = BUCKET, measurement: str = "raceway") -> dict[tuple[str, str, int], float | str]:
        """Everything in a bucket: (machine, field, ns) to value."""
        rows = self.influxql(f'SELECT * FROM "{measurement}" GROUP BY *', bucket=bucket)
        return {
            (row.get("machine", ""), name, row["time"]): value
            for row in rows
            for name, value in row.items()
            if name not in ("time", "plant", "area", "line", "machine") and value is not None
        }

    def call(self, method: str, path: str, body: object = None, *, token: str = "") -> Any:
        """A request to the server's API, JSON in and out, with the operator's token unless another is given."""
        return json.loads(self._request(method, path, body, token or self.operator_token) or b"null")

    def _request(self, method: str, path: str, body: object, token: str) -> bytes:
        headers = {"Content-Type": "application/json", "Authorization": f"Token {token}"}
        packed = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(self.url + path, packed, headers, method=method)
        try:
            with opener.open(request, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error

    def _is_up(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            return b'"pass"' in connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def real_influxdb() -> Iterator[RealInfluxDB]:
    """A server with an organisation, two buckets and tokens; gone with its data afterwards."""
    with tempfile.TemporaryDirectory(prefix="raceway-influxd-") as directory:
        server = RealInfluxDB(Path(directory), free_port())
        try:
            server.start()
            server.set_up()
            yield server
        finally:
            server.stop()
