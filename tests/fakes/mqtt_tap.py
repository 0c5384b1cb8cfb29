"""Between an agent and its broker: passes every byte on, and knows which messages the agent has acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

from collectors.mqtt.packets import BadStream, Block, Framer

_SUBACK, _PUBACK = 0x90, 0x40


class Tap:
    """Use as an async context manager. Payloads are JSON with their number as `n`."""

    def __init__(self, broker_port: int, *, messages: int) -> None:
        self._broker_port = broker_port
        self.acknowledged = bytearray(messages)  # 1 for each number whose PUBACK the agent has sent
        self.count = 0
        self.subscribed = asyncio.Event()
        self._moved = asyncio.Event()
        self._servings: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Tap:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for serving in self._servings:
            serving.cancel()
        if self._servings:
            await asyncio.wait(self._servings)

    async def reaches(self, count: int, *, within_s: float) -> bool:
        """Whether so many messages are acknowledged in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.count < count:
                    self._moved.clear()
                    await self._moved.wait()
        return self.count >= count

    @property
    def url(self) -> str:
        """Where the agent connects."""
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._servings.add(serving)
        serving.add_done_callback(self._servings.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._broker_port)
        except OSError:
            writer.close()
            return
        numbers: dict[bytes, int] = {}  # packet id -> the number of the message that waits under it

        def down(block: Block) -> None:
            for payload, ack in zip(block.messages.payloads, block.messages.acks, strict=True):
                numbers[ack[2:].tobytes()] = json.loads(payload)["n"]
            if any(control.header == _SUBACK for control in block.controls):
                self.subscribed.set()

        def up(block: Block) -> None:
            for control in block.controls:
                if control.header == _PUBACK and (number := numbers.pop(control.body[:2], None)) is not None:
                    self.count += not self.acknowledged[number]
                    self.acknowledged[number] = 1
            self._moved.set()

        pumps = {
            asyncio.create_task(_pump(reader, to_broker, up)),
            asyncio.create_task(_pump(from_broker, writer, down)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.subscribed.clear()
            for end in (writer, to_broker):
                end.close()
            await asyncio.wait(pumps)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[Block], None]) -> None:
    """Pass on until an end is gone; what was sent is noted before it is passed on."""
    framer = Framer(version=5)
    with suppress(OSError, BadStream, asyncio.IncompleteReadError):
        while octets := await reader.read(256 * 1024):
            note(framer.feed(octets))
            writer.write(octets)
            await writer.drain()
