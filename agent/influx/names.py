"""Names and texts as line protocol writes them, and the few that it cannot write."""

from __future__ import annotations

_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ "})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})

TAGS = ("plant", "area", "line", "machine")


def key(name: str) -> bytes:
    """A tag value or a field key; a line end or tab, which neither can hold, becomes the two signs that spell it."""
    return name.translate(_KEY).encode("utf-8", "replace")


def measurement(name: str) -> bytes:
    """The measurement, where '=' needs no escape."""
    return name.translate(_MEASUREMENT).encode("utf-8", "replace")


def string(text: str) -> bytes:
    """A string field's value, quoted; it may hold line ends."""
    return b'"%b"' % text.translate(_STRING).encode("utf-8", "replace")


def trouble_with_signal(name: str) -> str:
    """Why InfluxDB cannot have a field of this name, for people; empty when it can.

    InfluxDB 2.7 drops a field named `time` without a word (seen), and has no way to write a backslash at the end.
    """
    if not name:
        return "the signal has no name; give it one"
    if name == "time":
        return "InfluxDB drops a field called 'time' without a word; name the signal otherwise"
    if name.endswith("\\"):
        return "a signal's name must not end in a backslash, InfluxDB cannot write it"
    return ""


def trouble_with_tag(name: str) -> str:
    """Why InfluxDB cannot have this name of an area, line or machine, for people; empty when it can."""
    return "a name must not end in a backslash, InfluxDB cannot write it" if name.endswith("\\") else ""
