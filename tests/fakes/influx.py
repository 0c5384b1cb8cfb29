"""A fake InfluxDB server for asyncio tests: a real little database behind HTTP, and it misbehaves on order.

`FakeInflux.points` is what a client has really delivered; `script` says how the next write requests are treated.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import urllib.parse
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes.influx_database import Database, FieldValue, Key, error


@dataclass(frozen=True, slots=True)
class Turn:
    """How one request is treated instead of the usual way.

    `status` None: as the database says. `applies`: whether the points are written nevertheless.
    `ends`: after all that, answer; or keep silent until the client leaves; or reset the connection.
    """

    status: int | None = None
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    applies: bool = False
    delay_s: float = 0.0
    ends: Literal["answer", "silence", "reset"] = "answer"
    reset_after_bytes: int | None = None  # of the request's body; then nothing is read, applied or answered


@dataclass(slots=True)
class FakeInflux:
    """The server. Change its fields while it runs; `script` holds the turns of the next write requests in order."""

    database: Database = field(default_factory=Database)
    org: str = "plant"
    bucket: str = "telemetry"
    token: str = "the-write-token"
    script: deque[Turn] = field(default_factory=deque)
    always: Turn | None = None  # for every write request that the script has no turn for
    writes: int = 0  # write requests seen
    bodies: list[bytes] = field(default_factory=list)  # of the write requests, uncompressed
    keep_bodies: bool = False
    port: int = 0
    tls: ssl.SSLContext | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)  # set by the first write request
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def points(self) -> dict[Key, FieldValue]:
        """Everything that was delivered."""
        return self.database.points

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(writer)
        self.tasks.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over: asyncio would print a cancelled connection as an error
        finally:
            self._open.discard(writer)
            self.tasks.discard(task)
            writer.close()

    def hang_up(self) -> None:
        """Close every connection, as a server that is killed does."""
        for writer in self._open:
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not (first := await reader.readexactly(1)).isalpha():  # a TLS greeting, for one
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = request.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        is_write = method == "POST" and target.startswith("/api/v2/write?")
        turn = (self.script.popleft() if self.script else self.always) if is_write else None
        if is_write:
            self.writes += 1
            self.arrived.set()
        if turn and turn.reset_after_bytes is not None:
            await reader.readexactly(min(turn.reset_after_bytes, length))
            _reset(writer)
            return False
        body = await reader.readexactly(length)
        if turn and turn.delay_s:
            await asyncio.sleep(turn.delay_s)
        status, text, extra = self._answer(target, headers, body, turn) if is_write else self._other(target)
        if turn and turn.ends != "answer":
            if turn.ends == "silence":
                await reader.read()  # until the client has had enough
            else:
                _reset(writer)
            return False
        extra = {"Content-Type": "application/json", "X-Influxdb-Version": "fake", **extra}
        packed = text.encode("utf-8", "surrogateescape")
        shown = "".join(f"{name}: {value}\r\n" for name, value in extra.items())
        writer.write(f"HTTP/1.1 {status} Fake\r\nContent-Length: {len(packed)}\r\n{shown}\r\n".encode() + packed)
        await writer.drain()
        return True

    def _other(self, target: str) -> tuple[int, str, Mapping[str, str]]:
        if target == "/health":
            return 200, json.dumps({"name": "influxdb", "status": "pass"}), {}
        return 404, error("not found", "path not found"), {}

    def _answer(
        self, target: str, headers: Mapping[str, str], body: bytes, turn: Turn | None
    ) -> tuple[int, str, Mapping[str, str]]:
        if turn and turn.status is not None and not turn.applies:
            return turn.status, turn.text, turn.headers
        status, text = self._write(target, headers, body)
        if turn and turn.status is not None:
            return turn.status, turn.text, turn.headers
        return status, text, {}

    def _write(self, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
        if query.get("precision") != ["ns"]:
            return 400, error("invalid", "precision must be ns")
        if headers.get("authorization") != f"Token {self.token}":
            return 401, error("unauthorized", "unauthorized access")
        if query.get("org") != [self.org]:
            return 404, error("not found", f'organization name "{query.get("org")}" not found')
        if query.get("bucket") != [self.bucket]:
            return 404, error("not found", f'bucket "{query.get("bucket")}" not found')
        if headers.get("content-encoding") == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError):
                return 500, error("internal error", "An internal error has occurred - check server logs")
        if self.keep_bodies:
            self.bodies.append(body)
        return self.database.write(body)


def _reset(writer: asyncio.StreamWriter) -> None:
    transport = writer.transport
    transport.abort()


@asynccontextmanager
async def fake_influx(fake: FakeInflux | None = None) -> AsyncIterator[FakeInflux]:
    """The fake, listening on a free port of loopback."""
    fake = fake or FakeInflux()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", fake.port, limit=2**16, ssl=fake.tls)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        fake.hang_up()
        for task in fake.tasks:
            task.cancel()
        await asyncio.gather(*fake.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the loop's next turn
