"""An open session: what the server says of itself, and how it is asked, in chunks that it can take."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.address import Address
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.profiles import UNKNOWN, Profile, profile_of

PER_CALL = 1000  # operations in one call, where neither the server nor the configuration says less
PER_HISTORY = 50  # nodes in one HistoryRead: each answers with a whole page of values
RENEW_AT = 0.75  # of the channel's lifetime (OPC 10000-4 §5.6.2.1)
TOO_MANY = (StatusCodes.BadTooManyOperations, StatusCodes.BadEncodingLimitsExceeded)

In = TypeVar("In")
Out = TypeVar("Out")


def standard(number: int) -> ua.NodeId:
    """A node of the standard's own namespace."""
    return ua.NodeId.from_string(f"i={number}")


@dataclass(slots=True)
class Session:
    """A connection that is open, and what the server says of itself."""

    client: Client
    namespaces: list[str] = field(default_factory=list)
    started: str = ""  # ServerStatus.StartTime; another one later means that the server was restarted
    product: str = ""
    profile: Profile = UNKNOWN
    expiring: list[str] = field(default_factory=list)  # what is to be said about certificates
    service_level: int = 255  # how good the server says that its values are
    skew_s: float = 0.0  # the server's clock minus ours
    per_read: int = PER_CALL
    per_create: int = PER_CALL
    per_history: int = PER_HISTORY
    most_items: int = 0  # in one subscription; 0 where the server does not say
    renew_at: float = math.inf  # monotonic
    is_resumed: bool = False  # the session of an earlier connection, picked up again
    continues: bool = False  # and its subscription goes on
    stays_open: bool = False  # the server is to keep the session when this connection ends

    async def read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds = AttributeIds.Value) -> list[Any]:
        """The DataValues of an attribute of these nodes, each with its own status."""

        async def call(chunk: Sequence[ua.NodeId]) -> list[Any]:
            request = ua.ReadParameters(
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                NodesToRead=[ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in chunk],
            )
            return await self.client.uaclient.session.read(request)

        results, self.per_read = await in_chunks(nodes, call, size=self.per_read)
        return results

    def node(self, address: Address) -> ua.NodeId:
        """The node in this session; raises LookupError where its namespace is not there."""
        return ua.NodeId.from_string(address.in_namespaces(self.namespaces))

    async def look_up_namespaces(self) -> None:
        """Read the namespace table anew; indexes change with the server's program."""
        (value,) = await self.read([standard(ObjectIds.Server_NamespaceArray)])
        value.StatusCode.check()
        self.namespaces = list(value.Value.Value or [])

    async def look_up_service_level(self) -> int:
        """Read how good the server says that its values are; one that does not say it is healthy."""
        (value,) = await self.read([standard(ObjectIds.Server_ServiceLevel)])
        level = value.Value.Value if value.Value is not None and value.StatusCode.is_good() else None
        self.service_level = level if isinstance(level, int) else 255
        return self.service_level

    async def renew_channel(self) -> None:
        """Exchange the keys of the secure channel before they expire."""
        await self.client.open_secure_channel(renew=True)
        self.client.uaclient.revolve_security_token()
        self.plan_renewal()

    def plan_renewal(self) -> None:
        """Remember when the channel is to be renewed."""
        self.renew_at = time.monotonic() + self.client.secure_channel_timeout * RENEW_AT / 1000


async def learn(session: Session, config: OpcUaConfig) -> None:
    """Read what the server says about itself; what it does not say has a safe default."""
    asked_at = time.time()
    status, per_read, per_create, per_history, most_items = await session.read(
        [
            standard(ObjectIds.Server_ServerStatus),
            standard(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead),
            standard(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall),
            standard(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData),
            standard(ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription),
        ]
    )
    session.per_read = _smallest(per_read, config.limits.nodes_per_read)
    session.per_create = _smallest(per_create, config.limits.monitored_items_per_call)
    session.per_history = _smallest(per_history, PER_HISTORY)
    session.most_items = _told(most_items)
    if isinstance(server := status.Value.Value, ua.ServerStatusDataType):
        session.started = server.StartTime.isoformat() if server.StartTime else ""
        build = server.BuildInfo
        session.product = " ".join(filter(None, (build.ManufacturerName, build.ProductName, build.SoftwareVersion)))
        session.profile = profile_of(session.product)
        session.per_create = min(session.per_create, session.profile.items_per_call or PER_CALL)
        session.per_read = min(session.per_read, session.profile.nodes_per_read or PER_CALL)
        if server.CurrentTime:
            session.skew_s = round(server.CurrentTime.timestamp() - (asked_at + time.time()) / 2, 3)
    await session.look_up_namespaces()


def _smallest(told: Any, configured: int) -> int:
    """The server's limit, the configured one and ours; 0 and anything that is no number mean no limit."""
    return min(one for one in (_told(told), configured, PER_CALL) if one > 0)


def _told(value: Any) -> int:
    """The number in a DataValue; 0 where it holds none."""
    number = value.Value.Value if value.Value is not None else 0
    return number if isinstance(number, int) else 0


async def in_chunks(
    operations: Sequence[In], call: Callable[[Sequence[In]], Awaitable[list[Out]]], *, size: int
) -> tuple[list[Out], int]:
    """The results of all operations, asked for at most `size` at once, and the size that the server could take.

    A server that finds it too much is asked for half. Raises what `call` raises, and ConnectionError where an answer
    has another number of results than the question.
    """
    results: list[Out] = []
    while len(results) < len(operations):
        chunk = operations[len(results) : len(results) + size]
        try:
            answers = await call(chunk)
        except UaStatusCodeError as error:
            if error.code not in TOO_MANY or size == 1:
                raise
            size = max(min(size, len(chunk)) // 2, 1)
            continue
        if len(answers) != len(chunk):
            raise ConnectionError(f"the server gave {len(answers)} results for {len(chunk)} operations")
        results.extend(answers)
    return results, size
