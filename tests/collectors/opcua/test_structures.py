"""Structures by their description: optional members, unions, structures in structures, and bytes that are none."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asyncua import ua

from collectors.opcua.columns import Opaque
from collectors.opcua.fieldpath import Path, listed, pick, steps
from collectors.opcua.odd import read_variant
from collectors.opcua.session import Session
from collectors.opcua.structures import OPTIONAL, UNION, VARIANT, Member, Structure
from collectors.opcua.typetree import TypeTree
from collectors.opcua.wire import Malformed, Reader

DOUBLE, UINT16, TEXT = 11, 5, 12
POINT = Structure(members=[Member("x", DOUBLE), Member("n", UINT16)])
POINT_BYTES = struct.pack("<dH", 1.5, 7)


def text(value: str) -> bytes:
    """A String on the wire."""
    return struct.pack("<i", len(value.encode())) + value.encode()


def read(structure: Structure, body: bytes) -> dict[str, object]:
    """The value in these bytes, all of which belong to it."""
    reader = Reader(body)
    value = structure.read(reader, read_variant)
    assert reader.at == len(body)
    return value


def extension(body: bytes, number: int = 3001) -> bytes:
    """A Variant that holds the structure with the encoding ns=2;i=number."""
    return bytes([22]) + struct.pack("<BBHBi", 1, 2, number, 1, len(body)) + body


def test_members_come_in_their_order() -> None:
    """Numbers and texts, one after the other."""
    named = Structure(members=[*POINT.members, Member("name", TEXT)])

    assert read(named, POINT_BYTES + text("磨床")) == {"x": 1.5, "n": 7, "name": "磨床"}


def test_structures_and_lists_of_them() -> None:
    """A structure in a structure is a dict in a dict."""
    outer = Structure(
        members=[Member("one", 0, inner=POINT), Member("all", 0, is_array=True, inner=POINT), Member("d", DOUBLE, True)]
    )
    body = POINT_BYTES + struct.pack("<i", 2) + 2 * POINT_BYTES + struct.pack("<idd", 2, 1.0, 2.0)
    point = {"x": 1.5, "n": 7}

    assert read(outer, body) == {"one": point, "all": [point, point], "d": [1.0, 2.0]}


def test_an_optional_member_may_be_away() -> None:
    """The bits say which of the optional ones are there."""
    form = Structure(
        OPTIONAL, [Member("x", DOUBLE), Member("a", UINT16, is_optional=True), Member("b", UINT16, is_optional=True)]
    )

    assert read(form, struct.pack("<IdH", 0b10, 1.5, 7)) == {"x": 1.5, "b": 7}


@pytest.mark.parametrize(("chosen", "body", "value"), [(0, b"", {}), (2, struct.pack("<H", 7), {"n": 7})])
def test_a_union_holds_one_member_or_none(chosen: int, body: bytes, value: dict[str, object]) -> None:
    """The number before it says which."""
    assert read(Structure(UNION, POINT.members), struct.pack("<I", chosen) + body) == value


def test_a_member_of_any_type_says_itself_what_it_is() -> None:
    """A Variant inside a structure."""
    assert read(Structure(members=[Member("any", VARIANT)]), bytes([DOUBLE]) + struct.pack("<d", 2.5)) == {"any": 2.5}


def test_a_structure_in_a_variant_is_found_by_its_encoding() -> None:
    """One that was not learnt is Opaque, as is one that is not as the server describes it."""
    known = {(2, 3001): POINT}

    assert read_variant(extension(POINT_BYTES), known) == {"x": 1.5, "n": 7}
    assert isinstance(read_variant(extension(POINT_BYTES, 3002), known), Opaque)
    assert isinstance(read_variant(extension(POINT_BYTES[:-1]), known), Opaque)


@pytest.mark.parametrize(
    "structure",
    [
        pytest.param(Structure(members=[Member("d", DOUBLE, True)]), id="a list longer than the message"),
        pytest.param(Structure(members=[Member("d", 0, True, inner=POINT)]), id="a list of structures"),
        pytest.param(Structure(members=[Member("t", TEXT)]), id="a text"),
    ],
)
def test_hostile_lengths_are_malformed(structure: Structure) -> None:
    """An error at once, whatever the length says."""
    for length in (2**31 - 1, 1000, 2):
        with pytest.raises(Malformed):
            structure.read(Reader(struct.pack("<i", length) + b"\x01"), read_variant)


def test_a_structure_that_holds_itself_ends() -> None:
    """A type that never ends is malformed at some depth, not a crash."""
    endless = Structure()
    endless.members.append(Member("again", 0, inner=endless))
    with pytest.raises(Malformed):
        endless.read(Reader(b""), read_variant)


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("Position", ("Position",)),
        ("Axis.Position", ("Axis", "Position")),
        ("Axis[0].Load", ("Axis", 0, "Load")),
        ("[1].轴", (1, "轴")),
    ],
)
def test_ways_to_members(path: str, way: Path) -> None:
    """As an engineer writes them."""
    assert steps(path) == way


@pytest.mark.parametrize("path", ["Axis[", "Axis]", "a..b", "[x]"])
def test_what_is_no_way_is_said(path: str) -> None:
    """With an example of what is one."""
    with pytest.raises(ValueError, match="write it like Position"):
        listed([path])


def test_a_cell_of_a_tag_list_holds_several() -> None:
    """Separated by semicolons, commas or blanks."""
    assert listed("X; Axis.Load, Y") == ("X", "Axis.Load", "Y")


@pytest.mark.parametrize(
    ("path", "value"), [("a.b", 1), ("a.c", None), ("l[1]", 6), ("l[2]", None), ("l.x", None), ("a[0]", None)]
)
def test_a_member_is_picked_or_not_there(path: str, value: object) -> None:
    """Nothing is made up where a step leads nowhere."""
    assert pick({"a": {"b": 1}, "l": [5, 6]}, steps(path)) == value


async def test_a_structure_that_is_not_described_is_said_with_its_type() -> None:
    """Servers before 1.04 describe structures in dictionaries only: it is a structure, and cannot be read."""
    parent = ua.ReferenceDescription(NodeId=ua.ExpandedNodeId(22))  # type: ignore[arg-type]  # Structure

    class Old(Session):
        async def read(self, nodes: Any, attribute: Any = None) -> list[Any]:
            """No DataTypeDefinition."""
            return [ua.DataValue() for _ in nodes]

    async def browse(_: Any) -> list[ua.BrowseResult]:
        return [ua.BrowseResult(References=[parent])]

    session = Old(cast(Any, SimpleNamespace(uaclient=SimpleNamespace(session=SimpleNamespace(browse=browse)))))
    trouble = await TypeTree(session, {}).learn(ua.NodeId("Axis", 2))  # type: ignore[arg-type]

    assert "its type ns=2;s=Axis has no DataTypeDefinition" in trouble
    assert "use the node of each member" in trouble


def test_the_decoders_agree_on_the_standard_structures() -> None:
    """Asyncua's own reading of a Range is that of its description."""
    body = ua.ua_binary.struct_to_binary(ua.Range(Low=1.0, High=2.0))

    assert read(Structure(members=[Member("Low", DOUBLE), Member("High", DOUBLE)]), body) == {"Low": 1.0, "High": 2.0}
