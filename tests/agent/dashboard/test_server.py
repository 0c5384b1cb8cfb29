"""The HTTP server: what it answers, and to whom."""

import asyncio
import contextlib
import socket
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.types import Message
from structlog.testing import capture_logs

from agent.dashboard.config import DashboardConfig
from agent.dashboard.latest import Latest
from agent.dashboard.server import Pages, application, serve
from agent.sink import Entry
from agent.status import Board, SinkStatus
from collectors.points import Batch, Kind, Point, Series
from collectors.source import SourceStatus

POINTS = [
    Point(Series("p", "a", "l", "cnc-1", "state", "", Kind.STATE), 1_000_000, 3.0),
    Point(Series("p", "a", "l", "进线 1", "energy", "kWh", Kind.COUNTER), 2_000_000, 12.5),
]


def metrics() -> tuple[bytes, str]:
    return b"raceway_up 1\n", "text/plain; version=0.0.4"


@pytest.fixture
def board() -> Board:
    board = Board(plant="p")
    board.sources["machines"] = SourceStatus("opcua", state="connected")
    board.sinks["influx"] = SinkStatus("influxdb", state="delivering")
    return board


@pytest.fixture
async def latest() -> Latest:
    latest = Latest(recent_points=10)
    await latest.write([Entry(1, Batch.of("s", POINTS, received_ns=0))])
    return latest


class Answer:
    """One answer, whole."""

    def __init__(self) -> None:
        self.status_code = 0
        self.headers: dict[str, str] = {}
        self.content = b""

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return orjson.loads(self.content)


class Client:
    """Asks an ASGI application directly, without a server."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def get(self, url: str, *, host: str = "127.0.0.1:8484", method: str = "GET") -> Answer:
        path, _, query = url.partition("?")
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
        scope |= {"headers": [(b"host", host.encode())], "http_version": "1.1", "scheme": "http", "root_path": ""}
        answer = Answer()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            answer.content += message.get("body", b"")

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        await self._app(scope, receive, send)
        return answer


def client(board: Board, latest: Latest, **settings: object) -> Client:
    config = DashboardConfig.model_validate(settings)
    pages = Pages(config, board=board, latest=latest, past=None, metrics=metrics)
    return Client(application(pages, config))


async def test_the_page_loads_only_its_own(board: Board, latest: Latest) -> None:
    """The page comes with a policy that lets nothing in from outside."""
    answer = await client(board, latest, language="zh").get("/")

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert 'data-language="zh"' in answer.text


async def test_machines_and_meters_by_name(board: Board, latest: Latest) -> None:
    """Scripts get states as words and values with their units."""
    asked = client(board, latest)
    (machine,) = (await asked.get("/api/machines")).json()
    (meter,) = (await asked.get("/api/meters")).json()

    assert (machine["name"], machine["state"], machine["since_ns"]) == ("cnc-1", "running", 1_000_000)
    assert meter["signals"]["energy"] == {"value": 12.5, "unit": "kWh", "t_ns": 2_000_000, "quality": 0}


async def test_status_is_the_board(board: Board, latest: Latest) -> None:
    """Everything the parts say of themselves."""
    status = (await client(board, latest).get("/api/status")).json()

    assert (status["plant"], status["sources"]["machines"]["state"], status["history"]) == ("p", "connected", None)


async def test_a_curve_by_path(board: Board, latest: Latest) -> None:
    """Names with slashes and Chinese letters work; unknown names and ranges are told what there is."""
    asked = client(board, latest)

    assert (await asked.get("/api/series/p/a/l/进线 1/energy?range=10m")).json()["unit"] == "kWh"
    assert (await asked.get("/api/series/nothing")).status_code == 404
    assert "10m, 1h, 24h" in (await asked.get("/api/series/p/a/l/cnc-1/state?range=2y")).json()["error"]


async def test_ready_says_what_is_missing(board: Board, latest: Latest) -> None:
    """A lost source, a blocked sink and a log that does not write are named with their reasons."""
    assert (await client(board, latest).get("/readyz")).json() == {"ready": True, "missing": []}
    board.sources["machines"].lost("no route to host; is the cable in?")
    board.sinks["influx"].hold("the token is refused", "auth")
    board.log = lambda: {"state": "full", "reason": "no space left"}

    answer = await client(board, latest).get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["missing"] == [
        "source machines: lost. no route to host; is the cable in?",
        "sink influx: blocked. the token is refused",
        "log: full. no space left",
    ]


async def test_healthy_while_the_loop_turns(board: Board, latest: Latest) -> None:
    """A loop that is half a minute late is not healthy."""
    assert (await client(board, latest).get("/healthz")).status_code == 200
    board.loop_lag_s = 31.0

    assert (await client(board, latest).get("/healthz")).status_code == 503


async def test_metrics_are_passed_on(board: Board, latest: Latest) -> None:
    """What the renderer gives, with its content type."""
    answer = await client(board, latest).get("/metrics")

    assert (answer.content, answer.headers["content-type"]) == metrics()


@pytest.mark.parametrize(
    ("listen", "hosts", "host", "expected"),
    [
        ("127.0.0.1:8484", [], "localhost:8484", 200),
        ("127.0.0.1:8484", [], "evil.example", 421),
        ("127.0.0.1:8484", ["gateway.plant"], "gateway.plant", 200),
        ("0.0.0.0:8484", [], "gateway.plant", 200),
        ("0.0.0.0:8484", ["gateway.plant"], "evil.example", 421),
    ],
)
async def test_names_under_which_the_page_is_served(
    board: Board, latest: Latest, listen: str, hosts: list[str], host: str, expected: int
) -> None:
    """A foreign name that points at the loopback address gets nothing (DNS rebinding)."""
    asked = client(board, latest, listen=listen, hosts=hosts, allow_remote=True)

    assert (await asked.get("/healthz", host=host)).status_code == expected


async def test_nothing_can_be_written(board: Board, latest: Latest) -> None:
    """No route takes anything but GET."""
    asked = client(board, latest)

    for path in ("/", "/api/status", "/api/machines", "/metrics"):
        assert (await asked.get(path, method="POST")).status_code == 405


@contextlib.asynccontextmanager
async def served(board: Board, latest: Latest, listen: str) -> AsyncIterator[asyncio.Queue[str]]:
    bound: asyncio.Queue[str] = asyncio.Queue()
    config = DashboardConfig(listen=listen)
    running = serve(config, board=board, latest=latest, past=None, metrics=metrics, on_bound=bound.put_nowait)
    task = asyncio.create_task(running)
    yield bound
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_any_free_port_and_a_live_stream(board: Board, latest: Latest) -> None:
    """Port 0 takes a free port and says which; an open stream does not hold up the end."""
    async with served(board, latest, "127.0.0.1:0") as bound:
        address = await bound.get()

        def first_line() -> bytes:
            with urllib.request.urlopen(f"{address}/api/stream", timeout=5) as stream:
                return bytes(stream.readline())

        assert await asyncio.to_thread(first_line) == b"event: plant\n"


async def test_a_port_that_is_taken_is_said_and_waited_for(board: Board, latest: Latest) -> None:
    """One clear line in the journal; when the port is free the page is there."""
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    with capture_logs() as journal:
        async with served(board, latest, f"127.0.0.1:{port}") as bound, asyncio.timeout(5):
            await asyncio.sleep(0)  # the first try
            taken.close()
            address = await bound.get()

    assert address == f"http://127.0.0.1:{port}"
    assert [line["event"] for line in journal] == ["dashboard.refused"]


async def test_silence_is_not_ready(board: Board, latest: Latest) -> None:
    """A source that is connected and delivers nothing against its rhythm is said, with what to check."""
    board.sources["machines"].since_monotonic -= 400
    asked = client(board, latest)
    answer = await asked.get("/readyz")

    assert answer.status_code == 503
    assert "source machines: no values for 400 s" in answer.json()["missing"][0]
    assert (await asked.get("/api/status")).json()["sources"]["machines"]["silent_s"] >= 400


async def test_gaps_one_by_one(board: Board, latest: Latest) -> None:
    """The newest holes, as the page lists them."""
    gap = Point(
        Series("p", "", "", "machines", "gap", "", Kind.EVENT),
        5,
        '{"from_ns":1,"to_ns":2,"reason":"link_lost","series":[]}',
    )
    await latest.write([Entry(2, Batch.of("machines", [gap], received_ns=5))])

    expected = [{"source": "machines", "from_ns": 1, "to_ns": 2, "reason": "link_lost", "series": []}]
    assert (await client(board, latest).get("/api/gaps")).json() == expected
