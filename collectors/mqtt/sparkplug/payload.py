"""Payloads as they come, compressed ones too, and the one that we send, pure."""

from __future__ import annotations

import zlib
from typing import Any

from google.protobuf.message import DecodeError

from collectors.mqtt.sparkplug.messages import Payload

LARGEST_INFLATED = 16 * 1024 * 1024
"""What a compressed payload may grow to; more is a bomb, or a mistake."""
_COMPRESSED = "SPBV1.0_COMPRESSED"
_WINDOW_OF_ANY = 32 + zlib.MAX_WBITS  # zlib and gzip, told apart by their first octets
_BOOLEAN = 11


def open_payload(octets: bytes) -> Any:
    """The payload, inflated where it is compressed. Raises ValueError, for people."""
    payload = _parsed(octets)
    if payload.uuid == _COMPRESSED:  # outside it has neither a sequence number nor metrics of its own
        payload = _parsed(_inflated(payload.body))
        if payload.uuid == _COMPRESSED:
            raise ValueError("the payload is compressed twice")
    return payload


def rebirth_request(now_ns: int) -> bytes:
    """The command that asks an edge node for its births."""
    payload = Payload(timestamp=now_ns // 10**6)
    payload.metrics.add(name="Node Control/Rebirth", timestamp=now_ns // 10**6, datatype=_BOOLEAN, boolean_value=True)
    octets: bytes = payload.SerializeToString()
    return octets


def _parsed(octets: bytes) -> Any:
    try:
        return Payload.FromString(octets)
    except DecodeError:
        raise ValueError("the payload is not Sparkplug B") from None


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj(_WINDOW_OF_ANY)
    try:
        octets = inflater.decompress(body, LARGEST_INFLATED)
    except zlib.error as error:
        raise ValueError(f"the payload's body cannot be inflated ({error})") from None
    if inflater.unconsumed_tail or not inflater.eof:
        if len(octets) >= LARGEST_INFLATED:
            raise ValueError(f"the payload inflates to more than {LARGEST_INFLATED} bytes")
        raise ValueError("the payload's body ends before it is whole")
    return octets
