"""What every answer carries, and who may ask."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Guard:
    """Refuses unknown Host names, and adds the security headers.

    hosts: names that are allowed, without ports; empty allows every name. Without this check a foreign web page could
    point its own name at 127.0.0.1 and read the plant through the visitor's browser (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._app
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if self._hosts and host_name(host) not in self._hosts:
            app = PlainTextResponse(
                f"This page is not served under the name '{host_name(host)}'. Use the address of the gateway, "
                "or add the name to dashboard.hosts in the configuration.\n",
                status_code=421,
            )
        await app(scope, receive, send_with_headers)


def host_name(host: str) -> str:
    """The name in a Host header, lower case, without its port and without the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
