"""Where a value is in a payload, pure: `data.Ua`, `values[3]`, `properties[key=A相电流].value`, `"ts "`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Chosen(NamedTuple):
    """The first object of a list whose `key` has the text `value`."""

    key: str
    value: str


Step = str | int | Chosen


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()
"""What `find` gives where there is nothing; not None, which a payload may hold."""

_STEP = re.compile(
    r"""\.?(?:
      "(?P<quoted>[^"]*)"                                    # "ts " : any key, dots and brackets included
    | \[(?P<index>-?\d+)\]                                   # [0]
    | \[(?P<key>[^=\[\]]+)=(?P<value>[^\]]*)\]               # [key=A相电流]
    | (?P<name>[^.\[\]"]+)                                   # data
    )""",
    re.VERBOSE,
)


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a path; an empty path is the whole payload. Raises ValueError, for people."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (at == 0 and path.startswith(".")):
            raise ValueError(
                f"the path {path!r} cannot be read from character {at + 1} on; write keys with dots (data.p), [0] for "
                'places in lists, [key=value] to choose from a list, "quotes" around odd keys'
            )
        match found.lastgroup:
            case "index":
                steps.append(int(found["index"]))
            case "value":
                steps.append(Chosen(found["key"], found["value"].strip('"')))
            case "quoted":
                steps.append(found["quoted"])
            case _:
                steps.append(found["name"])
        at = found.end()
    return tuple(steps)


def find(document: object, steps: Sequence[Step]) -> object:
    """What the path leads to, or MISSING."""
    for step in steps:
        match step, document:
            case str(), dict():
                document = document.get(step, MISSING)
            case int(), list() if -len(document) <= step < len(document):
                document = document[step]
            case Chosen(key, value), list():
                document = next(
                    (entry for entry in document if isinstance(entry, dict) and str(entry.get(key)) == value), MISSING
                )
            case _:
                return MISSING
    return document
