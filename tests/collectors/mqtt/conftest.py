"""Fixtures of the MQTT tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collectors.mqtt.life import FakeLog
from tests.servers.mosquitto import Mosquitto


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running
