"""An InfluxDB that answers at once, keeps every request, and checks every point when asked.

It parses nothing while a run is measured, so that it never is the bottleneck and takes no time from the others.
    python -m benchmarks.load.sink --port 0        prints {"port": n}
    POST /api/v2/write…                            204, or the status that was ordered
    POST /control/answer?status=503&token=…        how writes are answered from now on; 401 for any other token
    POST /control/rule                             JSON of a load's rule; forgets everything
    GET  /control/state                            requests, bytes, time of the last one
    GET  /control/verdict?from_ns=…&to_ns=…        the verdict; the times bound the window of the rate
    GET  /control/told?since_ns=…                  what the records of gaps say of what is missing
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import urllib.parse

from isal import igzip

from benchmarks.load.check import Check, check_for

_NO_CONTENT = b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 2.7.0\r\n\r\n"
_CODES = {401: "unauthorized", 404: "not found", 503: "unavailable"}


class Store:
    """Every write request with the time of its arrival."""

    def __init__(self) -> None:
        self.status, self.token = 204, ""
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.bodies: list[tuple[int, bytes]] = []
        self.requests = self.bytes = self.refused = self.last_ns = 0
        self.check: Check | None = None

    def keep(self, body: bytes, *, packed: bool) -> None:
        """Take one body; nothing is looked at."""
        self.last_ns = time.time_ns()
        self.requests += 1
        self.bytes += len(body)
        self.bodies.append((self.last_ns, body if packed else igzip.compress(body, 0)))

    def checked(self) -> Check:
        """The check, with all that is new."""
        assert self.check is not None, "no rule"
        bodies, self.bodies = self.bodies, []
        for arrived_ns, body in bodies:
            self.check.take(igzip.decompress(body), arrived_ns)  # type: ignore[no-untyped-call]
        return self.check

    def answer(self, headers: dict[str, str]) -> int:
        """The status of a write with these headers."""
        is_known = not self.token or headers.get("authorization") == f"Token {self.token}"
        return self.status if self.status != 204 or is_known else 401


class Connection(asyncio.Protocol):
    """One keep-alive HTTP connection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).decode("latin-1")
            request, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if headers.get("transfer-encoding") == "chunked":
                found = _unchunked(self._buffer, end + 4)
                if found is None:
                    return
                body, stop = found
            else:
                stop = end + 4 + int(headers.get("content-length", "0"))
                if len(self._buffer) < stop:
                    return
                body = bytes(self._buffer[end + 4 : stop])
            del self._buffer[:stop]
            assert self._transport is not None
            self._transport.write(self._answer(request, headers, body))

    def _answer(self, request: str, headers: dict[str, str], body: bytes) -> bytes:
        target = urllib.parse.urlsplit(request.split(" ")[1])
        query = dict(urllib.parse.parse_qsl(target.query))
        store = self._store
        match target.path:
            case "/api/v2/write":
                if (status := store.answer(headers)) != 204:
                    store.refused += 1
                    code = _CODES.get(status, "internal error")
                    return _json({"code": code, "message": "ordered"}, f"{status} Ordered")
                store.keep(body, packed=headers.get("content-encoding") == "gzip")
                return _NO_CONTENT
            case "/control/answer":
                store.status, store.token = int(query["status"]), query.get("token", store.token)
                return _json({})
            case "/control/rule":
                store.forget()
                store.check = check_for(json.loads(body))
                return _json({})
            case "/control/state":
                return _json({"requests": store.requests, "bytes": store.bytes, "last_ns": store.last_ns})
            case "/control/verdict":
                return _json(store.checked().verdict(int(query["from_ns"]), int(query["to_ns"])))
            case "/control/told":
                return _json(store.checked().told(int(query["since_ns"])))
            case _:
                return _json({"name": "influxdb", "status": "pass"})


def _unchunked(buffer: bytearray, at: int) -> tuple[bytes, int] | None:
    """A chunked body and where it ends; None while it is not whole."""
    parts = []
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line], 16)
        if len(buffer) < line + 2 + size + 2:
            return None
        parts.append(bytes(buffer[line + 2 : line + 2 + size]))
        at = line + 2 + size + 2
        if size == 0:
            return b"".join(parts), at
    return None


def _json(answer: object, status: str = "200 OK") -> bytes:
    body = json.dumps(answer).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def serve(port: int) -> None:
    """Listen on loopback and say where."""
    store = Store()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(store), "127.0.0.1", port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
