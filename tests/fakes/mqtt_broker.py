"""A broker that says exactly what a test wants, byte by byte, and remembers what it was told."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping

CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE = 1, 3, 4, 5, 6, 7, 8

CONNACK_3 = b"\x20\x02\x00\x00"
CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_5_PRESENT = b"\x20\x03\x01\x00\x00"


def packet(header: int, body: bytes) -> bytes:
    """A packet with its length written as MQTT writes it."""
    length, octets = len(body), bytearray([header])
    while True:
        length, octet = divmod(length, 128)
        octets.append(octet | (0x80 if length else 0))
        if not length:
            return bytes(octets) + body


def publish(
    topic: str | bytes,
    payload: bytes,
    *,
    qos: int = 1,
    number: int = 1,
    version: int = 5,
    retain: bool = False,
    properties: bytes = b"",
) -> bytes:
    """A PUBLISH packet; `number` is its packet id."""
    name = topic.encode() if isinstance(topic, str) else topic
    body = struct.pack("!H", len(name)) + name + (struct.pack("!H", number) if qos else b"")
    if version == 5:
        body += packet(0, properties)[1:]
    return packet(0x30 | qos << 1 | retain, body + payload)


def suback(*codes: int, version: int = 5, number: int = 1) -> bytes:
    """The answer to SUBSCRIBE."""
    return packet(0x90, struct.pack("!H", number) + (b"\0" if version == 5 else b"") + bytes(codes))


Answer = bytes | None | Callable[[bytes], bytes | None]


class FakeBroker:
    """Use as an async context manager. `answers`: packet type -> bytes to send, None hangs up; b"" says nothing."""

    def __init__(self, answers: Mapping[int, Answer] | None = None) -> None:
        self.answers: dict[int, Answer] = {CONNECT: CONNACK_5, SUBSCRIBE: suback(1), **(answers or {})}
        self.received: list[tuple[int, bytes]] = []
        self.connections = 0
        self._writer: asyncio.StreamWriter | None = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> FakeBroker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def send(self, octets: bytes) -> None:
        assert self._writer is not None
        self._writer.write(octets)
        await self._writer.drain()

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def until(self, reached: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait until something is true of what was received."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(reached)

    def acks(self, kind: int = PUBACK) -> list[int]:
        """Packet ids of the acknowledgements so far, in order."""
        return [struct.unpack("!H", body[:2])[0] for header, body in self.received if header >> 4 == kind]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        try:
            while True:
                header, body = await _read_packet(reader)
                async with self._changed:
                    self.received.append((header, body))
                    self._changed.notify_all()
                answer = self.answers.get(header >> 4, b"")
                octets = answer(body) if callable(answer) else answer
                if octets is None:
                    break
                writer.write(octets)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    header = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        octet = (await reader.readexactly(1))[0]
        length |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return header, await reader.readexactly(length)
