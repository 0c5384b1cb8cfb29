"""The way to a field of a structure, as an engineer writes it. Pure, without numpy: configurations are read with it."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,5})\]")


def listed(given: object) -> object:
    """Ways as a cell of a tag list holds them, "X; Axis.Load", as a tuple. Raises ValueError for what is no way."""
    if isinstance(given, str):
        given = tuple(part for part in re.split(r"[;,\s]+", given) if part)
    if isinstance(given, list | tuple):
        for path in given:
            steps(str(path))
    return given


def steps(path: str) -> Path:
    """The way to a field: "Axis.Position[2]" is ("Axis", "Position", 2). Raises ValueError."""
    found: list[str | int] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise ValueError(f"{path!r} is no way to a field; write it like Position, Axis.Position or Axis[0].Load")
        found.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    return tuple(found)


def pick(value: object, path: Path) -> object:
    """The field at the end of a way, None where there is none."""
    for step in path:
        match value, step:
            case dict(), str():
                value = value.get(step)
            case list(), int():
                value = value[step] if step < len(value) else None
            case _:
                return None
    return value
