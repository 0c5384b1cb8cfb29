"""A source that is told to stop at any moment of connecting stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from collectors.opcua.config import OpcUaConfig, Tag
from collectors.opcua.source import OpcUaSource
from collectors.points import Delivery

TAG = Tag(machine="m", signal="s", node="ns=2;s=a")
TURNS = 12  # of the loop, by when a connection on this machine was made or refused


async def ignored(_: Delivery) -> None:
    """Nothing is delivered here."""


async def end_of(port: int, *, after_turns: int) -> BaseException | None:
    """How a source ends that is cancelled after some turns of the loop."""
    config = OpcUaConfig(kind="opcua", name="machines", url=f"opc.tcp://127.0.0.1:{port}", tags=(TAG,))
    life = asyncio.create_task(OpcUaSource(config, plant="p", last_time=lambda _: 0).run(ignored))
    for _ in range(after_turns):
        await asyncio.sleep(0)
    is_asked = life.cancel()
    done, _ = await asyncio.wait([life], timeout=10)
    if not done:
        life.cancel()
        return None
    return asyncio.CancelledError() if life.cancelled() or not is_asked else life.exception()


@contextlib.asynccontextmanager
async def refusing() -> AsyncIterator[int]:
    """A port where nobody listens."""
    async with silent() as port:
        pass
    yield port


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """A port that takes connections and says nothing."""
    async with await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("server", [refusing, silent])
async def test_a_cancellation_is_not_lost_while_connecting(
    server: Callable[[], contextlib.AbstractAsyncContextManager[int]],
) -> None:
    """It comes with the answer of the network, one turn earlier, one later: it always ends the source."""
    async with server() as port:
        ends = [type(await end_of(port, after_turns=turns)) for turns in range(TURNS)]

    assert ends == [asyncio.CancelledError] * TURNS
