"""The configuration file and the tag lists that it names: one tree of plain data, each value with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent.onboarding.document import Document
from agent.onboarding.problems import ConfigErrors, Loc, Place, Problem
from agent.onboarding.taglists import Row, TagList, read_tag_list
from collectors.mqtt.rows import ROW_COLUMNS, mappings_from_rows
from collectors.opcua.config import Tag

_ROW = "\0row"  # marks a built setting with the number of the row that it came from


class _Table(NamedTuple):
    """How rows become settings of a source: the setting that takes them, the columns, and the function between."""

    target: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    build: Callable[[Iterable[dict[str, object]]], list[dict[str, object]]]


_TABLES = {  # the setting that names the files -> what becomes of their rows
    "tags_from": _Table(
        "tags",
        tuple(Tag.model_fields),
        tuple(name for name, about in Tag.model_fields.items() if about.is_required()),
        list,
    ),
    "mappings_from": _Table("mappings", ROW_COLUMNS, ("topic", "signal"), mappings_from_rows),
}
_RENAMED: dict[Loc, str] = {
    ("time", "path"): "time_path",
    ("time", "format"): "time_format",
    ("time", "required"): "time_required",
}  # settings whose column is called otherwise


@dataclass(slots=True)
class Expanded:
    """The whole configuration before validation, and the way back from any value to file, line and column."""

    document: Document
    data: object
    rows: dict[Loc, Row] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unread: set[Loc] = field(default_factory=set)  # settings that lack the rows of a tag list which could not be read

    def place(self, loc: Loc, *, of_key: bool = False) -> Place:
        """Where the value at `loc` (or its key) stands: a cell of a tag list, or a line of the YAML file."""
        for length in range(len(loc), 0, -1):
            row = self.rows.get(loc[:length])
            if row is not None:
                rest = loc[length:]
                return row.cell(_RENAMED.get(rest, str(rest[-1]))) if rest else row.place
        return self.document.place(loc, of_key=of_key)

    def written(self, loc: Loc) -> str | None:
        """The scalar at `loc` as it stands in the YAML file; None for anything else."""
        return None if any(loc[:length] in self.rows for length in range(len(loc) + 1)) else self.document.written(loc)


def expand(document: Document, directory: Path) -> Expanded:
    """Read the tag lists that the sources name and add their rows; problems with them are collected, not raised."""
    expanded = Expanded(document, document.data)
    if isinstance(document.data, dict) and isinstance(sources := document.data.get("sources"), list):
        whole = [_whole(expanded, source, ("sources", number), directory) for number, source in enumerate(sources)]
        expanded.data = {**document.data, "sources": whole}
    return expanded


def _whole(expanded: Expanded, source: object, at: Loc, directory: Path) -> object:
    """A source with the rows of its tag lists; anything else as it is, validation will say what is wrong with it."""
    if not isinstance(source, dict):
        return source
    source = dict(source)  # an alias may stand for the same source elsewhere
    for setting, table in _TABLES.items():
        names, inline = source.get(setting), source.get(table.target) or []
        if isinstance(names, list) and isinstance(inline, list):
            settings = source[table.target] = list(inline)
            for number, name in enumerate(names):
                if isinstance(name, str):
                    listed = _read(expanded, name, (*at, setting, number), table, directory)
                    marked = [{**row.values, _ROW: index} for index, row in enumerate(listed.rows)]
                    for built in table.build(marked):
                        _unmark(expanded, built, (*at, table.target, len(settings)), listed.rows)
                        settings.append(built)
                    if not listed.rows:
                        expanded.unread.add((*at, table.target))
    return source


def _read(expanded: Expanded, name: str, at: Loc, table: _Table, directory: Path) -> TagList:
    shown = str(Path(expanded.document.file).parent / name)
    try:
        listed = read_tag_list(directory / name, shown=shown, fields=table.columns, required=table.required)
    except ConfigErrors as errors:
        named = expanded.place(at)
        for problem in errors.problems:
            by = "" if problem.place.line else f" (named in {named})"
            expanded.errors.append(Problem(problem.place, problem.what + by, problem.todo, problem.severity))
        return TagList(())
    expanded.warnings.extend(listed.warnings)
    return listed


def _unmark(expanded: Expanded, built: dict[str, object], at: Loc, rows: tuple[Row, ...]) -> None:
    """Take the row marks out of what was built, and remember which value came from which row."""
    index = built.pop(_ROW, None)
    if isinstance(index, int):
        expanded.rows[at] = rows[index]
    for key, value in built.items():
        if isinstance(value, list):
            for number, entry in enumerate(value):
                _unmark(expanded, entry, (*at, key, number), rows)
                expanded.rows.setdefault(at, expanded.rows[(*at, key, number)])
