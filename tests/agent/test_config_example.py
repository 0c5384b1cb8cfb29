"""The example names every setting with its true default, and the schema in the tree is the one that the models give."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.config import AgentConfig, check, json_schema
from agent.onboarding.document import read_document
from agent.onboarding.explain import schema_at
from agent.onboarding.problems import Loc

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE = CONFIG / "plant.example.yaml"
SCHEMA = AgentConfig.model_json_schema()
FREE_FORM = ("map", "states")  # settings whose keys are the plant's own


def everything_on() -> Any:
    """The example with each '#setting: value' switched on."""
    text = re.sub(r"^(\s*)#(?=[\w-]+:|- )", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return read_document(text.encode(), "example").data


def settings(loc: Loc, data: Any) -> Iterator[tuple[Loc, Mapping[str, Any], Any]]:
    """Every setting that the schema knows at and below `loc`: its way, its schema, and its value in `data`."""
    here = schema_at(SCHEMA, loc, data)
    value = data
    for step in loc:
        value = value[step]
    if isinstance(value, list):
        for number in range(len(value)):
            yield from settings((*loc, number), data)
    for name in here.get("properties", {}):
        about = schema_at(SCHEMA, (*loc, name), data)
        yield (*loc, name), about, value.get(name)
        if isinstance(value.get(name), dict | list) and name not in FREE_FORM:
            yield from settings((*loc, name), data)


def once(found: Iterator[tuple[Loc, Mapping[str, Any], Any]]) -> dict[str, tuple[Mapping[str, Any], list[Any]]]:
    """The values that the example shows for each kind of setting, by its way without list positions."""
    shown: dict[str, tuple[Mapping[str, Any], list[Any]]] = {}
    data = everything_on()
    for loc, about, value in found:
        kind = data["sources"][loc[1]]["kind"] if loc[0] == "sources" and len(loc) > 1 else ""
        name = ".".join([kind, *(step for step in loc if isinstance(step, str))])
        shown.setdefault(name, (about, []))[1].append(value)
    return shown


def test_the_example_checks_clean() -> None:
    """`raceway check config/plant.example.yaml` finds no error, and warns at most of the data folder."""
    config, warnings = check(EXAMPLE)

    assert ["opcua", "mqtt"] == [source.kind for source in config.sources]
    assert [] == [warning for warning in warnings if "data_dir" not in str(warning) and "write to" not in warning.what]


def test_the_example_shows_every_setting() -> None:
    """Each field of each model stands in the example, switched on or as a comment."""
    shown = once(settings((), everything_on()))

    assert 60 < len(shown)
    assert [] == [name for name, (_, values) in shown.items() if all(value is None for value in values)]


def test_the_example_shows_true_defaults() -> None:
    """A setting that is commented out shows the default of the model."""
    kept = read_document(EXAMPLE.read_bytes(), "example")
    wrong = [
        f"{loc}: shows {value!r}, the default is {about['default']!r}"
        for loc, about, value in settings((), everything_on())
        if about.get("default") not in (None, "", [], {})
        and not isinstance(value, dict | list)
        and value is not None
        and kept.written(loc) is None
        and value != about["default"]
    ]

    assert [] == wrong


def test_the_schema_in_the_tree_is_fresh() -> None:
    """config/plant.schema.json is what `raceway schema` prints."""
    assert json_schema() == (CONFIG / "plant.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("broken", [False, True], ids=["example", "typo"])
def test_the_schema_judges_as_the_models_do(broken: bool) -> None:
    """An editor with the schema accepts the example and marks an unknown setting."""
    data: Any = read_document(EXAMPLE.read_bytes(), "example").data
    if broken:
        data["store"]["quota"] = 1

    found = list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(data))

    assert broken == bool(found)
