"""The example with one value replaced by something else: never a traceback, and the place is right."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import check
from agent.onboarding.document import read_document
from agent.onboarding.problems import ConfigErrors, Loc

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE: Any = read_document((CONFIG / "plant.example.yaml").read_bytes(), "example").data


def ways(data: Any, loc: Loc = ()) -> Iterator[Loc]:
    """The way to every value in the example."""
    yield loc
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in inner:
        yield from ways(value, (*loc, step))


def replaced(loc: Loc, value: object) -> object:
    """The example with another value at `loc`."""
    if not loc:
        return value
    data = deepcopy(EXAMPLE)
    here = data
    for step in loc[:-1]:
        here = here[step]
    here[loc[-1]] = value
    return data


odd = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    st.sampled_from(
        [[], {}, [[]], {"a": 1}, ["x"], "0123", "1,5", "10s", -1, 2**64, "\0", "{", "a/{b", "../..", ".", "ns=2"]
    ),
)


@settings(max_examples=100, deadline=None)
@given(loc=st.sampled_from(list(ways(EXAMPLE))), value=odd)
def test_any_wrong_value_is_explained(loc: Loc, value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Loads, or names problems in files that are there, at lines that they have."""
    folder = tmp_path_factory.getbasetemp() / "mutants"
    folder.mkdir(exist_ok=True)
    if not (folder / "tags").exists():
        (folder / "tags").symlink_to(CONFIG / "tags")
    path = folder / "plant.yaml"
    text = (
        json.dumps(replaced(loc, value), indent=1, ensure_ascii=False)
        .replace("NaN", ".nan")
        .replace("Infinity", ".inf")
    )
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    try:
        found = check(path)[1]
    except ConfigErrors as errors:
        found = errors.problems

    for problem in found:
        lines = Path(problem.place.file).read_bytes().count(b"\n") + 1 if Path(problem.place.file).is_file() else 0
        assert problem.what
        assert 0 <= problem.place.line <= lines
