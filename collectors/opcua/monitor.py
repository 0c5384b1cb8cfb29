"""Make the server's monitored items agree with the table of wanted ones, as often as it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes as Codes

from collectors.opcua.address import Address
from collectors.opcua.config import OpcUaConfig, Tag
from collectors.opcua.declared import contradictions, learn_facts
from collectors.opcua.explain import status_name
from collectors.opcua.items import Items
from collectors.opcua.session import Session, in_chunks, standard
from collectors.opcua.shape import HEARTBEAT
from collectors.opcua.subscription import Subscription

NO_FILTER = (Codes.BadFilterNotAllowed, Codes.BadMonitoredItemFilterUnsupported, Codes.BadMonitoredItemFilterInvalid,
             Codes.BadDeadbandFilterInvalid)  # fmt: skip
SLOWER = "(sampling)"
SHORTER = "(queue)"
UNFILTERED = "(deadband)"
NO_HEARTBEAT = "(heartbeat)"
REVISED = 1.001  # rounding is no revision


class Monitor:
    """The monitored items of one subscription."""

    def __init__(
        self,
        config: OpcUaConfig,
        session: Session,
        subscription: Subscription,
        items: Items,
        addresses: Sequence[Address],
    ) -> None:
        self._config = config
        self._session = session
        self._subscription = subscription
        self._items = items
        self._addresses = addresses
        self._tried_before = False

    async def create_heartbeat(self) -> bool:
        """Monitor the server's clock: it changes always, so that silence means something. Whether it is accepted."""
        sampling_ms = max(self._subscription.keep_alive_s * 500, self._config.publishing_ms)
        request = _request(standard(ObjectIds.Server_ServerStatus_CurrentTime), HEARTBEAT, sampling_ms, queue=1)
        (result,) = await self._create([request])
        return bool(result.StatusCode.is_good())

    async def reconcile(self, now: float) -> None:
        """Create every item that is due. Raises what `explain.FORESEEN` lists; single bad items only get a trouble."""
        due = self._items.due(now)
        if not due:
            return
        if self._tried_before:
            await self._session.look_up_namespaces()
        self._tried_before = True
        await self._learn(due)
        wrong = contradictions(self._config.tags, self._items.facts)
        requests: list[ua.MonitoredItemCreateRequest] = []
        asked: list[int] = []
        for tag in due:
            try:
                if tag in wrong:
                    raise LookupError(wrong[tag])
                requests.append(self._wanted(tag))
                asked.append(tag)
            except LookupError as error:
                self._items.refused(tag, str(error), time.monotonic())
        for tag, result in zip(asked, await self._create(requests), strict=True):
            self._take(tag, result)

    async def _learn(self, tags: Sequence[int]) -> None:
        """Ask what the server declares of these tags; once in the life of a server, and when they were refused."""
        facts = self._items.facts
        nodes: dict[int, ua.NodeId] = {}
        for tag in tags:
            if self._items[tag].tries:
                facts.forget(tag)
            if tag not in facts.asked:
                with suppress(LookupError):  # told where the item is created
                    nodes[tag] = self._session.node(self._addresses[tag])
        if nodes:
            await learn_facts(self._session, {tag: self._config.tags[tag] for tag in nodes}, nodes, facts)

    async def delete(self, server_ids: Sequence[int]) -> None:
        """Remove items whose node went away, so that they can be created anew."""

        async def call(chunk: Sequence[int]) -> list[ua.StatusCode]:
            request = ua.DeleteMonitoredItemsParameters(self._subscription.id, list(chunk))
            return await self._session.client.uaclient.session.delete_monitored_items(request)

        await in_chunks(server_ids, call, size=self._session.per_create)

    def _wanted(self, tag: int) -> ua.MonitoredItemCreateRequest:
        """What is asked of the server for a tag; raises LookupError where its namespace is not there."""
        wanted = self._config.tags[tag]
        node = self._session.node(self._addresses[tag])
        request = _request(node, tag, self._config.sampling_ms(wanted), queue=self._config.queue_size(wanted))
        if wanted.deadband and not self._session.profile.filters:
            self._items.note_revised(UNFILTERED, f"{wanted.signal}: {self._session.profile.name} does not filter")
        elif wanted.deadband and self._items[tag].no_filter:
            self._items.note_revised(UNFILTERED, f"{wanted.signal}: the server does not filter, every change comes")
        elif wanted.deadband:
            request.RequestedParameters.Filter = ua.DataChangeFilter(
                Trigger=ua.DataChangeTrigger.StatusValue,
                DeadbandType=ua.DeadbandType.Absolute,
                DeadbandValue=wanted.deadband,
            )
        return request

    async def _create(self, requests: Sequence[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
        async def call(chunk: Sequence[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
            return await self._session.client.uaclient.session.create_monitored_items(
                ua.CreateMonitoredItemsParameters(
                    SubscriptionId=self._subscription.id,
                    TimestampsToReturn=ua.TimestampsToReturn.Both,
                    ItemsToCreate=list(chunk),
                )
            )

        results, self._session.per_create = await in_chunks(requests, call, size=self._session.per_create)
        return results

    def _take(self, tag: int, result: ua.MonitoredItemCreateResult) -> None:
        """Note what the server made of one request."""
        code, wanted = result.StatusCode.value, self._config.tags[tag]
        if code in NO_FILTER and wanted.deadband and not self._items[tag].no_filter:
            self._items[tag].no_filter = True
            self._items.postponed(tag)
        elif result.StatusCode.is_bad():
            self._items.refused(tag, f"{wanted.node}: {meaning(code)}", time.monotonic())
        else:
            interval_ms = result.RevisedSamplingInterval or self._config.publishing_ms / 10
            lasts_s = max(result.RevisedQueueSize, 1) * interval_ms / 1000
            self._items.created(tag, result.MonitoredItemId, lasts_s=lasts_s)
            self._compare(wanted, result)

    def _compare(self, wanted: Tag, result: ua.MonitoredItemCreateResult) -> None:
        """Say so where the server gives less than was asked for."""
        sampling_ms, queue = self._config.sampling_ms(wanted), self._config.queue_size(wanted)
        if result.RevisedSamplingInterval > max(sampling_ms, 1) * REVISED:
            self._items.note_revised(
                SLOWER, f"{wanted.signal}: sampled every {result.RevisedSamplingInterval:g} ms, not {sampling_ms:g} ms"
            )
        if 0 < result.RevisedQueueSize < queue:
            self._items.note_revised(
                SHORTER, f"{wanted.signal}: the server keeps {result.RevisedQueueSize} values of it, not {queue}"
            )


def meaning(code: int) -> str:
    """A status code of one node in words for people."""
    match code:
        case Codes.BadNodeIdUnknown | Codes.BadNodeIdInvalid:
            hint = "the server has no such node; check its spelling, or whether the machine's program was changed"
        case Codes.BadUserAccessDenied | Codes.BadNotReadable:
            hint = "the server does not let this account read it; give it the right on the machine"
        case Codes.BadAttributeIdInvalid:
            hint = "the node is no variable; choose one of its members"
        case Codes.BadTooManyMonitoredItems:
            hint = "the server takes no more items; ask for fewer tags, or raise the limit on the machine"
        case _:
            hint = "the server refuses it"
    return f"{hint} ({status_name(code)})"


def _request(node: ua.NodeId, handle: int, sampling_ms: float, *, queue: int) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=handle, SamplingInterval=sampling_ms, QueueSize=queue, DiscardOldest=True
        ),
    )
