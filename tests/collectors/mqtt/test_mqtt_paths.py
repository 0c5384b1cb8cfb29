"""Paths into payloads."""

from __future__ import annotations

import pytest

from collectors.mqtt.paths import MISSING, find, parse_path

DOCUMENT = {
    "data": {"Ua": 220.1, "list": [1, 2, 3]},
    "ts ": 5,
    "a.b": 6,
    "properties": [{"key": "A相电流", "value": 0.25}, {"key": "B", "value": 1}, "odd"],
    "rw_prot": {"r_data": [{"name": "node0601", "value": "1"}]},
    "null": None,
    "线电压": 380,
    "with space": 1,
    "numbers": [{"id": 3, "v": 9}],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data.Ua", 220.1),
        ("data.list[1]", 2),
        ("data.list[-1]", 3),
        ("data.list[3]", MISSING),
        ('"ts "', 5),
        ('"a.b"', 6),
        ("properties[key=A相电流].value", 0.25),
        ("properties[key=C].value", MISSING),
        ('properties[key="B"].value', 1),
        ("rw_prot.r_data[name=node0601].value", "1"),
        ("numbers[id=3].v", 9),
        ("线电压", 380),
        ("with space", 1),
        ("null", None),
        ("null.x", MISSING),
        ("data.none", MISSING),
        ("data[0]", MISSING),
        ("", DOCUMENT),
    ],
)
def test_find(path: str, expected: object) -> None:
    """What the path leads to."""
    assert find(DOCUMENT, parse_path(path)) == expected


@pytest.mark.parametrize("path", [".a", "a..b", "a[", "a[x]", 'a"', "a]"])
def test_what_is_no_path(path: str) -> None:
    """A wrong path is refused with the place where it goes wrong."""
    with pytest.raises(ValueError, match="cannot be read from character"):
        parse_path(path)
