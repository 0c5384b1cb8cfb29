"""YAML with the place of every value: `read_document(text)` gives plain data and, for any value, its line and column.

Scalars follow the YAML 1.2 core schema, stricter in one point: `no`, `on`, `12:30` and `0123` stay text, as a plant
engineer means them. Keys are text. Duplicate keys are refused, anchors and aliases are welcome, tags and merge keys
are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from agent.onboarding.problems import ConfigErrors, Loc, Place, Problem
from agent.onboarding.syntax import decode, syntax_problem

MOST_LEVELS = 50
MOST_VALUES = 2_000_000  # with every alias written out: a file that grows beyond it is a bomb

_TAG = "tag:yaml.org,2002:"
_STR, _INT, _FLOAT, _BOOL, _NULL = (_TAG + name for name in ("str", "int", "float", "bool", "null"))


class _Rules(yaml.CSafeLoader):
    """The C parser with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own attribute


for _tag, _pattern, _first in (
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_NULL, r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    (_INT, r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Rules.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its plain data, and the tree of marks that tells where each value stands."""

    file: str
    data: object
    root: Node | None

    def place(self, loc: Loc, *, of_key: bool = False) -> Place:
        """Where the value at `loc` begins (or its key); for a way that leads nowhere, the last thing on the way."""
        node, mark = self.root, None
        for step in loc:
            entry = _entry(node, step)
            if entry is None:
                break
            key, node = entry
            mark = key.start_mark if of_key else node.start_mark
        if mark is None:
            return Place(self.file, 1, 1)
        return Place(self.file, mark.line + 1, mark.column + 1)

    def written(self, loc: Loc) -> str | None:
        """The scalar at `loc` as it stands in the file, None where there is none."""
        node = self.root
        for step in loc:
            entry = _entry(node, step)
            if entry is None:
                return None
            node = entry[1]
        return str(node.value) if isinstance(node, ScalarNode) else None


def read_document(content: bytes, file: str) -> Document:
    """The document in `content`; raises ConfigErrors with every duplicate key, foreign tag and bad scalar."""
    text = decode(content, file)
    loader = _Rules(text)
    try:
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        raise ConfigErrors([syntax_problem(error, text, file)]) from None
    finally:
        loader.dispose()
    builder = _Builder(file)
    data = builder.build(root, 0) if root is not None else None
    if builder.problems:
        raise ConfigErrors(builder.problems)
    return Document(file, data, root)


class _Builder:
    """Plain data from nodes, collecting problems on the way; an alias gives the same object again."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._built: dict[int, tuple[object, int]] = {}
        self._open: set[int] = set()
        self._values = 0

    def build(self, node: Node, level: int) -> object:
        known = self._built.get(id(node))
        if known is not None:
            self._count(node, known[1])
            return known[0]
        if id(node) in self._open:
            return self._refuse(node, "this alias contains itself", "write the values out")
        if level > MOST_LEVELS:
            return self._refuse(node, f"more than {MOST_LEVELS} levels of nesting", "a configuration needs about six")
        before = self._values
        self._open.add(id(node))
        self._count(node, 1)
        built = self._build_new(node, level)
        self._open.discard(id(node))
        self._built[id(node)] = built, self._values - before
        return built

    def _build_new(self, node: Node, level: int) -> object:
        match node:
            case MappingNode(tag=tag) if tag == _TAG + "map":
                return self._mapping(node, level)
            case SequenceNode(tag=tag) if tag == _TAG + "seq":
                return [self.build(child, level + 1) for child in node.value]
            case ScalarNode():
                return self._scalar(node)
        return self._refuse(node, f"the tag {_shown(node.tag)} is not allowed here", "remove the tag")

    def _mapping(self, node: MappingNode, level: int) -> dict[str, object]:
        built: dict[str, object] = {}
        first: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._refuse(key, "a key must be a plain word", "write it as 'name: value'")
            elif key.value == "<<":
                self._refuse(
                    key,
                    "merge keys (<<) are not part of YAML 1.2",
                    "write the keys out, or keep tags in a CSV file",
                )
            elif key.value in first:
                self._refuse(
                    key,
                    f"the key '{key.value}' stands here twice, first in line {first[key.value]}",
                    "keep one of the two",
                )
            else:
                first[key.value] = key.start_mark.line + 1
                built[key.value] = self.build(value, level + 1)
        return built

    def _scalar(self, node: ScalarNode) -> object:
        text: str = node.value
        try:
            match node.tag:
                case t if t == _STR:
                    return text
                case t if t == _NULL:
                    return None
                case t if t == _BOOL:
                    return text.lower() == "true"
                case t if t == _INT:
                    return int(text, 0)
                case t if t == _FLOAT:
                    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            return self._refuse(node, f"'{text[:40]}' is not a number", "write it in digits, or a text in quotes")
        return self._refuse(node, f"the tag {_shown(node.tag)} is not allowed here", "remove the tag")

    def _count(self, node: Node, values: int) -> None:
        over_before = self._values > MOST_VALUES
        self._values += values
        if self._values > MOST_VALUES and not over_before:
            self._refuse(node, "the aliases multiply this file beyond all reason", "write the values out")

    def _refuse(self, node: Node, what: str, todo: str) -> object:
        mark = node.start_mark
        self.problems.append(Problem(Place(self.file, mark.line + 1, mark.column + 1), what, todo))
        return None


def _entry(node: Node | None, step: str | int) -> tuple[Node, Node] | None:
    """The key node and the value node one step below `node`."""
    if isinstance(node, MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _shown(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
