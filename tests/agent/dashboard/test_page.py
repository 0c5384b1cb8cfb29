"""The page in a real browser: it loads only its own, works without errors, and speaks both languages."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.dashboard.config import DashboardConfig
from agent.dashboard.latest import Latest
from agent.dashboard.server import serve
from agent.sink import Entry
from agent.status import Board, SinkStatus
from collectors.points import Batch, Kind, Point, Series
from collectors.source import SourceStatus

pytestmark = pytest.mark.real("chromium")

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1280,900"),
    "--remote-debugging-pipe",
)
FIRST_FREE_FD = 20
PATIENCE_S = 20.0

STATE = Series("轴承一厂", "车间", "线 1", "cnc-1", "state", "", Kind.STATE)
POWER = Series("轴承一厂", "车间", "线 1", "cnc-1", "active_power", "kW")
ENERGY = Series("轴承一厂", "车间", "线 1", "cnc-1", "active_energy", "kWh", Kind.COUNTER)
ODD = Series("轴承一厂", "车间", "线 1", "cnc-1", "<img src=x onerror=alert(1)>", "", Kind.TEXT)


class Browser:
    """Chromium over its debugging pipe: messages are JSON, ended by a zero byte."""

    def __init__(self, reader: asyncio.StreamReader, write_fd: int) -> None:
        self._reader = reader
        self._write_fd = write_fd
        self._session = ""
        self._number = 0
        self.errors: list[str] = []
        self.requests: list[str] = []

    async def open(self) -> None:
        """A tab that reports its errors and requests."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._write_fd, json.dumps(asked).encode() + b"\0")
        while True:
            message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            if message.get("id") == self._number:
                return dict(message.get("result", {}))
            self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    async def value(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        deadline = time.monotonic() + PATIENCE_S
        while not await self.value(expression):
            assert time.monotonic() < deadline, f"{expression} did not come true; errors: {self.errors}"
            await asyncio.sleep(0.05)


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, FIRST_FREE_FD) for fd in (to_read, from_write)]
    os.close(to_read)
    os.close(from_write)
    program = shutil.which("chromium") or "chromium"
    script = f'exec 3<&{theirs[0]} 4>&{theirs[1]}; exec "$0" "$@"'
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script, program, *FLAGS, f"--user-data-dir={tmp_path}", "about:blank"),
        pass_fds=theirs,
        start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    for fd in theirs:
        os.close(fd)
    reader = asyncio.StreamReader(limit=1 << 24)
    pipe = os.fdopen(from_read, "rb")
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    browser = Browser(reader, to_write)
    await browser.open()
    yield browser
    transport.close()
    os.close(to_write)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@pytest.fixture
async def latest() -> Latest:
    latest = Latest(recent_points=1000)
    now_ns = time.time_ns()
    points = [Point(POWER, now_ns - s * 1_000_000_000, 40.0 + s % 5) for s in range(300, 0, -1)]
    points += [Point(STATE, now_ns, 3.0), Point(ENERGY, now_ns, 1234.5), Point(ODD, now_ns, "<b>text</b>")]
    await latest.write([Entry(1, Batch.of("machines", points, received_ns=now_ns))])
    return latest


@pytest.fixture
def bound() -> asyncio.Queue[str]:
    return asyncio.Queue()


@pytest.fixture
def board() -> Board:
    board = Board(plant="轴承一厂")
    board.sources["machines"] = SourceStatus("opcua", "opc.tcp://10.0.0.1:4840", state="connected", points=4242)
    board.sources["meters"] = SourceStatus("mqtt", state="lost", reason="Connection refused; is the broker running?")
    board.sinks["influx"] = SinkStatus("influxdb", state="delivering", points=77)
    return board


@pytest.fixture
async def page(board: Board, latest: Latest, bound: asyncio.Queue[str]) -> AsyncIterator[asyncio.Task[None]]:
    config = DashboardConfig(listen="127.0.0.1:0")
    running = serve(config, board=board, latest=latest, past=None, metrics=lambda: (b"", ""), on_bound=bound.put_nowait)
    task = asyncio.create_task(running)
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def address(page: asyncio.Task[None], bound: asyncio.Queue[str]) -> str:
    return await bound.get()


async def test_the_page_in_both_languages(browser: Browser, address: str, latest: Latest) -> None:
    """Headings in English and Chinese, values that follow, hints, no error and no request to anywhere else."""
    await browser.call("Page.navigate", url=f"{address}/?lang=en&theme=light")
    await browser.until("document.querySelector('.card .state')?.textContent === 'Running'")
    await browser.until("document.querySelector('#plot canvas') !== null")

    assert await browser.value("document.querySelector('#plant').textContent") == "轴承一厂"
    assert await browser.value("document.querySelector('#machines-title').textContent") == "Machines"
    assert "is the broker running?" in await browser.value("document.querySelector('#sources').textContent")
    assert "4,242" in await browser.value("document.querySelector('#sources').textContent")
    assert await browser.value("document.querySelector('#headline').textContent") == "1 thing to look at"

    power = Point(POWER, time.time_ns(), 87.3)
    await latest.write([Entry(2, Batch.of("machines", [power], received_ns=power.t_ns))])
    await browser.until("document.querySelector('.facts').textContent.includes('87.3')")

    await browser.value("document.querySelector('.card details').open = true")
    await browser.until("document.querySelector('.signals').textContent.includes('<b>text</b>')")

    await browser.value("document.querySelector('#language').click()")
    await browser.until("document.querySelector('#machines-title').textContent === '设备'")

    assert await browser.value("document.documentElement.lang") == "zh-CN"
    assert await browser.value("document.querySelector('.card .state').textContent") == "运行"
    assert browser.errors == []
    assert [url for url in browser.requests if not url.startswith((address, "about:", "data:"))] == []


async def test_silence_and_gaps_are_said(browser: Browser, address: str, board: Board, latest: Latest) -> None:
    """A silent source is in the headline, its cards are grey with their age, and each gap has a row."""
    await browser.call("Page.navigate", url=f"{address}/?lang=en&theme=light")
    await browser.until("document.querySelector('.card .state')?.textContent === 'Running'")
    assert await browser.value("document.querySelector('.card.old')") is None

    board.sources["machines"].since_monotonic -= 400
    said = (
        '{"from_ns":1000000000,"to_ns":61000000000,"reason":"link_lost","points":7,"series":[],"detail":"5 recovered"}'
    )
    gap = Point(Series("轴承一厂", "", "", "machines", "gap", "", Kind.EVENT), 10**9, said)
    await latest.write([Entry(3, Batch.of("machines", [gap], received_ns=10**9))])
    await browser.until("document.querySelector('.card.old') !== null")
    await browser.until("document.querySelector('#gap-list tbody tr') !== null")

    assert await browser.value("document.querySelector('#headline').textContent") == "2 things to look at"
    assert "No values for 6 min" in await browser.value("document.querySelector('#sources').textContent")
    assert "values of" in await browser.value("document.querySelector('.card .since').textContent")
    row = await browser.value("document.querySelector('#gap-list tbody').textContent")
    assert all(word in row for word in ("machines", "connection lost", "1 min", "7", "5 recovered"))
    assert browser.errors == []


async def test_theme_and_width(browser: Browser, address: str) -> None:
    """Dark is dark, and on a phone nothing is wider than the screen."""
    await browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    await browser.call("Page.navigate", url=f"{address}/?lang=zh&theme=dark")
    await browser.until("document.querySelector('.card .state')?.textContent === '运行'")

    assert await browser.value("document.documentElement.dataset.theme") == "dark"
    assert await browser.value("document.documentElement.scrollWidth") <= 360
    for theme in ("dark", "light"):
        await browser.value(f"document.documentElement.dataset.theme = '{theme}'")
        assert await browser.value(LOW_CONTRAST) == []
    assert browser.errors == []


async def test_an_agent_that_is_gone_is_said(browser: Browser, address: str, page: asyncio.Task[None]) -> None:
    """Without a word for six seconds a banner says so; values stay, with their time."""
    await browser.call("Page.navigate", url=f"{address}/?lang=en&theme=light")
    await browser.until("document.querySelector('.card') !== null")
    page.cancel()
    await browser.until("!document.querySelector('#banner').hidden")

    assert "cannot be reached" in await browser.value("document.querySelector('#banner').textContent")


LOW_CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = numbers(colour).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0.9) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const low = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!says || !element.offsetParent) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.add(`${element.className}: ${element.textContent.slice(0, 30)}`);
  }
  return [...low];
})()
"""
