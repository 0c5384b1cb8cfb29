"""One thing that is wrong in a file, said so that the person who wrote the file can put it right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Loc = tuple[str | int, ...]
"""The way to a value: keys and list indexes from the top of the file, as pydantic writes it."""


class Place(NamedTuple):
    """Where in a file; line and column count from 1, 0 means the whole file. In a table the column counts cells."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])


class Severity(StrEnum):
    """Whether Raceway may start in spite of it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, where, and what to do about it."""

    place: Place
    what: str
    todo: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        mark = "" if self.severity is Severity.ERROR else "warning: "
        hint = f"\n    → {self.todo}" if self.todo else ""
        return f"{self.place}: {mark}{self.what}{hint}"

    def as_json(self) -> dict[str, object]:
        """Ready for JSON: file, line, column, severity, what, todo."""
        return {**self.place._asdict(), "severity": self.severity.value, "what": self.what, "todo": self.todo}


class ConfigErrors(Exception):
    """The configuration cannot be used; `problems` lists everything that is wrong with it, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))
