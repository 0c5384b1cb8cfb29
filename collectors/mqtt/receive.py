"""paho's client with one change: the socket is read in blocks, and PUBLISH packets are handed over as columns.

paho reads with three calls to the socket for each message, 46 µs; a block of 256 KiB with a thousand of them costs
less than one microsecond each. Connect, TLS, WebSocket, keep-alive, properties, SUBACK and PUBREL stay with paho.

Private names of paho 2.2 that are used, pinned by tests/collectors/mqtt/test_mqtt_paho_contract.py: `_packet_read`,
`_packet_handle`, `_packet_queue`, `_in_packet`, `_sock_recv`, `_last_bytes_received`, `_msgtime_mutex`, `_ping_t`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException

from collectors.mqtt.config import MqttConfig, TlsSettings
from collectors.mqtt.packets import BadStream, Block, Control, Framer

BLOCK_BYTES = 256 * 1024
_CONNACK, _PUBACK = 0x20, 0x40


class BlockClient(Client):
    """One connection's client: `on_block` is called on the thread that reads, with everything one read brought."""

    def __init__(
        self, *, client_id: str, version: int, transport: str, clean: bool, on_block: Callable[[Block], None]
    ) -> None:
        # paho never sees a PUBLISH, so its manual_ack has nothing to hold back. It must stay off: with it, paho leaves
        # every PUBREL unanswered.
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if version == 5 else clean,
            protocol=MQTTv5 if version == 5 else MQTTv311,
            transport="websockets" if transport == "websockets" else "tcp",
            reconnect_on_failure=False,
        )
        self._framer = Framer(version=version)
        self._on_block = on_block
        self._has_answered = False
        self.stream_error = ""  # why the broker's bytes could not be read

    def acknowledge(self, acks: bytes) -> None:
        """Send PUBACK and PUBREC packets, already in order of arrival, in one piece.

        They take the way of every packet of paho, so that they never cut into one that is half sent, and count as
        sent for the keep-alive.
        """
        if acks:
            self._packet_queue(_PUBACK, acks, 0, 1)

    def unanswered_ping_s(self) -> float:
        """How long a PINGREQ has waited for its answer; 0 when none does."""
        return time.monotonic() - self._ping_t if self._ping_t > 0 else 0.0

    def excuse_ping(self) -> None:
        """Forget the PINGREQ that waits: while we do not read, a missing answer says nothing about the broker."""
        self._ping_t = 0.0

    def has_more(self) -> bool:
        """Whether TLS holds bytes that the socket itself no longer shows as readable."""
        pending = getattr(self.socket(), "pending", None)
        return pending is not None and pending() > 0

    def _packet_read(self) -> MQTTErrorCode:
        """Read one block and deal with every packet in it; overrides paho's way of reading one packet."""
        pieces: list[bytes] = []
        wanted = BLOCK_BYTES
        outcome = MQTTErrorCode.MQTT_ERR_SUCCESS
        while wanted > 0:  # TLS and WebSocket give one record or frame at a time
            try:
                piece = self._sock_recv(wanted)
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            if not piece:
                outcome = MQTTErrorCode.MQTT_ERR_CONN_LOST
                break
            pieces.append(piece)
            wanted -= len(piece)
        if pieces:
            with self._msgtime_mutex:
                self._last_bytes_received = time.monotonic()
            handled = self._take(b"".join(pieces))
            outcome = handled if handled != MQTTErrorCode.MQTT_ERR_SUCCESS else outcome
        return outcome

    def _take(self, stream: bytes) -> MQTTErrorCode:
        if not self._has_answered and stream[0] != _CONNACK:
            self.stream_error = f"it begins with {stream[:16]!r}"
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._has_answered = True
        try:
            block = self._framer.feed(stream)
        except BadStream as error:
            self.stream_error = str(error)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if block.messages.topics or block.broken:
            self._on_block(block)
        for control in block.controls:
            outcome = self._handle(control)
            if outcome != MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
                return outcome
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle(self, control: Control) -> MQTTErrorCode:
        """Give a packet to paho's own handlers."""
        self._in_packet = {
            "command": control.header,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(control.body),
            "packet": bytearray(control.body),
            "to_process": 0,
            "pos": 0,
        }
        try:
            return self._packet_handle()
        except MQTTException as error:  # malformed, or with properties that it may not have
            self.stream_error = f"packet type {control.header >> 4}: {error}"
            return MQTTErrorCode.MQTT_ERR_PROTOCOL


def new_client(
    config: MqttConfig, *, client_id: str, version: int, clean: bool, on_block: Callable[[Block], None]
) -> BlockClient:
    """A client for this address; it is not connected yet. version: 5 or 4 (3.1.1)."""
    parts = urlsplit(config.url)
    is_web = parts.scheme in ("ws", "wss")
    client = BlockClient(
        client_id=client_id,
        version=version,
        transport="websockets" if is_web else "tcp",
        clean=clean,
        on_block=on_block,
    )
    if is_web:
        client.ws_set_options(path=parts.path or "/mqtt")
    return client


def authenticate(client: BlockClient, config: MqttConfig) -> None:
    """Read secrets and certificates, at every connect: they may change. Raises OSError, SecretUnreadable."""
    if config.username is not None:
        client.username_pw_set(config.username, config.password_file.read() if config.password_file else None)
    if config.url.startswith(("mqtts://", "wss://")):
        client.tls_set_context(_tls_context(config.tls))


def _tls_context(tls: TlsSettings) -> ssl.SSLContext:
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    context.server_name = tls.server_name
    if tls.ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(tls.ca_file)
    if tls.certificate_file is not None:
        key = tls.private_key_file.path if tls.private_key_file else None
        context.load_cert_chain(tls.certificate_file, key, password="")
    return context


class _NamedContext(ssl.SSLContext):
    """Expects the name that the configuration says, where paho would expect the host that it dials."""

    server_name: str | None = None

    def wrap_socket(self, *arguments: Any, server_hostname: Any = None, **options: Any) -> ssl.SSLSocket:
        """Used by paho with the host's name."""
        options["server_hostname"] = self.server_name or server_hostname
        return super().wrap_socket(*arguments, **options)
