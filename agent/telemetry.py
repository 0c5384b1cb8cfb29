"""The journal: what the agent says of itself, as events on state edges, without secrets.

structlog's own events and the warnings of the libraries leave through the same processors: JSON where a machine reads
them (journald, a file), colours where a person does. `logger` is always structlog; `log` is the durable log.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "text"]

HIDDEN = "***"
_SECRET_KEY = re.compile(r"token|passw|passphrase|secret|authorization|credential|private_key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?<=://)(?P<user>[^/:@\s]*):[^/@\s]+@|\b(?P<scheme>Token|Bearer|Basic)\s+(?=\S*[\d=])[\w.~+/=-]{16,}"
)
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog's numbers


def configure(*, level: Level = "info", format: Format = "auto", stream: TextIO | None = None) -> None:  # noqa: A002
    """Set up structlog and the standard library's logging; the last call holds.

    level: of the agent's own events. Libraries are heard from WARNING on.
    format: "auto" is text on a terminal and JSON elsewhere.
    """
    stream = stream or sys.stderr
    for_people = format == "text" or (format == "auto" and stream.isatty())
    render = _for_people(stream) if for_people else _for_machines()
    say_who_and_when: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_people else "iso", utc=not for_people),
        structlog.stdlib.ExtraAdder(),
    ]
    own_level = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*say_who_and_when[:-1], *render],
        wrapper_class=structlog.make_filtering_bound_logger(own_level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,  # module-level loggers must notice a later configure
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*say_who_and_when, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=max(own_level, logging.WARNING), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def configure_for_a_command() -> None:
    """What a command that ends soon has to say beside its answer: warnings, on standard error."""
    structlog.configure(
        processors=[_only_warnings, structlog.stdlib.add_log_level, *_for_people(sys.stderr)],
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _only_warnings(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if method in ("debug", "info"):
        raise structlog.DropEvent
    return event


def hide_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace what looks like a secret, by the name of its key or by its form inside a text."""
    return {key: _hidden(key, value) for key, value in event.items()}


def _hidden(key: str, value: object) -> object:
    if _SECRET_KEY.search(key) and not key.endswith("_file"):  # a file's path is no secret
        return HIDDEN
    match value:
        case str():
            return _SECRET_TEXT.sub(_hidden_text, value)
        case Mapping():
            return {inner: _hidden(str(inner), inner_value) for inner, inner_value in value.items()}
        case list() | tuple():
            return [_hidden("", item) for item in value]
        case BaseException():
            return _SECRET_TEXT.sub(_hidden_text, repr(value))
    return value


def _hidden_text(found: re.Match[str]) -> str:
    return f"{found['scheme']} {HIDDEN}" if found["scheme"] else f"{found['user']}:{HIDDEN}@"


def _for_people(stream: TextIO) -> list[Processor]:
    # The default traceback shows local variables where rich is installed, secrets among them.
    return [
        hide_secrets,
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        ),
    ]


def _for_machines() -> list[Processor]:
    serializer = _journal_line if "JOURNAL_STREAM" in os.environ else _json
    return [
        structlog.processors.format_exc_info,
        hide_secrets,
        structlog.processors.JSONRenderer(serializer=serializer),
    ]


def _json(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _journal_line(event: EventDict, **_: object) -> str:
    """Put syslog's priority before a line; journald takes it off again, and `journalctl -p warning` works."""
    return f"<{_PRIORITY[event['level']]}>{_json(event)}"
