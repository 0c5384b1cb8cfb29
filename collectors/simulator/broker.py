"""An MQTT broker on loopback for machines that have none: amqtt, embedded."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from amqtt.broker import Broker
from amqtt.plugins.base import BaseAuthPlugin


class EveryoneHere(BaseAuthPlugin):  # type: ignore[misc]
    """Lets everyone in, which is fair on loopback, and keeps their sessions: amqtt's anonymous plugin does not."""

    async def authenticate(self, **_: Any) -> bool:
        """Yes."""
        return True


class LoopbackBroker:
    """MQTT 3.1.1 on 127.0.0.1 only; `url` is known once it is open. Sessions live in memory."""

    def __init__(self, *, port: int) -> None:
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                "plugins": {f"{__name__}.{EveryoneHere.__name__}": {}},
            }
        )
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._broker.start()
        listener = self._broker._servers["default"].instance  # amqtt does not say which port it got
        self.url = f"mqtt://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._broker.shutdown()
