"""Timestamps as devices write them, pure: epochs of four sizes, ISO 8601, strptime patterns, naive local time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from collectors.mqtt.values import shown

TimeReader = Callable[[object], int]
"""What a payload holds -> ns since 1970 UTC. Raises ValueError, for people, where it is no timestamp."""

EPOCH_NS = {"epoch_s": 10**9, "epoch_ms": 10**6, "epoch_us": 10**3, "epoch_ns": 1}
"""What one of an epoch's units is, ns."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FRACTION = re.compile(r"[.,](\d+)")
_CACHED_TEXTS = 4096


@cache
def time_reader(format: str, zone: str) -> TimeReader:  # noqa: A002 - the word that the configuration uses
    """How to read timestamps of this format; `zone` is for those that do not name one."""
    if format in EPOCH_NS:
        return _epoch_reader(EPOCH_NS[format])
    local = ZoneInfo(zone)
    parse = _iso_parser(local) if format == "iso" else _pattern_parser(format, local)
    parse_text = lru_cache(maxsize=_CACHED_TEXTS)(parse)

    def read(value: object) -> int:
        match value:
            case str():
                return parse_text(value)
            case int() if not isinstance(value, bool):
                return parse_text(str(value))  # 20260330101800 without quotes
            case _:
                raise ValueError(f"{shown(value)} is not a timestamp")

    return read


def _epoch_reader(unit_ns: int) -> TimeReader:
    unit_us = unit_ns / 1000

    def read(value: object) -> int:
        if type(value) is int:
            return value * unit_ns
        try:
            match value:
                case float():
                    # a double holds today's seconds to a fraction of a microsecond, not to a nanosecond
                    return round(value * unit_us) * 1000 if unit_ns > 1 else round(value)
                case str() if value.strip().lstrip("-").isdecimal():
                    return int(value) * unit_ns
                case str() if "_" not in value:
                    return read(float(value))
        except (ValueError, OverflowError):
            pass
        raise ValueError(f"{shown(value)} is not a timestamp")

    return read


def _iso_parser(local: ZoneInfo) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            fraction = _FRACTION.search(text)
            digits = fraction[1] if fraction else ""
            whole = text.strip() if fraction is None else (text[: fraction.start()] + text[fraction.end() :]).strip()
            seconds_ns = _ns(datetime.fromisoformat(whole), local)
        except (ValueError, OverflowError):
            raise ValueError(f"{shown(text)} is not an ISO 8601 timestamp") from None
        return seconds_ns + int(digits.ljust(9, "0")[:9] or 0)

    return parse


def _pattern_parser(pattern: str, local: ZoneInfo) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            return _ns(datetime.strptime(text.strip(), pattern), local)  # noqa: DTZ007 - naive is the point
        except (ValueError, OverflowError):
            raise ValueError(f"{shown(text)} is not a timestamp of the form {pattern}") from None

    return parse


def _ns(moment: datetime, local: ZoneInfo) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=local)
    return (aware - _EPOCH) // _MICROSECOND * 1000
