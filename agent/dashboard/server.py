"""The HTTP server: the page, its data, health and metrics, inside the agent's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import orjson
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from agent.backoff import Backoff
from agent.dashboard.config import LOOPBACK, DashboardConfig
from agent.dashboard.curves import RANGES, Past, curve
from agent.dashboard.guard import Guard
from agent.dashboard.latest import Latest
from agent.dashboard.stream import Stream
from agent.status import Board

logger = structlog.get_logger(__name__)

STATIC = Path(__file__).parent / "static"
STUCK_S = 30.0  # a loop that is this late is not healthy
STOP_S = 1.0  # for open connections to end
REFUSED = (
    "The page cannot be served at this address; is another program using the port? "
    "Set dashboard.listen to another one. Everything else runs on."
)

Metrics = Callable[[], tuple[bytes, str]]


class Pages:
    """The answers. Each is a view of the board, of Latest or of the history; none of them changes anything."""

    def __init__(
        self, config: DashboardConfig, *, board: Board, latest: Latest, past: Past | None, metrics: Metrics
    ) -> None:
        self._config = config
        self._board = board
        self._latest = latest
        self._past = past
        self._metrics = metrics
        self.stream = Stream(latest, past, status=self.status, states=config.states)

    def status(self) -> Mapping[str, object]:
        """The board, with what the local history has taken in over all runs."""
        taken = None if self._past is None else {"points": dict(self._past.points)}
        return {**self._board.snapshot(), "now_ns": time.time_ns(), "history": taken}

    async def page(self, _: Request) -> Response:
        """The page itself, in the configured language."""
        html = (STATIC / "index.html").read_text("utf-8")
        return Response(
            html.replace('data-language="auto"', f'data-language="{self._config.language}"'),
            200,
            media_type="text/html",
        )

    async def status_json(self, _: Request) -> Response:
        """Everything that the parts of the agent say of themselves."""
        return as_json(self.status())

    async def plant_json(self, _: Request) -> Response:
        """Machines, meters, signals and newest values, as the page gets them."""
        return as_json(self.stream.plant())

    async def machines(self, _: Request) -> Response:
        """Machines by name, for scripts."""
        return as_json(self.stream.things(are_meters=False))

    async def meters(self, _: Request) -> Response:
        """Meters by name, with what they counted today, for scripts."""
        return as_json(self.stream.things(are_meters=True))

    async def series(self, request: Request) -> Response:
        """A curve of one series: /api/series/<plant/area/line/machine/signal>?range=10m|1h|24h|7d|90d."""
        id_ = self._latest.find(request.path_params["key"])
        range_ = RANGES.get(request.query_params.get("range", "10m"))
        if id_ is None:
            return as_json({"error": "No such series. /api/plant lists them under 'signals', as 'key'."}, 404)
        if range_ is None:
            return as_json({"error": f"No such range; one of {', '.join(RANGES)}."}, 400)
        columns = await curve(self._latest, self._past, id_, range_=range_, now_ns=time.time_ns())
        series = self._latest.series[id_]
        return as_json({"key": str(series), "unit": series.unit, "step_s": range_.step_s, **columns})

    async def gaps(self, _: Request) -> Response:
        """The newest holes in the data, newest first; `raceway gaps` lists all."""
        return as_json(self._latest.newest_gaps())

    async def events(self, _: Request) -> Response:
        """The live stream."""
        if self.stream.is_full:
            return PlainTextResponse("Too many pages are open.\n", 503, {"Retry-After": "10"})
        return StreamingResponse(self.stream.subscribe(), media_type="text/event-stream")

    async def healthz(self, _: Request) -> Response:
        """Whether the agent lives: it answers, and its loop turns."""
        late_s = self._board.loop_lag_s
        return PlainTextResponse(f"loop {late_s:.3f} s late\n", 200 if late_s < STUCK_S else 503)

    async def readyz(self, _: Request) -> Response:
        """Whether every source delivers, no sink is blocked and the log is writing; if not, what is missing."""
        missing = list(what_is_missing(self._board))
        return as_json({"ready": not missing, "missing": missing}, 503 if missing else 200)

    async def metrics(self, _: Request) -> Response:
        """The board in Prometheus' format."""
        body, content_type = self._metrics()
        return Response(body, headers={"Content-Type": content_type})


def what_is_missing(board: Board) -> Iterator[str]:
    """Why the agent is not ready, one line for each part."""
    for name, source in board.sources.items():
        if source.state != "connected":
            yield f"source {name}: {source.state}. {source.reason}".strip()
        elif silent_s := source.silent_s(time.monotonic()):
            yield (
                f"source {name}: no values for {silent_s:.0f} s though it is connected. "
                "Are the machines or meters behind it switched on and sending?"
            )
    for name, sink in board.sinks.items():
        if sink.state == "blocked":
            yield f"sink {name}: blocked. {sink.reason}".strip()
    log = board.log()
    if log.get("state", "ok") != "ok":
        yield f"log: {log.get('state')}. {log.get('reason', '')}".strip()


def as_json(content: object, status_code: int = 200) -> Response:
    """An answer as JSON."""
    body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status_code, media_type="application/json")


def application(pages: Pages, config: DashboardConfig) -> Starlette:
    """The routes."""
    hosts = {*config.hosts, *LOOPBACK} if config.host in LOOPBACK else {*config.hosts}
    return Starlette(
        routes=[
            Route("/", pages.page),
            Route("/api/status", pages.status_json),
            Route("/api/plant", pages.plant_json),
            Route("/api/machines", pages.machines),
            Route("/api/meters", pages.meters),
            Route("/api/series/{key:path}", pages.series),
            Route("/api/gaps", pages.gaps),
            Route("/api/stream", pages.events),
            Route("/healthz", pages.healthz),
            Route("/readyz", pages.readyz),
            Route("/metrics", pages.metrics),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, hosts=frozenset(host.lower() for host in hosts))],
    )


async def serve(
    config: DashboardConfig,
    *,
    board: Board,
    latest: Latest,
    past: Past | None,
    metrics: Metrics,
    on_bound: Callable[[str], None],
) -> NoReturn:
    """Serve the page until cancelled; on_bound gets its address, again if it had to begin anew.

    A port that is taken is waited for, and a fault of the page ends the page, never the agent.
    """
    backoff = Backoff(first_s=1.0, most_s=30.0)
    refused = ""
    while True:
        try:
            listening = _listening(config)
        except OSError as error:
            if refused != str(error):  # once, not at every try
                refused = str(error)
                logger.error("dashboard.refused", listen=config.listen, reason=REFUSED, error=refused)
        else:
            host, port = listening.getsockname()[:2]
            on_bound(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            try:
                await _serve_on(
                    listening, config, Pages(config, board=board, latest=latest, past=past, metrics=metrics)
                )
            except Exception:
                logger.exception("dashboard.failed")
        await backoff.pause()


async def _serve_on(listening: socket.socket, config: DashboardConfig, pages: Pages) -> None:
    """One life of the server."""
    settings = uvicorn.Config(
        application(pages, config), lifespan="off", log_config=None, access_log=False, server_header=False, ws="none"
    )
    server = _Server(settings)
    lives = [
        asyncio.create_task(server.serve(sockets=[listening]), name="dashboard:http"),
        asyncio.create_task(pages.stream.run(), name="dashboard:stream"),
    ]
    try:
        done, _ = await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
        for life in done:
            life.result()
    finally:
        pages.stream.close()
        server.end()
        lives[1].cancel()
        await asyncio.wait(lives, timeout=STOP_S)
        listening.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, for the agent has its own, and without waking up ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_over = asyncio.Event()

    async def main_loop(self) -> None:
        """Until the end; a tick keeps the date of the answers true."""
        while not self._is_over.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._is_over.wait()

    def end(self) -> None:
        """End at once, whoever is connected."""
        self.should_exit = self.force_exit = True
        self._is_over.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def _listening(config: DashboardConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    return socket.create_server((config.host, config.port), family=family, backlog=128)
