"""What can be set, and what is refused with a word of advice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.influx.names import trouble_with_signal, trouble_with_tag
from tests.agent.influx.worlds import config_for


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    """5,000 lines or a megabyte a request, reads large enough for lines of four fields."""
    config = config_for("http://influx:8086/", tmp_path / "token")

    assert ("http://influx:8086", "influx", "raceway") == (config.url, config.name, config.measurement)
    assert (5_000, 1_000_000, 20_000) == (config.batch_lines, config.batch_bytes, config.max_points)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"url": "influx:8086"}, "http://"),
        ({"url": "http://"}, "http://"),
        ({"url": "http://user:secret@influx:8086"}, "token_file"),
        ({"url": "http://influx:8086/?org=x"}, "settings of their own"),
        ({"measurement": "_internal"}, "start with a letter"),
        ({"measurement": "#comment"}, "start with a letter"),
        ({"measurement": "a\nb"}, "line ends"),
        ({"bucket": ""}, "at least 1 character"),
        ({"batch_lines": 0}, "greater than or equal to 1"),
        ({"timeout_s": 0}, "greater than 0"),
        ({"token": "secret"}, "Extra inputs"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_mistakes_are_refused(tmp_path: Path, settings: dict[str, object], advice: str) -> None:
    """Each mistake says what to write instead."""
    with pytest.raises(ValidationError) as caught:
        config_for(**{"url": "http://influx:8086", "token_file": tmp_path / "token", **settings})  # type: ignore[arg-type]

    assert advice in str(caught.value)


@pytest.mark.parametrize("name", ["speed", "时间", "time_s", "a b", "a\\b"])
def test_names_that_influxdb_can_have(name: str) -> None:
    """Nearly any name will do."""
    assert "" == trouble_with_signal(name) == trouble_with_tag(name)


@pytest.mark.parametrize("name", ["", "time", "speed\\"])
def test_names_that_influxdb_cannot_have(name: str) -> None:
    """A field that would vanish without a word is refused beforehand."""
    assert trouble_with_signal(name)


def test_the_configuration_needs_no_client_library() -> None:
    """Checking a configuration imports neither the InfluxDB client nor numpy."""
    code = "import sys, agent.influx.config; print(sorted({'influxdb_client', 'numpy', 'urllib3'} & set(sys.modules)))"

    assert "[]\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
