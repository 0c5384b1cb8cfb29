"""The live stream: what has changed, once a second, to every open page; a page that cannot follow is let go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

import orjson

from agent.dashboard.curves import Past, midnight
from agent.dashboard.latest import Event, Latest, Newest
from agent.dashboard.plant import Thing, as_json, mains, sort_out
from collectors.points import Kind

MOST_CLIENTS = 50
MOST_WAITING = 8  # messages; a page that is further behind reconnects and begins anew
MOST_COUNTERS = 500  # of which today's rise is computed
MOST_TROUBLES = 20  # of each source
TODAY_EVERY = 10  # ticks
OWN = "raceway"

Waiting = asyncio.Queue[bytes | None]


class Stream:
    """Server-sent events for all pages. Nothing is computed while no page is open."""

    def __init__(
        self,
        latest: Latest,
        past: Past | None,
        *,
        status: Callable[[], Mapping[str, object]],
        states: Mapping[int, str],
        tick_s: float = 1.0,
    ) -> None:
        self._latest = latest
        self._past = past
        self._status = status
        self._states = {str(number): word for number, word in states.items()}
        self._tick_s = tick_s
        self._clients: set[Waiting] = set()
        self._known = 0  # series that the open pages know
        self._seen = 0  # `latest.changes` that they have seen
        self._today: dict[int, float] = {}
        self._told_gap: Event | None = None  # the newest that the open pages know

    async def run(self) -> NoReturn:
        """Send what has changed, for ever."""
        ticks = 0
        while True:
            await asyncio.sleep(self._tick_s)
            if not self._clients:
                continue
            if ticks % TODAY_EVERY == 0:
                self._today = await self.rises_today()
                self._send(message("today", self._today))
            self._send(self._changes() + self._new_gaps() + message("status", brief(self._status())))
            ticks += 1

    async def subscribe(self) -> AsyncIterator[bytes]:
        """One page's stream: everything once, then what changes. Ends when the page is too slow or the agent stops."""
        waiting: Waiting = asyncio.Queue(MOST_WAITING)
        if not self._clients:
            self._today = await self.rises_today()
        if not self._clients:  # else the others still have to hear what is new
            self._known, self._seen = len(self._latest.series), self._latest.changes
        waiting.put_nowait(
            message("plant", self.plant())
            + message("today", self._today)
            + message("gaps", self._latest.newest_gaps())
            + message("status", brief(self._status()))
        )
        self._clients.add(waiting)
        try:
            while (sent := await waiting.get()) is not None:
                yield sent
        finally:
            self._clients.discard(waiting)

    @property
    def is_full(self) -> bool:
        """Whether as many pages are open as are served."""
        return len(self._clients) >= MOST_CLIENTS

    def close(self) -> None:
        """End every stream."""
        for waiting in list(self._clients):
            self._let_go(waiting)

    def plant(self) -> dict[str, object]:
        """Machines, meters, signals and their newest values."""
        catalogue = self._latest.series
        signals = [
            {
                "key": str(series),
                "machine": series.machine,
                "signal": series.signal,
                "unit": "" if series.unit == "1" else series.unit,
                "kind": series.kind.value,
                "source": self._latest.source(id_),
            }
            for id_, series in enumerate(catalogue)
        ]
        things = sort_out(catalogue, own=OWN)
        return {
            **as_json(things),
            "mains": mains(things, catalogue),
            "signals": signals,
            "states": self._states,
            "values": [row(newest) for newest in self._latest.newest()],
        }

    def things(self, *, are_meters: bool) -> list[dict[str, object]]:
        """Machines or meters with their newest values, by name."""
        found = [thing for thing in sort_out(self._latest.series, own=OWN) if thing.is_meter == are_meters]
        return [self._thing(thing) for thing in found]

    def _thing(self, thing: Thing) -> dict[str, object]:
        named: dict[str, object] = {"area": thing.area, "line": thing.line, "name": thing.name}
        if thing.state >= 0:
            state = self._latest.value(thing.state)
            number = int(state.value) if isinstance(state.value, float) else None
            named |= {"state": self._states.get(str(number), "unknown"), "since_ns": state.since_ns}
        signals: dict[str, object] = {}
        for id_ in thing.signals:
            series, newest = self._latest.series[id_], self._latest.value(id_)
            signals[series.signal] = {
                "value": newest.value,
                "unit": series.unit,
                "t_ns": newest.t_ns,
                "quality": newest.quality,
                **({"today": self._today[id_]} if id_ in self._today else {}),
            }
        return named | {"signals": signals}

    async def rises_today(self) -> dict[int, float]:
        """How much each counter rose since midnight of the gateway's clock, by series id."""
        ids = [i for i, series in enumerate(self._latest.series) if series.kind is Kind.COUNTER][:MOST_COUNTERS]
        if self._past is None or not ids:
            return {}
        now_s = time.time()
        offset = datetime.fromtimestamp(now_s).astimezone().utcoffset()
        start_s = midnight(now_s, utc_offset_s=int(offset.total_seconds()) if offset else 0)
        rises = await self._past.risen([self._latest.series[id_] for id_ in ids], start_s, int(now_s) + 60)
        return {id_: round(rise, 4) for id_, rise in zip(ids, rises, strict=True) if rise is not None}

    def _changes(self) -> bytes:
        """The values that changed; everything when there are new series, which is rare."""
        seen, self._seen = self._seen, self._latest.changes
        if len(self._latest.series) != self._known:
            self._known = len(self._latest.series)
            return message("plant", self.plant())
        return message("values", [row(newest) for newest in self._latest.newest(since=seen)])

    def _new_gaps(self) -> bytes:
        """All newest gaps where there is one more; nothing else, they are long."""
        newest = self._latest.gaps[-1] if self._latest.gaps else None
        if newest is self._told_gap:
            return b""
        self._told_gap = newest
        return message("gaps", self._latest.newest_gaps())

    def _send(self, sent: bytes) -> None:
        for waiting in list(self._clients):
            try:
                waiting.put_nowait(sent)
            except asyncio.QueueFull:
                self._let_go(waiting)

    def _let_go(self, waiting: Waiting) -> None:
        self._clients.discard(waiting)
        while not waiting.empty():
            waiting.get_nowait()
        waiting.put_nowait(None)


def brief(status: Mapping[str, Any]) -> dict[str, Any]:
    """The status with a few troubles of each source and how many there are: a thousand would be sent every second."""
    sources = {
        name: source
        | {
            "troubles": dict(list(source["troubles"].items())[:MOST_TROUBLES]),
            "troubles_in_all": len(source["troubles"]),
        }
        for name, source in status.get("sources", {}).items()
    }
    return {**status, "sources": sources}


def row(newest: Newest) -> tuple[int, int, float | str | None, int, int]:
    """Id, time in ms, value, quality, since when in ms: as JSON numbers can hold them."""
    return newest.id, newest.t_ns // 1_000_000, newest.value, newest.quality, newest.since_ns // 1_000_000


def message(event: str, content: object) -> bytes:
    """One server-sent event."""
    body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    return b"event: %b\ndata: %b\n\n" % (event.encode(), body)
