"""What devices write where a number, a switch or a text should be, pure."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import orjson

from collectors.mqtt.binary import load_cbor, load_msgpack
from collectors.mqtt.lineprotocol import read_lines

_TRUE = {"true", "on", "yes", "1", "开", "是"}
_FALSE = {"false", "off", "no", "0", "关", "否"}
_LONGEST_TEXT = 4096
_HOLDERS = frozenset((dict, list))
_ODD_COLON = re.compile(rb"[ \t\r\n]:")
_DEEPEST = 8


def load_json(payload: bytes) -> object:
    """A JSON document. Raises ValueError, for people, also where an object has a key twice: which one is meant?"""
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        document = _load_odd_json(payload, error)
    if not _has_each_key_once(payload, document):
        _refuse_doubles(payload)
    return document


def _load_odd_json(payload: bytes, error: Exception) -> object:
    """A JSON document that strict JSON is not: with a BOM, in GB18030, or with bare NaN. Raises ValueError, for people.

    error: why the strict parser refused it.
    """
    if not payload.strip():
        raise ValueError("the payload is empty (a retained message that was cleared?)")
    try:
        document = json.loads(load_text(payload))  # reads NaN, which is then refused for its signal alone
        json.dumps(document, ensure_ascii=False).encode()  # halves of characters ("\\ud801") are no text
    except (ValueError, RecursionError):
        raise ValueError(f"the payload is not JSON: {error}") from None
    return document


def _has_each_key_once(payload: bytes, document: object) -> bool:
    """Whether there are as many keys in the text as in the document; False where that cannot be counted quickly."""
    keys = payload.count(b'":')
    if b'\\"' in payload or (keys != payload.count(b":") and _ODD_COLON.search(payload)):
        return False  # a key and its colon are not side by side, or may stand inside a text
    return keys == _keys(document, 0)


def _keys(found: Any, depth: int) -> int:
    """How many keys its objects have; fewer where it is deep."""
    kind = type(found)
    entries = found.values() if kind is dict else found if kind is list else ()
    count = len(entries) if kind is dict else 0
    if depth < _DEEPEST and not _HOLDERS.isdisjoint(map(type, entries)):
        count += sum(_keys(entry, depth + 1) for entry in entries if type(entry) in _HOLDERS)
    return count


def _refuse_doubles(payload: bytes) -> None:
    """Raise ValueError, for people, where an object of a JSON document has a key twice."""

    def whole(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            raise _DoubleKey(f"the key {shown(next(key for key in keys if keys.count(key) > 1))} is there twice")
        return found

    try:
        json.loads(load_text(payload), object_pairs_hook=whole)
    except _DoubleKey:
        raise
    except (ValueError, RecursionError):
        return  # stricter than the parser that has read it; not a question of keys


class _DoubleKey(ValueError):
    pass


def load_text(payload: bytes) -> str:
    """A text, in UTF-8 with or without BOM, else in GB18030. Raises ValueError, for people."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return payload.decode(encoding).strip()
        except UnicodeDecodeError:
            continue
    raise ValueError("the payload is neither UTF-8 nor GB18030 text")


def load_csv(payload: bytes) -> list[str]:
    """The cells of the first line. Raises ValueError, for people."""
    text = load_text(payload)
    if not text:
        raise ValueError("the payload is empty")
    try:
        return [cell.strip() for cell in next(csv.reader([text.splitlines()[0]]))]
    except csv.Error as error:
        raise ValueError(f"the payload is not CSV: {error}") from None


LOADERS: dict[str, Callable[[bytes], object]] = {
    "json": load_json,
    "text": load_text,
    "csv": load_csv,
    "cbor": load_cbor,
    "msgpack": load_msgpack,
    "line": lambda payload: read_lines(load_text(payload)),
}
"""What a mapping calls its payload -> the document in it."""


def to_number(raw: object, words: Mapping[str, float] | None = None) -> float:
    """A number, also one that is written as text, or a word that stands for one. Raises ValueError, for people."""
    match raw:
        case bool() if words is None:
            raise ValueError(f"{str(raw).lower()} is not a number; set type: bool for switches")
        case int() | float() | Decimal() if words is None:
            return _double(raw)
        case str() if words is None:
            return _double_of(raw)
        case str() | int() | float() if words is not None:
            word = str(raw).lower() if isinstance(raw, bool) else str(raw).strip()
            if word in words:
                return words[word]
            raise ValueError(f"{shown(raw)} is none of the words in map ({', '.join(words)})")
        case _:
            raise ValueError(f"{shown(raw)} is not a number")


def to_switch(raw: object) -> float:
    """1 or 0. Raises ValueError, for people."""
    word = str(raw).strip().lower() if isinstance(raw, str | int | float) else ""
    if word in _TRUE or word == "1.0":
        return 1.0
    if word in _FALSE or word == "0.0":
        return 0.0
    raise ValueError(f"{shown(raw)} is neither true nor false")


def to_text(raw: object) -> str:
    """A text; numbers as they are written, objects as JSON. Raises ValueError, for people."""
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False, default=str)
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"the text has {len(text)} characters, more than {_LONGEST_TEXT}")
    return text


def shown(raw: object) -> str:
    """What was there, short enough for a message."""
    try:
        text = repr(raw)
    except RecursionError:
        return "something nested too deeply"
    return text if len(text) <= 80 else text[:77] + "..."


def _double(number: int | float | Decimal) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ValueError("the number is too large") from None


def _double_of(text: str) -> float:
    try:
        if "_" in text:  # float() takes 1_000, no meter writes it
            raise ValueError(text)
        return float(text)
    except ValueError:
        hint = " (a decimal comma?)" if "," in text else ""
        raise ValueError(f"{shown(text)} is not a number{hint}") from None
