"""Aligned columns for a terminal, where a Chinese character is as wide as two letters."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Collection, Sequence

_WIDE = frozenset("WF")


def width(text: str) -> int:
    """How many terminal columns a text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in _WIDE else 1 for char in text
    )


def printable(text: str) -> str:
    """A text that came from outside, without line breaks and without anything that would steer a terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()) -> list[str]:
    """The lines of a table, header first; columns whose header is in `right` are aligned at their right edge."""
    shown = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(width, column)) for column in zip(*shown, strict=True)]
    lines = []
    for row in shown:
        cells = []
        for name, cell, room in zip(header, row, widths, strict=True):
            blanks = " " * (room - width(cell))
            cells.append(blanks + cell if name in right else cell + blanks)
        lines.append("  ".join(cells).rstrip())
    return lines


def duration(seconds: float) -> str:
    """A span of time for people: 0.4 s, 12 s, 3 min, 5.2 h, 12 days."""
    magnitude = abs(seconds)
    for limit, divisor, unit in ((10, 1, "s"), (120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if magnitude < limit:
            digits = 1 if limit in (10, 172_800) else 0
            return f"{seconds / divisor:.{digits}f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def ago(t_ns: int, now_ns: int) -> str:
    """How long before `now_ns` something was; empty where it never was."""
    return duration((now_ns - t_ns) / 1e9) if t_ns else ""


def local_time(t_ns: int) -> str:
    """A timestamp in the time zone of this computer, to the millisecond; empty for 0."""
    if not t_ns:
        return ""
    seconds, rest_ns = divmod(t_ns, 1_000_000_000)
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) + f".{rest_ns // 1_000_000:03d}"
    except (OverflowError, ValueError, OSError):  # a clock far beyond any calendar
        return f"{t_ns} ns"
