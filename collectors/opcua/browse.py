"""What a server has: its variables with path, type, unit, range and history, found level by level and gently."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds

from collectors.opcua.eu import unit_of
from collectors.opcua.odd import flat
from collectors.opcua.session import Session, in_chunks, standard

PER_BROWSE = 50  # nodes in one call: each may answer with a thousand references
MOST_NODES = 200_000
HISTORY_READ = 0x04
STANDARD = "http://opcfoundation.org/UA/"
Path = tuple[tuple[str, str], ...]  # (namespace URI, browse name) from below Objects on


@dataclass(slots=True)
class Variable:
    """One variable of the server."""

    node: ua.NodeId
    address: str  # with its namespace URI
    path: Path
    objects: tuple[bool, ...]  # for each step above the variable: whether it is more than a folder
    type: str = ""  # the data type's own name: Double, MachineState
    base: str = ""  # the built-in type of its present value
    length: int = 0  # of an array, matrices row after row; 0 for a scalar
    unit: str = ""
    range: tuple[float, float] | None = None
    description: str = ""
    historizing: bool = False
    readable: bool = True

    @property
    def path_text(self) -> str:
        """Its browse path, for people."""
        return "/".join(name for _, name in self.path)


@dataclass(slots=True)
class Browser:
    """Walks one server. `pause_s` lies between two calls; `progress` gets (nodes seen, variables found)."""

    session: Session
    depth: int = 10
    pause_s: float = 0.05
    progress: Callable[[int, int], object] = lambda _seen, _found: None
    wanted: Callable[[str], bool] = lambda _path: True
    _seen: set[ua.NodeId] = field(default_factory=set)
    _found: list[Variable] = field(default_factory=list)
    _properties: dict[tuple[ua.NodeId, str], ua.NodeId] = field(default_factory=dict)

    async def variables(self) -> list[Variable]:
        """Every variable below Objects, the server's own ones left out. Raises what `explain.FORESEEN` lists."""
        root = standard(ObjectIds.ObjectsFolder)
        level: list[tuple[ua.NodeId, Path, tuple[bool, ...]]] = [(root, (), ())]
        self._seen.add(root)
        for _ in range(self.depth):
            below: list[tuple[ua.NodeId, Path, tuple[bool, ...]]] = []
            children = await self._children([node for node, _, _ in level])
            for (node, path, objects), references in zip(level, children, strict=True):
                for reference in references:
                    self._take(node, path, objects, reference, below)
            if not below or len(self._seen) > MOST_NODES:
                break
            level = below
        chosen = [one for one in self._found if self.wanted(one.path_text)]
        await self._describe(chosen)
        return chosen

    def _take(
        self,
        parent: ua.NodeId,
        path: Path,
        objects: tuple[bool, ...],
        reference: Any,
        below: list[tuple[ua.NodeId, Path, tuple[bool, ...]]],
    ) -> None:
        """Note one child: a variable, an object to look into, or the property that names a unit."""
        node = ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex, reference.NodeId.NodeIdType)
        name = reference.BrowseName
        if reference.ReferenceTypeId == standard(ObjectIds.HasProperty):
            self._properties[parent, str(name.Name)] = node
            if (str(name.Name), path[-1:]) != ("Number", ((STANDARD, "CurrentState"),)):
                return  # of a state machine's properties the number of its state is one to read (OPC 10000-16 §4.4.2)
        elsewhere = getattr(reference.NodeId, "ServerIndex", 0)  # of an ExpandedNodeId: another server
        if node in self._seen or elsewhere or node.NamespaceIndex == 0:
            return
        self._seen.add(node)
        here = (*path, (self._uri(name.NamespaceIndex), str(name.Name)))
        if reference.NodeClass == ua.NodeClass.Variable:
            self._found.append(Variable(node, self._address(node), here, objects))
        is_object = (
            reference.NodeClass == ua.NodeClass.Object
            and reference.TypeDefinition.to_string() != standard(ObjectIds.FolderType).to_string()
        )
        below.append((node, here, (*objects, is_object)))

    async def _children(self, nodes: Sequence[ua.NodeId]) -> list[list[Any]]:
        """The references of each node, all pages of them."""
        services = self.session.client.uaclient.session

        async def call(chunk: Sequence[ua.NodeId]) -> list[Any]:
            await asyncio.sleep(self.pause_s)
            wanted = [
                ua.BrowseDescription(
                    NodeId=node,
                    BrowseDirection=ua.BrowseDirection.Forward,
                    ReferenceTypeId=standard(ObjectIds.HierarchicalReferences),
                    IncludeSubtypes=True,
                    NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
                    ResultMask=ua.BrowseResultMask.All,
                )
                for node in chunk
            ]
            results = await services.browse(
                ua.BrowseParameters(RequestedMaxReferencesPerNode=1000, NodesToBrowse=wanted)
            )
            self.progress(len(self._seen), len(self._found))
            return results

        results, _ = await in_chunks(nodes, call, size=PER_BROWSE)
        pages: list[list[Any]] = []
        for result in results:
            references = list(result.References or [])
            while result.ContinuationPoint:
                await asyncio.sleep(self.pause_s)
                (result,) = await services.browse_next(  # noqa: PLW2901 - the next page of the same result
                    ua.BrowseNextParameters(ContinuationPoints=[result.ContinuationPoint])
                )
                references += result.References or []
            pages.append(references)
        return pages

    async def _describe(self, variables: Sequence[Variable]) -> None:
        """Read what the variables say of themselves."""
        nodes = [one.node for one in variables]
        types = await self._read(nodes, AttributeIds.DataType)
        names = await self._type_names([one for one in types if isinstance(one, ua.NodeId)])
        levels = await self._read(nodes, AttributeIds.AccessLevel)
        historizing = await self._read(nodes, AttributeIds.Historizing)
        descriptions = await self._read(nodes, AttributeIds.Description)
        values = await self.session.read(nodes)
        for number, one in enumerate(variables):
            one.type = names.get(types[number], "") if isinstance(types[number], ua.NodeId) else ""
            level = levels[number] if isinstance(levels[number], int) else 1
            one.readable = bool(level & 1)
            one.historizing = bool(historizing[number]) and bool(level & HISTORY_READ)
            text = descriptions[number]
            one.description = str(getattr(text, "Text", "") or "")
            variant = values[number].Value
            one.base = one.type  # where it has no value yet
            if variant is not None and variant.Value is not None:
                one.base = variant.VariantType.name
                one.length = len(flat(variant.Value)) if isinstance(variant.Value, list) else 0
        await self._units(variables)

    async def _units(self, variables: Sequence[Variable]) -> None:
        for name in ("EngineeringUnits", "EURange"):
            having = [one for one in variables if (one.node, name) in self._properties]
            values = await self._read([self._properties[one.node, name] for one in having], AttributeIds.Value)
            for one, value in zip(having, values, strict=True):
                if isinstance(value, ua.EUInformation):
                    one.unit = unit_of(value.UnitId, str(value.DisplayName.Text or ""))
                elif isinstance(value, ua.Range):
                    one.range = (float(value.Low), float(value.High))

    async def _type_names(self, types: Iterable[ua.NodeId]) -> dict[ua.NodeId, str]:
        """Data types by their names; those that are not the standard's own are asked for."""
        names: dict[ua.NodeId, str] = {}
        unknown: list[ua.NodeId] = []
        for one in set(types):
            number = one.Identifier if one.NamespaceIndex == 0 and isinstance(one.Identifier, int) else -1
            if number in ObjectIdNames:
                names[one] = ObjectIdNames[number]
            else:
                unknown.append(one)
        told = await self._read(unknown, AttributeIds.BrowseName)
        names.update((one, str(getattr(name, "Name", "") or "")) for one, name in zip(unknown, told, strict=True))
        return names

    async def _read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[Any]:
        """The attribute of each node, None where it cannot be read."""
        await asyncio.sleep(self.pause_s)
        values = await self.session.read(nodes, attribute)
        return [one.Value.Value if one.Value is not None else None for one in values]

    def _uri(self, index: int) -> str:
        return self.session.namespaces[index] if index < len(self.session.namespaces) else str(index)

    def _address(self, node: ua.NodeId) -> str:
        identifier = node.to_string().rpartition(f"ns={node.NamespaceIndex};")[2]
        uri = self._uri(node.NamespaceIndex).replace("%", "%25").replace(";", "%3B")
        return f"nsu={uri};{identifier}"
