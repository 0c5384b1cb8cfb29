"""A TCP proxy that misbehaves on demand: cuts connections, swallows bytes, refuses to listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

BLOCK = 65536


class Proxy:
    """Passes bytes between whoever connects to `port` and a server on loopback."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.port = 0
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self.delay_s = 0.0  # every block waits for so long on its way
        self._flows = asyncio.Event()
        self._flows.set()

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more and cut everything."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection; new ones are accepted."""
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        """From now on nothing gets through, and nobody is told: a half-open connection."""
        self._flows.clear()

    def flow(self) -> None:
        """Let everything through again, what was held back included."""
        self._flows.set()

    async def gone(self) -> None:
        """Wait until every connection is gone."""
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while block := await reader.read(BLOCK):
                await self._flows.wait()
                await asyncio.sleep(self.delay_s)
                writer.write(block)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def proxy(to_port: int) -> AsyncIterator[Proxy]:
    """A proxy that is open for the time of the block."""
    between = Proxy(to_port)
    await between.open()
    try:
        yield between
    finally:
        between.flow()
        await between.close()
        await between.gone()
