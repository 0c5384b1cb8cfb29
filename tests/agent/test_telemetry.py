"""The journal's lines, as a machine and as a person see them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from agent import telemetry

logger = structlog.get_logger("tests.telemetry")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is global: give it back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_machines_read_json() -> None:
    """Outside a terminal an event is one JSON object with its level, its time in UTC and its fields."""
    stream = io.StringIO()
    telemetry.configure(stream=stream)

    logger.warning("source.lost", source="机床", attempts=2)

    (line,) = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert {"event": "source.lost", "level": "warning", "source": "机床", "attempts": 2} == line


def test_people_read_text() -> None:
    """With format text an event is a line for people, without colours where there is no terminal."""
    stream = io.StringIO()
    telemetry.configure(format="text", stream=stream)

    logger.info("source.connected", source="machines")

    assert "source.connected" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


def test_level_holds() -> None:
    """Events below the configured level are not written."""
    stream = io.StringIO()
    telemetry.configure(level="warning", stream=stream)

    logger.info("source.connected")
    logger.warning("source.lost")

    assert ["source.lost"] == [line["event"] for line in lines(stream)]


def test_libraries_from_warning_on() -> None:
    """A library's warning goes the same way, with its logger's name; its chatter does not, even at level debug."""
    stream = io.StringIO()
    telemetry.configure(level="debug", stream=stream)

    logging.getLogger("paho.client").info("renewing the channel")
    logging.getLogger("paho.client").warning("late by %d s", 3)

    (line,) = [line for line in lines(stream) if str(line["logger"]).startswith("paho")]
    assert ("paho.client", "late by 3 s", "warning") == (line["logger"], line["event"], line["level"])


def test_exception_is_one_line() -> None:
    """A traceback is a field of its event, not thirty lines."""
    stream = io.StringIO()
    telemetry.configure(stream=stream)

    try:
        raise ValueError("no such tag")
    except ValueError:
        logger.exception("source.failed")

    (line,) = lines(stream)
    assert "ValueError: no such tag" in str(line["exception"])


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        pytest.param({"token": "abc"}, {"token": "***"}, id="token"),
        pytest.param({"mqtt_password": "abc"}, {"mqtt_password": "***"}, id="password"),
        pytest.param({"token_file": "/etc/raceway/t"}, {"token_file": "/etc/raceway/t"}, id="the file's path stays"),
        pytest.param({"headers": {"Authorization": "x"}}, {"headers": {"Authorization": "***"}}, id="nested"),
        pytest.param({"url": "mqtt://jan:geheim@b:1"}, {"url": "mqtt://jan:***@b:1"}, id="inside a URL"),
        pytest.param({"url": "opc.tcp://plc:4840/a@b"}, {"url": "opc.tcp://plc:4840/a@b"}, id="a URL without one"),
        pytest.param({"error": "sent Token aB3-_xyz0123456789=="}, {"error": "sent Token ***"}, id="inside a header"),
        pytest.param({"error": "Token authentication failed"}, {"error": "Token authentication failed"}, id="prose"),
        pytest.param({"error": OSError("amqp://u:p@h")}, {"error": "OSError('amqp://u:***@h')"}, id="an exception"),
        pytest.param({"urls": ["a://u:p@h"]}, {"urls": ["a://u:***@h"]}, id="in a list"),
    ],
)
def test_secrets_are_hidden(fields: dict[str, object], shown: dict[str, object]) -> None:
    """What is named like a secret, or looks like one inside a text, is never written."""
    assert shown == telemetry.hide_secrets(None, "info", fields)


def test_journal_gets_priorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under journald a line starts with syslog's priority, so that `journalctl -p warning` finds it."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    stream = io.StringIO()
    telemetry.configure(stream=stream)

    logger.warning("sink.blocked")

    assert stream.getvalue().startswith('<4>{"')


def test_local_variables_stay_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback for people shows no local variables: they hold secrets."""
    stream = io.StringIO()
    telemetry.configure(format="text", stream=stream)

    def connect(word: str) -> None:
        raise ConnectionError("refused")

    try:
        connect("hush-hush")
    except ConnectionError:
        logger.exception("sink.failed")

    assert "refused" in stream.getvalue()
    assert "hush-hush" not in stream.getvalue().replace('connect("hush-hush")', "")
