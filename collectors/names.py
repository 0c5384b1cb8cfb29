"""One rule for every name: of plants, sources and sinks, of areas, lines, machines and signals."""

from __future__ import annotations

from unicodedata import category

RESERVED = ("carbon", "history", "latest", "page", "raceway", "store")
"""Names of the agent's own parts: their places in the log and on the board cannot be shared."""
_UNSEEN = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of surrogate pairs, line and paragraph separators


def trouble_with_name(name: str) -> str:
    """Why nothing can be called so, for people; empty where it is fine."""
    if any(category(char) in _UNSEEN for char in name):
        return f"{name!a} contains a line break or another invisible character; remove it"
    if name != name.strip():
        return f"'{name}' begins or ends with a blank; remove it"
    return ""
