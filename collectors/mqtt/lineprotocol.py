"""InfluxDB line protocol as documents, pure: `pump,host=p1 temp=21.4,on=t 1700000000000000000`.

Source: InfluxDB's line protocol reference. A backslash escapes a comma, an equals sign, a blank; in quoted texts a
quote and a backslash.
"""

from __future__ import annotations

import re

_TRUE, _FALSE = {"t", "T", "true", "True", "TRUE"}, {"f", "F", "false", "False", "FALSE"}
_HEAD = re.compile(r"((?:\\.|[^\\ ])+) +")
_FIELD = re.compile(r'((?:\\.|[^\\=, ])+)=("(?:\\.|[^"\\])*"|[^", ]+)(,|(?= |$))', re.DOTALL)
_LINE = re.compile(r'((?:"(?:\\.|[^"\\])*"|[^"\n])*)(?:\n|$)', re.DOTALL)  # a quoted text may hold line ends
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_IN_TEXT = re.compile(r'\\(["\\])')
_SHOWN = 60


def read_lines(text: str) -> list[dict[str, object]]:
    """Each line as {measurement, tags, fields, time}; without `time` where the line has none.

    Raises ValueError, for people.
    """
    documents: list[dict[str, object]] = []
    at = 0
    while at < len(text):
        found = _LINE.match(text, at)
        if found is None:  # a quote that does not end
            raise _refused(text[at:])
        at = found.end()
        line = found[1].strip()
        if line and not line.startswith("#"):
            documents.append(_read(line))
    return documents


def _read(line: str) -> dict[str, object]:
    head = _HEAD.match(line)
    if head is None:
        raise _refused(line)
    measurement, *tags = re.split(r"(?<!\\),", head[1])
    pairs = [re.split(r"(?<!\\)=", tag, maxsplit=1) for tag in tags]
    if any(len(pair) != 2 for pair in pairs):
        raise _refused(line)
    fields, at = _fields(line, head.end())
    document: dict[str, object] = {
        "measurement": _plain(measurement),
        "tags": {_plain(key): _plain(value) for key, value in pairs},
        "fields": fields,
    }
    stamp = line[at:].strip()
    if stamp:
        if not stamp.lstrip("-").isdecimal():
            raise _refused(line)
        document["time"] = int(stamp)
    return document


def _fields(line: str, at: int) -> tuple[dict[str, object], int]:
    """The fields from `at` on, and where they end."""
    fields: dict[str, object] = {}
    while True:
        found = _FIELD.match(line, at)
        if found is None:
            raise _refused(line)
        fields[_plain(found[1])] = _value(found[2], line)
        at = found.end()
        if not found[3]:
            return fields, at


def _value(written: str, line: str) -> object:
    if written.startswith('"'):
        return _ESCAPED_IN_TEXT.sub(r"\1", written[1:-1])
    if written in _TRUE or written in _FALSE:
        return written in _TRUE
    try:
        return int(written[:-1]) if written[-1] in "iu" else float(written)
    except ValueError:
        raise _refused(line) from None


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _refused(line: str) -> ValueError:
    shown = line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
    return ValueError(f"{shown!r} is not InfluxDB line protocol")
