"""Text from outside: Python's strings can hold halves of characters (lone surrogates), files and databases cannot."""

from __future__ import annotations


def is_whole(text: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def legible(text: str) -> str:
    r"""The text with halves of characters written out (\ud800), so that it can be stored; for what people read."""
    return text.encode("utf-8", "backslashreplace").decode()
