"""What an answer means: delivered only by 204, and otherwise the words that people need."""

from __future__ import annotations

import json

import pytest

from agent.influx.answers import Answer, Verdict, complaints, hint, hold, judge, retry_after_s, words


def influx(status: int, message: str) -> Answer:
    """An error as InfluxDB 2.x words it."""
    return Answer(status, json.dumps({"code": "some code", "message": message}))


CONFLICT = (
    'failure writing points to database: partial write: field type conflict: input field "g" on measurement "m" '
    "is type float, already exists as type string dropped=2"
)
RETENTION = (
    "failure writing points to database: partial write: dropped 2 points outside retention policy of duration 1h0m0s "
    "- oldest point m,a=b at 1970-01-01T00:00:00.000001Z dropped because it violates a Retention Policy Lower Bound "
    "at 2026-11-24T12:13:44.472638735Z, newest point m,a=b at 1970-01-01T00:00:00.000002Z dropped because it violates "
    "a Retention Policy Lower Bound at 2026-11-24T12:13:44.472638735Z dropped=2 for database: x"
)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(204, ""), Verdict.DELIVERED),
        (Answer(200, ""), Verdict.HOLD),
        (Answer(200, "<html>Please log in</html>"), Verdict.HOLD),
        (Answer(202, ""), Verdict.HOLD),
        (Answer(302, "", {"location": "http://portal"}), Verdict.HOLD),
        (influx(400, "unable to parse 'x': bad timestamp"), Verdict.POISON),
        (Answer(400, "<html>nginx</html>"), Verdict.HOLD),
        (influx(401, "unauthorized access"), Verdict.HOLD),
        (influx(403, "insufficient permissions for write"), Verdict.HOLD),
        (influx(404, 'bucket "x" not found'), Verdict.HOLD),
        (Answer(413, "<html>nginx</html>"), Verdict.TOO_LARGE),
        (influx(422, CONFLICT), Verdict.POISON),
        (influx(429, "slow down"), Verdict.HOLD),
        (influx(500, "internal error"), Verdict.HOLD),
        (influx(500, f"unexpected error writing points to database: {CONFLICT}"), Verdict.POISON),
        (influx(503, "busy"), Verdict.HOLD),
        (Answer(502, "Bad Gateway"), Verdict.HOLD),
        (Answer(599, ""), Verdict.HOLD),
    ],
    ids=lambda value: f"{value.status} {value.text[:20]}" if isinstance(value, Answer) else value.name,
)
def test_verdicts(answer: Answer, verdict: Verdict) -> None:
    """Each class of answer has one consequence; what is not known holds everything."""
    assert verdict is judge(answer)


@pytest.mark.parametrize(
    ("answer", "blocked", "part"),
    [
        (influx(401, "unauthorized access"), "auth", "token_file"),
        (influx(403, "insufficient permissions for write"), "auth", "write permission"),
        (influx(404, 'bucket "x" not found'), "bucket", 'bucket "x" not found'),
        (Answer(404, "<html>"), "bucket", "another program"),
        (Answer(407, ""), "auth", "proxy"),
        (Answer(429, ""), "throttled", "wait"),
        (Answer(200, "<html>Log in</html>"), "server", "portal"),
        (Answer(301, "", {"location": "https://influx"}), "server", "https://influx"),
        (Answer(400, "<html>nginx"), "server", "proxy in between"),
        (influx(500, "internal error"), "server", "internal error"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else None,
)
def test_reasons_are_for_people(answer: Answer, blocked: str, part: str) -> None:
    """A hold says in one word what is blocked, and in a sentence what to check."""
    retry = hold(answer)

    assert blocked == retry.blocked
    assert part in retry.reason
    assert str(answer.status) in retry.reason


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 1.0),
        ({"retry-after": "86400"}, 900.0),
        ({"retry-after": "Tue, 24 Nov 2026 13:00:30 GMT", "date": "Tue, 24 Nov 2026 13:00:00 GMT"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 13:00:30 GMT", "date": "Tue, 24 Nov 2026 14:00:00 GMT"}, 1.0),
        ({"retry-after": "Tue, 24 Nov 2026 13:00:30 GMT"}, None),
        ({"retry-after": "soon", "date": "Tue, 24 Nov 2026 13:00:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
    ],
    ids=["none", "seconds", "zero", "a day", "date", "past date", "date without Date", "word", "negative"],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds and dates, dates by the server's own clock, between one second and a quarter of an hour."""
    assert seconds == retry_after_s(Answer(503, "", headers))


def test_complaints_of_version_2() -> None:
    """Every line that a 400 quotes is found, also one that holds what looks like the end of a quotation."""
    quoted = ["m,a=b f=zz 1", "m,a=it's f=\"': \" x"]
    text = "\n".join(f"unable to parse '{line}': bad timestamp" for line in quoted)

    found = dict(complaints(influx(400, text)))

    assert set(quoted) <= set(found)
    assert "unable to parse: bad timestamp" == found[quoted[0]]


def test_complaints_of_version_3() -> None:
    """A list of refused lines is taken as it is."""
    data = [{"original_line": "m f=1 1", "line_number": 1, "error_message": "invalid column type"}, {"line_number": 2}]
    answer = Answer(400, json.dumps({"error": "partial write of line protocol occurred", "data": data}))

    assert [("m f=1 1", "invalid column type")] == list(complaints(answer))


def test_hints_of_a_partial_write() -> None:
    """A conflict names its field, retention its bound, both how many points went at least."""
    assert ("g", 0, 2) == hint(influx(422, CONFLICT))
    assert ("", 1_795_522_425_000_000_000, 2) == hint(influx(422, RETENTION))
    assert ("", 0, 0) == hint(Answer(500, "oops"))


def test_long_words_are_cut() -> None:
    """Half a megabyte of complaints becomes a line for the log."""
    assert 510 > len(words(influx(400, "unable to parse 'x': y\n" * 20_000)))
