"""YAML as plants write it, and where each value stands."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.onboarding.document import read_document
from agent.onboarding.problems import ConfigErrors, Place


def value(text: str) -> object:
    """What `text` means as the value of a key."""
    data = read_document(f"key: {text}\n".encode(), "f").data
    assert isinstance(data, dict)
    return data["key"]


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "off",
        "n",
        "No",
        "ON",
        "12:30",
        "12:30:59",
        "0123",
        "-007",
        "2026-11-24",
        "1_000",
        "0b1",
        "1e",
        "=",
    ],
)
def test_what_people_mean_as_text_stays_text(text: str) -> None:
    """Words and times that YAML 1.1 turned into truth values and numbers are texts."""
    assert text == value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("-3", -3),
        ("+5", 5),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
    ],
)
def test_numbers_truth_and_nothing(text: str, expected: object) -> None:
    """Scalars of the YAML 1.2 core schema have their types."""
    found = value(text)

    assert (type(expected), expected) == (type(found), found)


def test_every_value_has_a_place() -> None:
    """Lines and columns count from 1 and point at the value, or at its key."""
    document = read_document("a: 1\nlist:\n  - {k: 机器, last: x}\n".encode(), "f.yaml")

    assert Place("f.yaml", 3, 9) == document.place(("list", 0, "k"))
    assert Place("f.yaml", 3, 13) == document.place(("list", 0, "last"), of_key=True)
    assert Place("f.yaml", 3, 5) == document.place(("list", 0, "missing"))
    assert ("1", None) == (document.written(("a",)), document.written(("list",)))


def test_an_anchor_is_written_once_and_used_twice() -> None:
    """Aliases give the same value, each with the place where it is written."""
    document = read_document(b"a: &x {k: 1}\nb: *x\n", "f")

    assert {"a": {"k": 1}, "b": {"k": 1}} == document.data


def test_all_duplicate_keys_are_named() -> None:
    """A key that stands twice is refused wherever it is, with the line of the first."""
    with pytest.raises(ConfigErrors) as caught:
        read_document(b"a: 1\nb: {c: 1, c: 2}\na: 3\n", "f")

    assert [(2, 11), (3, 1)] == [(problem.place.line, problem.place.column) for problem in caught.value.problems]
    assert "first in line 1" in caught.value.problems[1].what


def test_a_byte_order_mark_is_no_problem() -> None:
    """Windows editors put one in front of UTF-8."""
    assert {"plant": "厂"} == read_document("\ufeffplant: 厂".encode(), "f").data


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(data=plain)
def test_what_yaml_writes_is_read_back(data: object) -> None:
    """Whatever a YAML 1.2 writer quotes and spells out comes back as it was."""
    text = yaml.dump(data, default_style='"', allow_unicode=True)  # quoted, with tags on what is not text

    assert data == read_document(text.encode(), "f").data
