"""One connection to a broker, tied to the event loop; every way in which it can end is one SourceLost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, WebsocketConnectionError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.packets import Block
from collectors.mqtt.plans import Publication
from collectors.mqtt.reasons import REFUSED_HOLD_S, why_refused, why_unreachable
from collectors.mqtt.receive import authenticate, new_client
from collectors.secrets import SecretUnreadable
from collectors.source import SourceLost
from collectors.threads import in_daemon_thread

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

ANSWER_S = 10.0
"""How long a broker may take for CONNACK and SUBACK."""


TRY_S = 3.0
"""The same for a version of MQTT that the broker may not speak: some then answer nothing at all."""
VERSIONS = {"auto": (5, 4), "5": (5,), "3.1.1": (4,)}
"""Protocol levels to try, in this order."""


class VersionRefused(SourceLost):
    """The broker does not speak this version of MQTT, or does not say so; an older one may do."""


async def dial(
    config: MqttConfig,
    *,
    client_id: str,
    versions: Sequence[int],
    clean: bool,
    on_block: Callable[[Link, Block], None],
    will: Publication | None = None,
) -> tuple[Link, bool]:
    """A connection with the first version that the broker takes, and whether it kept our session; raises SourceLost."""
    for version in versions:
        link = Link(config, client_id=client_id, version=version, clean=clean, on_block=on_block, will=will)
        is_last = version == versions[-1]
        try:
            return link, await link.open(answer_s=ANSWER_S if is_last else TRY_S)
        except VersionRefused:
            link.close()
            if is_last:
                raise
        except BaseException:
            link.close()
            raise
    raise AssertionError("the last version either connects or raises")


class Link:
    """Connect with `open`, then `subscribe`; `lost` ends with SourceLost when the connection does."""

    def __init__(
        self,
        config: MqttConfig,
        *,
        client_id: str,
        version: int,
        clean: bool,
        on_block: Callable[[Link, Block], None],
        will: Publication | None = None,
    ) -> None:
        self._config = config
        self.version = version
        self._clean = clean
        self._client_id = client_id
        self._loop = asyncio.get_running_loop()
        self._client = new_client(config, client_id=client_id, version=version, clean=clean, on_block=self._on_block)
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        self._take = on_block
        self._session_present: asyncio.Future[bool] = self._loop.create_future()
        self._granted: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._fd = -1  # of the socket, while the event loop watches it
        self._is_reading = False
        self._timer: asyncio.TimerHandle | None = None  # of a short pause
        self._tick: asyncio.TimerHandle | None = None

    async def open(self, *, answer_s: float) -> bool:
        """Connect; returns whether the broker kept our session. Raises SourceLost, VersionRefused."""
        client, (host, port) = self._client, self._config.address
        properties = None
        if self.version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = self._config.receive_maximum
            properties.SessionExpiryInterval = 0 if self._clean else self._config.session_expiry_s
        clean_start: dict[str, Any] = {"clean_start": self._clean} if self.version == 5 else {}
        try:
            authenticate(client, self._config)
            connect = partial(
                client.connect, host, port, self._config.keepalive_s, properties=properties, **clean_start
            )
            await in_daemon_thread(connect)  # a network that swallows packets must not hold up the end of the agent
        except (OSError, ValueError, WebsocketConnectionError, SecretUnreadable) as error:
            raise why_unreachable(error, self._config) from error
        self._attach()
        return bool(await self._answer(self._session_present, "CONNECT", answer_s))

    async def subscribe(self, filters: Sequence[str], qos: int) -> dict[str, str]:
        """Subscribe; returns for each filter that is not granted as asked what is wrong.

        Raises SourceLost, also where every filter is refused.
        """
        if self.version == 5:
            # retained messages only for a subscription that is new, not at every reconnect
            options = SubscribeOptions(qos=qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            self._client.subscribe([(name, options) for name in filters])
        else:
            self._client.subscribe([(name, qos) for name in filters])
        granted = await self._answer(self._granted, "SUBSCRIBE", ANSWER_S)
        troubles: dict[str, str] = {}
        for name, code in zip(filters, granted, strict=False):
            if code.is_failure:
                troubles[name] = f"the broker refuses the subscription ({code}); check what it allows our user to read"
            elif code.value < qos:
                troubles[name] = f"the broker grants only QoS {code.value}, not {qos}; messages may be lost"
        if all(code.is_failure for code in granted):
            raise SourceLost(f"{filters[0]}: {troubles[filters[0]]}", hold_s=REFUSED_HOLD_S)
        return troubles

    def acknowledge(self, acks: bytes) -> None:
        """Send acknowledgements, if the connection still lives."""
        if not self.lost.done():
            self._client.acknowledge(acks)

    def publish(self, message: Publication, *, qos: int = 0, retain: bool = False) -> None:
        """Publish, if the connection still lives and the topic is one to publish to."""
        if not self.lost.done() and not set(message.topic) & set("+#"):
            self._client.publish(message.topic, message.payload, qos=qos, retain=retain)

    def pause(self, for_s: float | None = None) -> None:
        """Stop reading, for a while or until `resume`; the broker is held back by its full socket."""
        self._cancel_timer()
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._fd)
        if for_s is not None:
            self._timer = self._loop.call_later(for_s, self.resume)

    def resume(self) -> None:
        """Read again."""
        self._cancel_timer()
        if self._is_reading or self._fd < 0:
            return
        self._is_reading = True
        self._loop.add_reader(self._fd, self._read)
        if self._client.has_more():
            self._loop.call_soon(self._read)

    def close(self) -> None:
        """Say goodbye and close the socket; the broker keeps the session."""
        self._detach()
        self._client.on_disconnect = None
        self._client.disconnect()
        if (left := self._client.socket()) is not None:  # the goodbye could not be sent
            left.close()
        for future in (self.lost, self._session_present, self._granted):
            future.cancel()

    async def _answer(self, answer: asyncio.Future[Any], asked: str, answer_s: float) -> Any:
        """What the broker answers; raises SourceLost when it does not."""
        done, _ = await asyncio.wait({answer, self.lost}, timeout=answer_s, return_when=asyncio.FIRST_COMPLETED)
        if answer in done:
            return answer.result()
        if self.lost in done:
            self.lost.result()
        silence = VersionRefused if asked == "CONNECT" and self.version == 5 else SourceLost
        raise silence(f"the broker {self._config.url} has not answered our {asked}; check whether it is overloaded")

    # the event loop -> paho

    def _attach(self) -> None:
        client = self._client
        if (connected := client.socket()) is not None:
            self._fd = connected.fileno()
        client.on_socket_close = lambda *_: self._detach()
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        self.resume()
        if client.want_write():
            self._loop.add_writer(self._fd, client.loop_write)
        self._keep_alive()

    def _detach(self) -> None:
        self._cancel_timer()
        if self._tick is not None:
            self._tick.cancel()
        if self._fd >= 0:  # before it is closed: its number may be another socket's next
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self._fd = -1
        self._is_reading = False
        client = self._client
        client.on_socket_close = client.on_socket_register_write = client.on_socket_unregister_write = None

    def _on_block(self, block: Block) -> None:
        try:
            self._take(self, block)
        except Exception as error:  # nobody foresaw it: the life ends, and the supervisor says so with its traceback
            self.end(error)

    def _read(self) -> None:
        if not self._is_reading:
            return
        self._client.loop_read()
        if self._is_reading and self._client.has_more():
            self._loop.call_soon(self._read)

    def _keep_alive(self) -> None:
        """Let paho send its PINGREQ, and give up a broker that leaves one unanswered."""
        client, keepalive_s = self._client, self._client.keepalive
        if not self._is_reading and self._timer is None:
            client.excuse_ping()
        if client.unanswered_ping_s() > 0.4 * keepalive_s:  # sent after one keepalive_s of silence
            self._fail(
                f"the broker {self._config.url} has been silent for {1.4 * keepalive_s:.0f} s although the connection "
                "stands; check whether it hangs"
            )
            return
        client.loop_misc()
        if not self.lost.done():
            self._tick = self._loop.call_later(min(1.0, keepalive_s / 20), self._keep_alive)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # paho -> the event loop

    def _on_register_write(self, client: Client, _data: Any, _sock: SocketLike) -> None:
        self._loop.add_writer(self._fd, client.loop_write)

    def _on_unregister_write(self, _client: Client, _data: Any, _sock: SocketLike) -> None:
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)

    def _on_connect(self, _client: Client, _data: Any, flags: ConnectFlags, code: ReasonCode, _props: Any) -> None:
        if not code.is_failure:
            self._session_present.set_result(flags.session_present)
        elif str(code) == "Unsupported protocol version":
            self.end(VersionRefused(f"the broker {self._config.url} speaks another MQTT version; set protocol: auto"))
        else:
            self.end(why_refused(code, self._config))

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, codes: list[ReasonCode], _props: Any) -> None:
        if not self._granted.done():
            self._granted.set_result(codes)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _props: Any
    ) -> None:
        url = self._config.url
        if str(code) == "Session taken over":
            self._fail(
                f"another client has connected to {url} as {self._client_id!r}; check whether a second agent runs",
                REFUSED_HOLD_S,
            )
        elif flags.is_disconnect_packet_from_server:
            self._fail(f"the broker {url} has ended the connection: {code}")
        elif self._client.stream_error:
            self._fail(f"{url} sends bytes that are not MQTT; check the port ({self._client.stream_error})")
        elif not self._session_present.done():  # brokers of 3.1.1 hang up on MQTT 5
            silence = VersionRefused if self.version == 5 else SourceLost
            self.end(silence(f"{url} closes the connection without an answer; check whether an MQTT broker is there"))
        else:
            self._fail(
                f"the connection to the broker {url} broke ({code}); check broker and network, and, if it happens "
                f"again and again, whether another client uses the name {self._client_id!r}"
            )

    def _fail(self, reason: str, hold_s: float = 0.0) -> None:
        self.end(SourceLost(reason, hold_s=hold_s))

    def end(self, error: BaseException) -> None:
        """The connection is over for this reason; only the first counts."""
        if not self.lost.done():
            self.lost.set_exception(error)
            self.lost.exception()  # seen: whoever awaits it gets it again
