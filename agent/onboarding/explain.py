"""What pydantic found, said to the person who wrote the file: what is wrong, and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from agent.onboarding.expand import Expanded
from agent.onboarding.problems import Loc, Problem

Schema = Mapping[str, Any]

_LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}
_NUMBER_TYPES = ("int_", "float_", "finite_number")


def explain(errors: Iterable[ErrorDetails], expanded: Expanded, schema: Schema) -> list[Problem]:
    """One problem for each value that pydantic refused. `schema` is the JSON schema of the model."""
    problems: dict[Loc, Problem] = {}
    for error in errors:
        loc = _way(error, expanded.data)
        if loc in problems:  # each branch of 'int | float' complains about the same value
            continue
        if error["type"] == "too_short" and (error["input"] or loc in expanded.unread):
            continue  # its entries are wrong, or their file is: that is reported by itself
        about = _Setting(loc, error, expanded, schema)
        problems[loc] = Problem(about.place(), *about.said())
    return list(problems.values())


def _way(error: ErrorDetails, data: object) -> Loc:
    """The error's location without the names of union branches: only keys and indexes that are really there."""
    way: list[str | int] = []
    for number, step in enumerate(error["loc"], 1):
        is_last = number == len(error["loc"])
        if _has(data, step):
            data = data[step]  # type: ignore[index]
        elif not (is_last and error["type"] == "missing"):
            continue
        way.append(step)
    if error["type"] == "union_tag_invalid":
        way.append("kind")
    return tuple(way)


def _has(data: object, step: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, dict) and step in data


class _Setting:
    """One refused value: its place, its part of the schema, and the sentence about it."""

    def __init__(self, loc: Loc, error: ErrorDetails, expanded: Expanded, schema: Schema) -> None:
        self.loc = loc
        self.error = error
        self.expanded = expanded
        parent = schema_at(schema, loc[:-1], expanded.data)
        self.siblings: Mapping[str, Schema] = parent.get("properties", {})
        self.schema = schema_at(schema, loc, expanded.data)
        self.name = self._name()

    def place(self) -> Any:
        match self.error["type"]:
            case "missing":
                return self.expanded.place(self.loc[:-1], of_key=True)
            case "extra_forbidden":
                return self.expanded.place(self.loc, of_key=True)
        return self.expanded.place(self.loc)

    def said(self) -> tuple[str, str]:
        """What is wrong, and what to do."""
        kind, given = self.error["type"], self.error["input"]
        context = self.error.get("ctx", {})
        match kind:
            case "missing":
                return f"{self.name} is missing", self._wanted()
            case "extra_forbidden":
                return f"{self.name} is not a setting here", _nearest(str(self.loc[-1]), self.siblings)
            case "union_tag_invalid":
                kinds = re.findall(r"'([^']*)'", context["expected_tags"])
                return f"'{context['tag']}' is not a kind that Raceway knows", _nearest(str(context["tag"]), kinds)
            case "union_tag_not_found":
                return f"{self.name}: 'kind' is missing", f"say what it is: kind: {' or kind: '.join(self._kinds())}"
            case "literal_error" | "enum":
                choices = [str(choice) for choice in self._choices()]
                return f"{self.name} cannot be {_shown(given)}", _nearest(str(given), choices)
            case "value_error":
                what, _, todo = str(context["error"]).partition("; ")
                return what, todo or self._wanted()
        if given is None:
            return f"{self.name} has no value", f"write one, or remove the line. {self._wanted()}".strip()
        if kind in _LIMITS:
            key, words = _LIMITS[kind]
            return f"{self.name} is {_shown(given)}, it must be {words} {context[key]:g}", self._wanted()
        if kind.startswith(_NUMBER_TYPES):
            return self._number(given)
        return self._other(kind, given)

    def _other(self, kind: str, given: object) -> tuple[str, str]:
        match kind:
            case "string_type" | "path_type" if isinstance(given, int | float):
                written = self.expanded.written(self.loc) or str(given).lower()
                return (
                    f"{self.name} is a text, but {written} reads as a {_noun(given)}",
                    f'write it in quotes: "{written}"',
                )
            case "string_type" | "path_type":
                wanted = "a text" if kind == "string_type" else "the name of a file or folder"
                return f"{self.name} must be {wanted}, but it is {_noun(given, article=True)}", self._wanted()
            case "bool_type" | "bool_parsing":
                return f"{self.name} is {_shown(given)}, it must be true or false", self._wanted()
            case "tuple_type" | "list_type":
                todo = f"write it in brackets: [{given}]" if isinstance(given, str) else "begin each entry with '- '"
                return f"{self.name} must be a list, but it is {_noun(given, article=True)}", todo
            case "model_type" | "model_attributes_type" | "dict_type":
                return (
                    f"{self.name} must be a block of settings, but it is {_noun(given, article=True)}",
                    f"the settings are: {', '.join(self.schema.get('properties', {}))}",
                )
            case "string_too_short":
                return f"{self.name} is empty", self._wanted()
            case "too_short":
                return f"{self.name} has no entries", self._wanted()
            case "string_pattern_mismatch":
                return f"{self.name} is not written as it should be: {_shown(given)}", self._wanted()
        return f"{self.name}: {self.error['msg'][:1].lower()}{self.error['msg'][1:]}", self._wanted()

    def _number(self, given: object) -> tuple[str, str]:
        nouns = {"int": "a whole number", "finite": "a number that is not infinite"}
        noun = nouns.get(self.error["type"].split("_")[0], "a number")
        what = f"{self.name} is {_shown(given)}, it must be {noun}"
        text = str(given).strip()
        if re.fullmatch(r"[-+]?\d+,\d+", text):
            return what, f"write a decimal point: {text.replace(',', '.')}"
        with_unit = re.fullmatch(r"([-+]?\d+(?:\.\d+)?)\s*[^\d\s.,:]+", text)
        if with_unit:
            return what, f"write the number alone: {with_unit[1]}. {self._wanted()}".strip()
        return what, self._wanted()

    def _name(self) -> str:
        if not self.loc:
            return "the file"
        last = self.loc[-1]
        if isinstance(last, str):
            return f"'{last}'"
        return f"entry {last + 1} of '{next((step for step in reversed(self.loc) if isinstance(step, str)), '')}'"

    def _wanted(self) -> str:
        return " ".join(str(self.schema.get("description", "")).split())

    def _choices(self) -> list[object]:
        return list(self.schema.get("enum", [self.schema["const"]] if "const" in self.schema else []))

    def _kinds(self) -> list[str]:
        return list(self.schema.get("discriminator", {}).get("mapping", {}))


def schema_at(schema: Schema, loc: Loc, data: object) -> Schema:
    """The part of a JSON schema that describes the value at `loc`; {} where it says nothing."""
    definitions = schema.get("$defs", {})
    here = schema
    for step in loc:
        here = _resolved(here, definitions, data)
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and step < len(data) else None
            here = here.get("items", {})
        else:
            data = data.get(step) if isinstance(data, dict) else None
            here = here.get("properties", {}).get(step, {})
    return _resolved(here, definitions, data)


def _resolved(schema: Schema, definitions: Mapping[str, Schema], data: object) -> Schema:
    """Follow references, the branch that `kind` chooses, and the one branch of an optional that is not null."""
    while True:
        if "$ref" in schema:
            own = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**definitions[schema["$ref"].rsplit("/", 1)[-1]], **own}
        elif "oneOf" in schema and "discriminator" in schema and isinstance(data, dict):
            branch = schema["discriminator"]["mapping"].get(str(data.get("kind")))
            if branch is None:
                return schema
            schema = {"$ref": branch}
        elif "anyOf" in schema:
            branches = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
            own = {key: value for key, value in schema.items() if key != "anyOf"}
            schema = {**branches[0], **own}
        else:
            return schema


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"possible here: {', '.join(names)}" if names else ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f"'{text[:60]}{'…' if len(text) > 60 else ''}'" if isinstance(value, str) else text[:60]


def _noun(value: object, *, article: bool = False) -> str:
    match value:
        case bool():
            return "a truth value" if article else "truth value"
        case int() | float():
            return "a number" if article else "number"
        case str():
            return "a text" if article else "text"
        case list():
            return "a list"
        case dict():
            return "a block of settings"
    return "nothing"
