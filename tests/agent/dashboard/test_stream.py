"""The live stream: once a second what has changed, bounded for every page."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import orjson
import pytest

from agent.dashboard.latest import Latest
from agent.dashboard.stream import MOST_WAITING, Stream, brief, message
from agent.sink import Entry
from collectors.points import Batch, Kind, Point, Series

STATE = Series("p", "a", "l", "cnc-1", "state", "", Kind.STATE)
POWER = Series("p", "a", "l", "cnc-1", "power", "kW")


def status() -> Mapping[str, object]:
    return {"plant": "p", "sources": {}}


def events(sent: bytes) -> dict[str, object]:
    blocks = [block.split(b"\n") for block in sent.strip().split(b"\n\n")]
    return {name.removeprefix(b"event: ").decode(): orjson.loads(data.removeprefix(b"data: ")) for name, data in blocks}


async def put(latest: Latest, *points: Point) -> None:
    await latest.write([Entry(1, Batch.of("s", points, received_ns=0))])


@pytest.fixture
async def latest() -> Latest:
    latest = Latest(recent_points=10)
    await put(latest, Point(STATE, 1_000_000, 3.0), Point(POWER, 1_000_000, 7.5))
    return latest


@contextlib.asynccontextmanager
async def running(latest: Latest) -> AsyncIterator[Stream]:
    """A stream that ticks as fast as the loop turns."""
    stream = Stream(latest, None, status=status, states={3: "running"}, tick_s=0.001)
    task = asyncio.create_task(stream.run())
    yield stream
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_page_begins_with_everything(latest: Latest) -> None:
    """Machines, signals, values and states in the first message."""
    async with running(latest) as stream:
        first = events(await anext(stream.subscribe()))

    plant = first["plant"]
    assert isinstance(plant, dict)
    assert [machine["name"] for machine in plant["machines"]] == ["cnc-1"]
    assert plant["values"] == [[0, 1, 3.0, 0, 1], [1, 1, 7.5, 0, 0]]
    assert (plant["states"], first["status"]) == ({"3": "running"}, status())


async def test_then_only_what_changed_is_sent(latest: Latest) -> None:
    """After a new power value, exactly that value comes."""
    async with running(latest) as stream:
        page = stream.subscribe()
        await anext(page)
        await put(latest, Point(POWER, 2_000_000, 8.0))
        rows: list[object] = []
        while not rows:
            rows = list(events(await anext(page)).get("values", []))  # type: ignore[call-overload]

    assert rows == [[1, 2, 8.0, 0, 0]]


async def test_a_new_series_brings_the_plant_anew(latest: Latest) -> None:
    """A machine that appears later appears on open pages."""
    async with running(latest) as stream:
        page = stream.subscribe()
        await anext(page)
        await put(latest, Point(Series("p", "a", "l", "cnc-2", "state", "", Kind.STATE), 5, 1.0))
        names: list[str] = []
        while names != ["cnc-1", "cnc-2"]:
            plant = events(await anext(page)).get("plant", {"machines": []})
            names = [machine["name"] for machine in plant["machines"]]  # type: ignore[index]


async def test_a_page_that_does_not_read_is_let_go(latest: Latest) -> None:
    """Its messages are bounded; then its stream ends, and the others go on."""
    async with running(latest) as stream:
        slow = stream.subscribe()
        await anext(slow)
        quick = stream.subscribe()
        for _ in range(3 * MOST_WAITING):
            await anext(quick)

        left = [sent async for sent in slow]

        assert left == []
        assert events(await anext(quick))["status"] == status()


async def test_closing_ends_every_page(latest: Latest) -> None:
    """When the agent stops, no stream keeps it."""
    async with running(latest) as stream:
        page = stream.subscribe()
        await anext(page)
        stream.close()

        assert [sent async for sent in page] == []


def test_a_thousand_troubles_are_counted_and_not_sent() -> None:
    """The first twenty go to the page, with the number of all."""
    troubles = {f"tag-{n}": "BadNodeIdUnknown" for n in range(1000)}

    source = brief({"plant": "p", "sources": {"machines": {"state": "connected", "troubles": troubles}}})["sources"][
        "machines"
    ]

    assert (source["state"], len(source["troubles"]), source["troubles_in_all"]) == ("connected", 20, 1000)


def test_one_event_is_one_block() -> None:
    """The format of server-sent events: name, data, empty line; a line break in a text stays inside."""
    assert message("values", [[1, "a\nb"]]) == b'event: values\ndata: [[1,"a\\nb"]]\n\n'
