"""Types of its own for asyncua's server: an enumeration, structures inside each other, discrete items, a matrix."""

from __future__ import annotations

from typing import Any

from asyncua import Server, ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field

Kinds = ua.VariantType
MODES = ["Idle", "Running", "Fault"]


async def add_types(server: Server, folder: Any, index: int) -> None:
    """Add the types, and a variable of each below the folder."""

    def node(name: str) -> ua.NodeId:
        return ua.NodeId(name, index)

    mode = await new_enum(server, index, "OperatingMode", list(MODES))
    axis, _ = await new_struct(
        server,
        index,
        "AxisState",
        [
            new_struct_field("Position", Kinds.Double),
            new_struct_field("Load", Kinds.UInt16),
            new_struct_field("Name", Kinds.String),
            new_struct_field("Points", Kinds.Double, array=True),
            new_struct_field("Mode", mode),
        ],
    )
    head, _ = await new_struct(
        server,
        index,
        "HeadState",
        [
            new_struct_field("Axes", axis, array=True),
            new_struct_field("Main", axis),
            new_struct_field("Note", Kinds.String, optional=True),
            new_struct_field("Wear", Kinds.Float, optional=True),
        ],
    )
    made = await server.load_data_type_definitions()
    one = made["AxisState"](Position=1.5, Load=40, Name="X", Points=[1.0, 2.0], Mode=made["OperatingMode"].Running)
    other = made["AxisState"](Position=2.5, Load=60, Name="Y", Points=[], Mode=made["OperatingMode"].Fault)
    state = made["HeadState"](Axes=[one, other], Main=other, Note=None, Wear=0.25)
    await folder.add_variable(node("Mode"), "Mode", 1, Kinds.Int32, datatype=mode.nodeid)
    await folder.add_variable(node("Axis"), "Axis", one, datatype=axis.nodeid)
    await folder.add_variable(node("Head"), "Head", state, datatype=head.nodeid)
    await folder.add_variable(node("Matrix"), "Matrix", ua.Variant([[1.0, 2.0], [3.0, 4.0]], Kinds.Double))
    await folder.add_variable(node("Blob"), "Blob", b"\x01\xff", Kinds.ByteString)
    door = await folder.add_variable(node("Door"), "Door", True)
    for name, text in (("TrueState", "open"), ("FalseState", "closed")):
        await door.add_property(node(f"Door.{name}"), ua.QualifiedName(name, 0), ua.LocalizedText(text))
    gear = await folder.add_variable(node("Gear"), "Gear", 2, Kinds.UInt32)
    texts = [ua.LocalizedText(text) for text in ("neutral", "low", "high")]
    await gear.add_property(node("Gear.EnumStrings"), ua.QualifiedName("EnumStrings", 0), texts)
