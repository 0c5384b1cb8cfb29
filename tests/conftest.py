"""Rules for the whole suite: which tests need a real server, and what happens when it is missing.

`@pytest.mark.real("mosquitto")` skips the test with the reason where the server is missing. Where CI=true it fails
instead, and so does a run that skipped anything at all.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a busy machine is no defect. In CI the same examples each time; elsewhere new ones are looked for.
settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("house")

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raceway"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that was tested in this process may have silenced the libraries."""
    yield
    logging.disable(logging.NOTSET)


def on_path(command: str) -> str | None:
    """The command's path; system folders count, since a user's PATH leaves out where Debian keeps mosquitto."""
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def in_cache(*parts: str) -> str | None:
    """What scripts/test builds or installs once into the cache folder."""
    path = CACHE.joinpath(*parts)
    return str(path) if path.exists() else None


SERVERS: dict[str, Callable[[], str | None]] = {
    "mosquitto": lambda: on_path("mosquitto"),
    "influxd": lambda: on_path("influxd") or in_cache("influxdb", "influxd"),
    "node-opcua": lambda: on_path("node") and in_cache("node-opcua", "node_modules", "node-opcua"),
    "milo": lambda: on_path("java") and in_cache("milo", "stamp"),
    "sparkplug-node": lambda: on_path("node") and in_cache("sparkplug-node", "node_modules", "sparkplug-client"),
    "chromium": lambda: on_path("chromium"),
    "systemd-analyze": lambda: on_path("systemd-analyze"),
    "strace": lambda: on_path("strace"),
}


def is_ci() -> bool:
    """Whether a missing server is an error."""
    return os.environ.get("CI") == "true"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test, or fail it in CI, when a real server that it names is missing."""
    for marker in item.iter_markers("real"):
        for server in marker.args:
            if SERVERS[server]():
                continue
            reason = f"{server} is missing; scripts/test installs it, or says how"
            if is_ci():
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI, fail a run that skipped a test for whatever reason."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if is_ci() and reporter is not None and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line("CI=true: tests were skipped, so this run has failed", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
