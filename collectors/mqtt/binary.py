"""CBOR and MessagePack payloads as the documents that JSON would give, pure. Keys are texts: 1 is read as "1"."""

from __future__ import annotations

from typing import Any

import cbor2
import msgpack

_UNTAGGED = dict.fromkeys((0, 1), lambda raw, _is_key: raw)  # times stay as the device wrote them


def load_cbor(payload: bytes) -> object:
    """A CBOR document (RFC 8949). Raises ValueError, for people."""
    try:
        return cbor2.loads(payload, object_hook=lambda found, _is_key: _keyed(found), semantic_decoders=_UNTAGGED)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"the payload is not CBOR: {error}") from None


def load_msgpack(payload: bytes) -> object:
    """A MessagePack document; its own timestamps are nanoseconds since 1970. Raises ValueError, for people."""
    try:
        return msgpack.unpackb(payload, object_hook=_keyed, strict_map_key=False, timestamp=2)
    except (msgpack.UnpackException, ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"the payload is not MessagePack: {error or type(error).__name__}") from None


def _keyed(found: Any) -> dict[str, Any]:
    return {key if type(key) is str else str(key): value for key, value in found.items()}
