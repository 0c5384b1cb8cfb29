"""What an answer of the write endpoint means. Pure; every rule was seen on a real server or in its source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import NamedTuple

from agent.sink import Retry

_ABOUT_POINTS = ("partial write", "field type conflict", "beyond retention", "outside retention", "unable to parse")
_FIELD = re.compile(r'input field "(.+?)" on measurement')
_BOUND = re.compile(r"Lower Bound at (\S+?Z)")
_DROPPED = re.compile(r"dropped=(\d+)")
_LEAST_PAUSE_S = 1.0
_MOST_PAUSE_S = 900.0
_MOST_WORDS = 500


class Answer(NamedTuple):
    """Status code, body text, and headers with lower-case names."""

    status: int
    text: str
    headers: Mapping[str, str] = {}


class Verdict(Enum):
    """What to do next."""

    DELIVERED = auto()
    POISON = auto()  # the server refused points of this body: find them
    TOO_LARGE = auto()  # send less at once
    HOLD = auto()  # nothing is known to be delivered: keep everything, try again


def judge(answer: Answer) -> Verdict:
    """Exactly 204 is delivered; a captive portal's 200 is not."""
    match answer.status:
        case 204:
            return Verdict.DELIVERED
        case 413:
            return Verdict.TOO_LARGE
        case 400 | 422 if _fields(answer):
            return Verdict.POISON
        case 500 if any(words in answer.text for words in _ABOUT_POINTS):
            return Verdict.POISON
        case _:
            return Verdict.HOLD


def words(answer: Answer) -> str:
    """What the server said, in its own words, cut."""
    said = " ".join((_said(answer) or answer.text).split())
    return said if len(said) <= _MOST_WORDS else f"{said[:_MOST_WORDS]} ..."


def complaints(answer: Answer) -> Iterator[tuple[str, str]]:
    """Lines that the answer names, with the reason; nothing where it names none.

    InfluxDB 2.x quotes every bad line in the message of a 400, 3.x lists up to a hundred in `data`. A quoted line may
    itself hold what looks like the end of the quotation, so every possible end is given.
    """
    listed = _fields(answer).get("data")
    if isinstance(listed, list):
        for entry in listed:
            if isinstance(entry, dict) and entry.get("original_line"):
                yield str(entry["original_line"]), str(entry.get("error_message", ""))
        return
    for quoted in _said(answer).split("unable to parse '")[1:]:
        end = quoted.find("': ")
        while end >= 0:
            yield quoted[:end], f"unable to parse: {quoted[end + 3 :].strip()}"
            end = quoted.find("': ", end + 1)


class Hint(NamedTuple):
    """What a partial write says of the points that it dropped: one kind of trouble, where there may be many."""

    field: str = ""  # the field of which it complains
    before_ns: int = 0  # points older than this are beyond retention
    dropped: int = 0  # at least so many points of the body were dropped; seen to be too few, never too many


def hint(answer: Answer) -> Hint:
    """Where to look first for the points that were refused."""
    text = _said(answer)
    field, bound, dropped = _FIELD.search(text), _BOUND.search(text), _DROPPED.search(text)
    return Hint(
        field=field[1] if field else "",
        before_ns=_ns(bound[1]) if bound else 0,
        dropped=int(dropped[1]) if dropped else 0,
    )


def hold(answer: Answer) -> Retry:
    """Why nothing moves, what to check, and how long the server asked to wait."""
    said = f" ({answer.status}: {words(answer) or 'no text'})"
    match answer.status:
        case 401 | 403 | 404 if not _fields(answer):
            reason = "the server refused, but not in InfluxDB's words: perhaps another program; check the address"
            return Retry(reason + said, blocked="bucket" if answer.status == 404 else "auth")
        case 401:
            return Retry("InfluxDB does not know the token; write a valid one into token_file" + said, blocked="auth")
        case 403:
            return Retry("the token may not write into this bucket; give it write permission" + said, blocked="auth")
        case 404:
            return Retry(
                "InfluxDB has no such bucket or organisation; create it or correct the names" + said, blocked="bucket"
            )
        case 429 | 503:
            return Retry("InfluxDB asks to wait" + said, after_s=retry_after_s(answer), blocked="throttled")
        case status if 200 <= status < 300:
            reason = (
                "something answered, but not as InfluxDB does: perhaps a portal or proxy in between; check the address"
            )
        case status if 300 <= status < 400:
            reason = f"the server points to {answer.headers.get('location', 'another address')}; correct the url"
        case 407:
            return Retry("the proxy in between wants a login" + said, blocked="auth")
        case 400 | 422:
            reason = (
                "the request was refused, but not in InfluxDB's words: perhaps by a proxy in between; check the address"
            )
        case _:
            reason = "InfluxDB could not take the points; look at its log"
    return Retry(reason + said)


def retry_after_s(answer: Answer) -> float | None:
    """Seconds to wait by the Retry-After header, between a second and a quarter of an hour; None without one.

    A date is taken relative to the server's own Date header, for a gateway's clock may be wrong.
    """
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(max(float(text), _LEAST_PAUSE_S), _MOST_PAUSE_S)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(answer.headers.get("date", ""))
        return min(max((until - now).total_seconds(), _LEAST_PAUSE_S), _MOST_PAUSE_S)
    except (TypeError, ValueError):
        return None


def _said(answer: Answer) -> str:
    """The text of InfluxDB's error body: 2.x calls it `message`, 1.x and 3.x `error`."""
    fields = _fields(answer)
    return str(fields.get("message") or fields.get("error") or "")


def _fields(answer: Answer) -> Mapping[str, object]:
    """The JSON object of InfluxDB's error bodies; empty for anything else, a proxy's page above all."""
    try:
        found = json.loads(answer.text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.keys() & {"code", "message", "error"} else {}


def _ns(rfc3339: str) -> int:
    """Nanoseconds since 1970 of a time as Go prints it, rounded up to the second; 0 when it is no such time."""
    try:
        return (int(datetime.strptime(rfc3339[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()) + 1) * 10**9
    except ValueError:
        return 0
