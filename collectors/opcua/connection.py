"""One connection: opened within a time limit, on the session of the one before where the server still has it.

The ladder (OPC 10000-4 §6.7): the session is activated again on a new channel, and its subscription goes on; else a new
session takes the subscription over; else everything is made anew. A step that ends without data is not tried twice,
see `link`. asyncua's own supervisor, watchdog and publish loop are never started; its `Client`, a new one for every
connection, is used as transport and codec.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.uacrypto import load_private_key
from asyncua.ua.uaerrors._base import UaStatusCodeError

from collectors.opcua.chatter import tame
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.explain import OUR_CERTIFICATE, Untrusted, is_of_the_account
from collectors.opcua.session import Session, learn
from collectors.opcua.trust import read_pair, secure

tame(logging.getLogger("asyncua"))

ANSWER_S = 30.0  # what a small PLC may take to create a thousand items; silence is noticed by `link` meanwhile
CLOSE_S = 1.0  # what a server may take for saying good-bye
REACHED_S = 1.5  # what an address may take for taking a TCP connection: one repeated SYN, which comes after a second


@dataclass(frozen=True, slots=True)
class Kept:
    """A session that the server may still have after the connection to it was cut."""

    url: str  # where it is
    token: ua.NodeId
    nonce: bytes | None
    certificate: bytes | None  # the server's
    logins: list[ua.UserTokenPolicy]
    timeout_ms: int
    started: str  # when the server was started: another time means another server's session
    subscription: int
    goes_on: bool  # its subscription has been told no more than what we know

    @classmethod
    def of(cls, session: Session, *, subscription: int, goes_on: bool) -> Kept:
        """What has to be known of a session to activate it again."""
        client = session.client
        return cls(
            url=client.server_url.geturl(),
            token=client.uaclient.session.authentication_token,
            nonce=client._server_nonce,
            certificate=client.security_policy.peer_certificate,
            logins=client._policy_ids,
            timeout_ms=client.session_timeout,
            started=session.started,
            subscription=subscription,
            goes_on=goes_on,
        )


@asynccontextmanager
async def opened(config: OpcUaConfig, kept: Kept | None = None) -> AsyncIterator[Session]:
    """A session on the configured server, the kept one if the server still has it.

    It is closed on every way out, unless `stays_open` was set. Raises what `explain.FORESEEN` lists, or Untrusted.
    """
    if kept is not None and kept.url != config.url:
        kept = None
    client = _client(config)
    session = Session(client)
    try:
        async with asyncio.timeout(config.connect_timeout_s):
            await _connect(session, config, kept)
            if kept is not None and session.is_resumed and session.started != kept.started:
                client.disconnect_socket()  # its number was given out again: it belongs to somebody else
                client = _client(config)
                session = Session(client)
                await _connect(session, config, None)
        if (protocol := client.uaclient.protocol) is not None:
            protocol.timeout = ANSWER_S
        session.stays_open = False
        yield session
    finally:
        if session.stays_open:
            client.disconnect_socket()
        else:
            await _close(client)


class _Caller(Client):
    """Asyncua's client, which gives up an address quickly where nobody is, so that the next try comes soon."""

    async def connect_socket(self) -> None:
        try:
            async with asyncio.timeout(REACHED_S):
                await super().connect_socket()
        finally:
            # asyncua waits with wait_for, which in Python 3.11 drops a cancellation that comes with the answer
            # (python/cpython#86296): an agent that was told to stop would go on connecting.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError


def _client(config: OpcUaConfig) -> Client:
    client = _Caller(config.url, timeout=config.connect_timeout_s / 2)
    client.name = client.description = "Raceway"
    client.application_uri = "urn:raceway:agent"
    client.session_timeout = int(config.session_timeout_s * 1000)
    setattr(client.uaclient.session, "ensure_publish_loop", lambda: None)  # noqa: B010 - ours is in subscription.py
    return client


async def _connect(session: Session, config: OpcUaConfig, kept: Kept | None) -> None:
    client = session.client
    session.expiring = await secure(client, config)
    await client.connect_socket()
    await client.send_hello()
    await _open_channel(client)
    session.stays_open = kept is not None  # until it is clear whether it is the kept one
    session.is_resumed = kept is not None and await _activate_again(client, config, kept)
    if not session.is_resumed:
        session.stays_open = False
        await client.create_session()
        await _activate(client, config)
    session.plan_renewal()
    await learn(session, config)
    if kept is not None and kept.started == session.started:
        await _take_subscription(session, kept)


async def _open_channel(client: Client) -> None:
    try:
        await client.open_secure_channel()
    except AssertionError as error:  # asyncua takes the server's fault for an OpenSecureChannelResponse and drops it
        text = f"the server refuses the secure channel; {OUR_CERTIFICATE.text}"
        raise Untrusted(text, hold_s=OUR_CERTIFICATE.hold_s) from error


async def _activate(client: Client, config: OpcUaConfig) -> None:
    if config.user_certificate is not None and config.user_private_key is not None:
        pair = await asyncio.to_thread(read_pair, config.user_certificate, config.user_private_key.path)
        client.user_private_key = await load_private_key(pair.key.path_or_content, extension=pair.key.extension)
        await client.activate_session(certificate=pair.certificate)
    elif config.user:
        password = await asyncio.to_thread(config.password_file.read) if config.password_file else ""
        await client.activate_session(username=config.user, password=password)
    else:
        await client.activate_session()


async def _activate_again(client: Client, config: OpcUaConfig, kept: Kept) -> bool:
    """Whether the server still has the session and lets it go on over this channel."""
    session = client.uaclient.session
    session.restore_authentication_token(kept.token)
    client._server_nonce = kept.nonce  # type: ignore[assignment]  # asyncua calls it None
    client._policy_ids = kept.logins
    client.session_timeout = kept.timeout_ms
    client.security_policy.peer_certificate = client.security_policy.peer_certificate or kept.certificate
    try:
        await _activate(client, config)
    except UaStatusCodeError as error:
        if is_of_the_account(error.code):
            raise  # a new session would be a second try with the same password
        session.reset_authentication_token()
        client._server_nonce = None
        client.session_timeout = int(config.session_timeout_s * 1000)
        return False
    return True


async def _take_subscription(session: Session, kept: Kept) -> None:
    """Let the subscription go on in this session; one that must not go on is deleted."""
    services = session.client.uaclient.session
    with suppress(UaStatusCodeError):  # each of the services is optional
        if session.is_resumed and not kept.goes_on:
            await services.delete_subscriptions([kept.subscription])
        elif session.is_resumed:
            session.continues = True
        elif kept.goes_on:
            (result,) = await services.transfer_subscriptions(
                ua.TransferSubscriptionsParameters(SubscriptionIds=[kept.subscription], SendInitialValues=False)
            )
            session.continues = result.StatusCode.is_good()


async def _close(client: Client) -> None:
    """Say good-bye if the server listens: sessions that are left behind lock out the next connection."""
    protocol = client.uaclient.protocol
    if protocol is not None and not protocol.is_closed:
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await client.close_session()
                await client.close_secure_channel()
    client.disconnect_socket()
