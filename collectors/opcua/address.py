"""Node ids as engineers write them: `nsu=http://maker.example/;s=Spindle.Speed` or `ns=2;i=1004`.

The namespace URI is preferred: indexes change when a server restarts, and then the same id answers with another
machine's values (OPC 10000-6 §5.3.1.10 gives the syntax).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from uuid import UUID

MAX_TEXT = 4096  # OPC 10000-3 §8.2.4
NOT_NODE_ID = (
    "{text!r} is not an OPC UA node id; write it like nsu=http://maker.example/;s=Spindle.Speed, ns=2;i=1004 or i=2258"
)

_FORM = re.compile(r"^(?:nsu=(?P<uri>[^;]+);|ns=(?P<index>\d{1,5});)?(?P<type>[isgb])=(?P<value>.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """A node id whose namespace is not yet looked up: `uri` where it was given, else `index`."""

    uri: str
    index: int
    type: str  # i, s, g or b, as in the text form
    value: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """The parts of a node id; raises ValueError with a sentence for people."""
        match = _FORM.match(text.strip())
        if match is None or int(match["index"] or 0) > 0xFFFF or not _is_identifier(match["type"], match["value"]):
            raise ValueError(NOT_NODE_ID.format(text=text))
        uri = (match["uri"] or "").replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
        return cls(uri=uri, index=int(match["index"] or 0), type=match["type"], value=match["value"])

    def in_namespaces(self, uris: list[str]) -> str:
        """The node id with the index that its namespace has in this session.

        Raises LookupError with a sentence for people where the server does not have the namespace.
        """
        index = self.index
        if self.uri:
            if self.uri not in uris:
                raise LookupError(
                    f"the server has no namespace {self.uri}; check the tag list or the server's program "
                    f"(it has: {', '.join(uris)})"
                )
            index = uris.index(self.uri)
        return f"ns={index};{self.type}={self.value}"


def _is_identifier(kind: str, value: str) -> bool:
    """Whether the part after the equals sign is what its letter promises."""
    match kind:
        case "i":
            return value.isascii() and value.isdigit() and int(value) <= 0xFFFF_FFFF
        case "s":
            return len(value) <= MAX_TEXT
        case "g":
            return _is_uuid(value)
        case _:
            return _is_base64(value)


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return True
