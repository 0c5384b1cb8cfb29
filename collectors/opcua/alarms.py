"""Events on the wire, asked for beside the variables and told again after each connection. No value waits for them.

The items that bring them are on the subscription of the variables, so that their messages have the same numbers, are
acknowledged by the same rule, and are missed and fetched again like values.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.address import Address
from collectors.opcua.alarm_config import ALARM, Notifier
from collectors.opcua.alarm_past import Past
from collectors.opcua.conditions import FIRST_HANDLE, MOST_RETAINED, Conditions
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.eventlist import FIELDS, SIMPLE, Event, Field
from collectors.opcua.explain import status_name
from collectors.opcua.session import Session, standard
from collectors.points import Batch, Series, Stream, Urgency

QUEUE = 1000  # events that the server keeps for us
REFRESH_S = 5.0  # what a server may take to tell its retained alarms again
RETRY_S = 60.0
LEAST_PAUSE_S, MOST_PAUSE_S = 5.0, 600.0  # between two times that a server tells its alarms again
REFRESH = "(alarms)"
ONLY_NEW = "only what changes from now on is seen"
FULL = "(standing alarms)"
TOO_MANY = (
    f"more than {MOST_RETAINED} alarms stand; every change of the others is recorded, but they are not counted, "
    "and that one ended unheard is not seen; set min_severity: of the alarms"
)
EARLIER = "(earlier alarms)"
FORGOTTEN = "the log cannot be read; alarms that stood before the agent was started, and ended meanwhile, do not end"
UNHEARD = "alarms that came and went in it are not known"


class Alarms:
    """The events of one connection."""

    def __init__(self, config: OpcUaConfig, session: Session, conditions: Conditions, past: Past | None = None) -> None:
        self._config = config
        self._session = session
        self._conditions = conditions
        self._past = past
        self._told = asyncio.Event()
        self._troubles: dict[str, str] = {}
        self._due = self._refresh_due = 0.0
        self._pause_s = LEAST_PAUSE_S
        conditions.new_connection(lambda node: stable(node, session.namespaces), goes_on=session.continues)

    def hear(self, events: Sequence[tuple[int, Event]], received_ns: int, *, again: bool = False) -> Batch | None:
        """Events came, or came `again` after newer ones: the records that they become."""
        points = self._conditions.came(events, received_ns, again=again)
        self._told.set()
        if not points:
            return None
        name = self._config.name
        return Batch.of(name, points, received_ns=received_ns, urgency=Urgency.NOW, stream=Stream.RECORDS)

    def lost(self) -> tuple[Series, ...]:
        """The series whose events the server's queue could not hold, since this was asked last."""
        series = self._conditions.series_of(self._conditions.overflowed)
        self._conditions.overflowed.clear()
        return series

    def troubles(self) -> dict[str, str]:
        """What is wrong with the notifiers, for people."""
        return self._troubles | ({FULL: TOO_MANY} if self._conditions.is_full else {})

    def next_due(self) -> float:
        """When there is something to ask, monotonic seconds."""
        refresh = self._refresh_due if self._conditions.running and self._conditions.wants_refresh else math.inf
        return min(refresh, self._due if len(self._conditions.running) < len(self._config.alarms) else math.inf)

    def give_up(self) -> None:
        """The server has no subscriptions: nothing can bring events."""
        if self._config.alarms:
            self._troubles[REFRESH] = "the server has no subscriptions, so that it cannot report alarms"

    def missed(self) -> None:
        """Messages did not arrive, or not in their order: what is known may not hold any more."""
        self._conditions.wants_refresh = bool(self._conditions.running)
        self._told.set()

    async def live(self, subscription: int) -> None:
        """Ask for the events, and for the standing alarms, as often as it takes; does not end where there are any.

        Raises what `explain.FORESEEN` lists.
        """
        if self._config.alarms and self._past is not None:
            try:
                await self._past.restore()
            except OSError as error:
                self._troubles[EARLIER] = f"{FORGOTTEN} ({error})"
        while self._config.alarms:
            self._told.clear()
            await self.ask(subscription)
            await self.refresh(subscription)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(self.next_due() - time.monotonic(), 0)):
                    await self._told.wait()

    async def ask(self, subscription: int) -> None:
        """Ask for the events of all notifiers; one that the server refuses only gets a trouble.

        Raises what `explain.FORESEEN` lists.
        """
        now = time.monotonic()
        missing = [one for one in range(len(self._config.alarms)) if one not in self._conditions.running]
        if missing and now >= self._due:
            self._due = now + RETRY_S
            for notifier in missing:
                await self._create(subscription, notifier)

    async def _create(self, subscription: int, notifier: int) -> None:
        wanted = self._config.alarms[notifier]
        name = trouble_of(wanted)
        self._troubles.pop(name, None)
        try:
            node = self._session.node(Address.parse(wanted.node))
        except LookupError as error:
            self._troubles[name] = str(error)
            return
        for fields in (tuple(FIELDS), SIMPLE):  # small servers refuse fields of conditions that they do not have
            refused = await self._create_item(subscription, notifier, node, fields)
            if not refused:
                self._conditions.running.add(notifier)
                self._conditions.wants_refresh = True
                return
        self._troubles[name] = f"{wanted.node} reports no events; check node: of the alarms ({refused})"

    async def _create_item(self, subscription: int, notifier: int, node: ua.NodeId, fields: Sequence[str]) -> str:
        """Ask for the events of a notifier; why the server refuses, empty where it does not."""
        request = ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.EventNotifier),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=FIRST_HANDLE + notifier,
                SamplingInterval=0,
                Filter=ua.EventFilter(SelectClauses=[_clause(FIELDS[name]) for name in fields]),
                QueueSize=QUEUE,
                DiscardOldest=True,
            ),
        )
        wanted = ua.CreateMonitoredItemsParameters(
            SubscriptionId=subscription, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=[request]
        )
        try:
            (result,) = await self._session.client.uaclient.session.create_monitored_items(wanted)
        except UaStatusCodeError as error:
            return status_name(error.code)
        return "" if result.StatusCode.is_good() else status_name(result.StatusCode.value)

    async def refresh(self, subscription: int) -> None:
        """Have the retained alarms told again where they may have changed unheard, and wait until they are.

        A server that cannot do this only gets a trouble. Raises what `explain.FORESEEN` lists.
        """
        if not (self._conditions.running and self._conditions.wants_refresh) or time.monotonic() < self._refresh_due:
            return
        self._conditions.new_refresh()
        request = ua.CallMethodRequest(
            ObjectId=standard(ObjectIds.ConditionType),
            MethodId=standard(ObjectIds.ConditionType_ConditionRefresh),
            InputArguments=[ua.Variant(subscription, ua.VariantType.UInt32)],
        )
        self._troubles.pop(REFRESH, None)
        try:
            (result,) = await self._session.client.uaclient.session.call([request])
            result.StatusCode.check()
            async with asyncio.timeout(REFRESH_S):
                while not self._conditions.running <= self._conditions.refreshed:
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            self._troubles[REFRESH] = (
                f"the server did not tell its standing alarms within {REFRESH_S:.0f} s; {ONLY_NEW}"
            )
        except UaStatusCodeError as error:
            said = status_name(error.code)
            self._troubles[REFRESH] = f"the server does not tell which alarms stand already; {ONLY_NEW} ({said})"
        self._rest()

    def _rest(self) -> None:
        """A queue that is too short for the standing alarms would have them told again for ever: ever more seldom."""
        is_short = self._conditions.wants_refresh
        self._pause_s = min(2 * self._pause_s, MOST_PAUSE_S) if is_short else LEAST_PAUSE_S
        self._refresh_due = time.monotonic() + self._pause_s
        if is_short:
            self._troubles[REFRESH] = (
                "events were lost while the server told its standing alarms again, as when its queue of events "
                f"overflows; this is tried again in {self._pause_s:.0f} s"
            )


def trouble_of(notifier: Notifier) -> str:
    """The name under which what is wrong with a notifier is listed."""
    return f"({ALARM} {notifier.machine})"


def stable(node: str, namespaces: Sequence[str]) -> str:
    """A node id of this session as a text that holds for ever: by its namespace's URI, a standard node by its name."""
    try:
        address = Address.parse(node)
    except ValueError:  # whatever a server calls its nodes
        return node
    if not address.index:
        return ObjectIdNames.get(int(address.value), node) if address.type == "i" else node
    if address.index >= len(namespaces):
        return node
    uri = namespaces[address.index].replace("%", "%25").replace(";", "%3B")
    return f"nsu={uri};{address.type}={address.value}"


def _clause(field: Field) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=standard(field.defined_by),
        BrowsePath=[ua.QualifiedName(name, 0) for name in field.path],
        AttributeId=AttributeIds.Value if field.path else AttributeIds.NodeId,
    )
